"""The seed tree: episode i of a run draws its start, its actions and its attack from (run seed, i) alone."""

import numpy as np

from rlattack.games.batch import FloatArray

__all__ = ["SampledActions", "attack_seed", "game_seed", "seat_seed"]

_GAME, _ACTIONS, _ATTACK, _SEATS = range(4)
_BLOCK = 512


def game_seed(run: int, episode: int) -> int:
    """The seed that the game is reset with, 0..2^31-1."""
    return int(_branch(run, episode, _GAME).generate_state(1)[0] >> 1)


def attack_seed(run: int, episode: int) -> np.random.SeedSequence:
    """Where an attack's random numbers come from."""
    return _branch(run, episode, _ATTACK)


def seat_seed(run: int, episode: int, seat: int) -> np.random.SeedSequence:
    """Where the random numbers of a seat's player come from, in a game of two seats."""
    return _branch(run, episode, _SEATS, seat)


def _branch(run: int, episode: int, *kind: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(run, spawn_key=(episode, *kind))


class SampledActions:
    """Uniform numbers by which actions are sampled: one a step and slot, from the episode's own stream.

    Args:
        slots: Number of slots.
        run: The run's seed.
    """

    def __init__(self, slots: int, run: int) -> None:
        self._run = run
        self._streams = [np.random.default_rng(0) for _ in range(slots)]
        self._drawn = np.zeros((slots, _BLOCK))
        self._used = np.full(slots, _BLOCK)

    def restart(self, slot: int, episode: int) -> None:
        """Gives a slot the stream of a new episode."""
        self._streams[slot] = np.random.default_rng(_branch(self._run, episode, _ACTIONS))
        self._used[slot] = _BLOCK

    def draw(self) -> FloatArray:
        """One number in [0, 1) a slot, shape (slots,)."""
        for slot in np.flatnonzero(self._used == _BLOCK):
            self._drawn[slot] = self._streams[slot].random(_BLOCK)
            self._used[slot] = 0
        numbers: FloatArray = self._drawn[np.arange(len(self._used)), self._used]
        self._used += 1
        return numbers
