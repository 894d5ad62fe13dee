"""How fast a MuJoCo game is stepped, beside MuJoCo alone: the same play again in a plain loop over `mj_step`."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rlattack.games import find_game
from rlattack.games.draws import SharedDraws
from rlattack.games.mujoco.batch import MujocoDuel
from rlattack.games.mujoco.engine import mujoco
from rlattack.games.opponent import renewed
from rlattack.policies.player import load_player
from rlattack.training import Contest, contest

__all__ = ["SteppingSpeed", "measure_stepping"]

Array = npt.NDArray[Any]
_STEPS = 16
"""Control steps of a turn; games that end in one start again after it."""


@dataclass(frozen=True, kw_only=True)
class SteppingSpeed:
    """Control steps of a game a second, on one core."""

    batched: float
    """Physics, observations, rewards and endings, in slots; without players and resets."""
    raw: float
    """`mj_step` alone."""

    @property
    def share(self) -> float:
        """Ours over MuJoCo alone."""
        return self.batched / self.raw


def measure_stepping(game: str, victim: str, *, seconds: float, envs: int = 64) -> SteppingSpeed | None:
    """Plays a victim against random actions and steps every turn of it once more with MuJoCo alone.

    Args:
        game: A game of two seats.
        victim: An agent.
        seconds: For each way, at least, after a turn that does not count.
        envs: Games at once.

    Returns:
        The speeds; None of a game that is not one of MuJoCo's.

    Raises:
        RlattackError: The victim or the game cannot be loaded.
    """
    if find_game(game).mujoco is None:
        return None
    against = contest(game, victim, envs=envs)
    assert isinstance(against.duel, MujocoDuel)
    play, again = _Play(against, against.duel), _Again(against.duel)
    ours = theirs = 0.0
    turns = -1
    while turns < 1 or min(ours, theirs) < seconds:
        again.start()
        spent, controls = play.turn()
        if turns >= 0:
            ours += spent
            theirs += again.turn(controls)
        turns += 1
    steps = turns * _STEPS * envs
    return SteppingSpeed(batched=steps / ours, raw=steps / theirs)


class _Play:
    """The victim against random actions, in slots."""

    def __init__(self, against: Contest, duel: MujocoDuel) -> None:
        seat = against.seat
        spaces = duel.observation_spaces[seat], duel.action_spaces[seat]
        other = load_player("random", against.card.id, duel.seats[seat], *spaces).player
        victim = against.victim.player
        self._players = (other, victim) if seat == 0 else (victim, other)
        self._states = [player.initial_state(duel.slots) for player in self._players]
        self._duel, self._draws = duel, SharedDraws(duel.slots, 0)
        self._low = np.concatenate([space.low for space in duel.action_spaces])  # type: ignore[attr-defined]
        self._high = np.concatenate([space.high for space in duel.action_spaces])  # type: ignore[attr-defined]
        self._sight = duel.reset(np.ones(duel.slots, dtype=np.bool_), np.arange(duel.slots))
        self._seed = duel.slots

    def turn(self) -> tuple[float, list[Array]]:
        """Seconds that the steps took, and the controls of each, shape (slots, actuators of both)."""
        spent, controls = 0.0, []
        ended = np.zeros(self._duel.slots, dtype=np.bool_)
        for _ in range(_STEPS):
            first, second = (self._act(seat) for seat in (0, 1))
            controls.append(np.concatenate([first, second], axis=1).clip(self._low, self._high))
            begun = time.perf_counter()
            step = self._duel.step((first, second))
            spent += time.perf_counter() - begun
            self._sight = step.sight
            ended |= step.terminated | step.truncated
        if count := int(ended.sum()):
            self._sight = self._duel.reset(ended, np.arange(self._seed, self._seed + count))
            self._seed += count
            for seat, player in enumerate(self._players):
                self._states[seat] = renewed(ended, player.initial_state(len(ended)), self._states[seat])
        return spent, controls

    def _act(self, seat: int) -> Array:
        actions, self._states[seat] = self._players[seat].act(self._sight.obs[seat], self._states[seat], self._draws)
        return actions


class _Again:
    """The scenes of a game by themselves, to be stepped from where they stand."""

    def __init__(self, duel: MujocoDuel) -> None:
        self._duel = duel
        self._scenes = [(model := duel.model.__copy__(), mujoco.MjData(model)) for _ in range(duel.slots)]

    def start(self) -> None:
        """Puts all where they stand in the game."""
        for slot, (model, data) in enumerate(self._scenes):
            self._duel.show(slot, model, data)

    def turn(self, controls: list[Array]) -> float:
        """Seconds that MuJoCo takes for the same controls."""
        substeps = self._duel.card.scene.frame_skip
        begun = time.perf_counter()
        for slot, (model, data) in enumerate(self._scenes):
            for control in controls:
                data.ctrl[:] = control[slot]
                mujoco.mj_step(model, data, substeps)
        return time.perf_counter() - begun
