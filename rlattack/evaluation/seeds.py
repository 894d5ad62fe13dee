"""The seed tree: episode i of a run draws its start, its actions and its attack from (run seed, i) alone."""

import numpy as np

__all__ = ["attack_seed", "game_seed", "seat_seed"]

_GAME, _, _ATTACK, _SEATS = range(4)


def game_seed(run: int, episode: int) -> int:
    """The seed that the game is reset with, 0..2^31-1."""
    return int(_branch(run, episode, _GAME).generate_state(1)[0] >> 1)


def attack_seed(run: int, episode: int) -> np.random.SeedSequence:
    """Where an attack's random numbers come from."""
    return _branch(run, episode, _ATTACK)


def seat_seed(run: int, episode: int, seat: int) -> np.random.SeedSequence:
    """Where the random numbers of a seat's player come from, of a game with one seat or more."""
    return _branch(run, episode, _SEATS, seat)


def _branch(run: int, episode: int, *kind: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(run, spawn_key=(episode, *kind))
