"""Clocks that run while something is done, and things that are measured in turns so that all meet the same machine."""

import time
from collections.abc import Callable, Sequence

import torch

from rlattack.arrays import Array, BoolArray, IntArray
from rlattack.games.game import Game, Step, View


class Clock:
    """Adds up the time of a block of code, and how often it ran.

    Args:
        each: Steps that the block takes each time.
    """

    def __init__(self, each: int = 1) -> None:
        self._each = each
        self.restart()

    def restart(self) -> None:
        """Forgets what was measured."""
        self.seconds, self.calls = 0.0, 0

    @property
    def steps(self) -> int:
        """Steps so far."""
        return self.calls * self._each

    @property
    def speed(self) -> float:
        """Steps a second."""
        return self.steps / self.seconds

    def __enter__(self) -> None:
        _finish()
        self._begun = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        _finish()
        self.seconds += time.perf_counter() - self._begun
        self.calls += 1


def _finish() -> None:
    """Waits for what a GPU still computes, where there is one at work."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch has not typed it
        torch.cuda.synchronize()


class TimedGame:
    """A game whose steps are timed."""

    def __init__(self, game: Game, clock: Clock) -> None:
        self.game, self.clock = game, clock
        self.slots, self.seats, self.endings, self.close = game.slots, game.seats, game.endings, game.close

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        """Starts new episodes in the slots of `mask`, outside the time."""
        return self.game.reset(mask, seeds)

    def step(self, actions: Sequence[Array]) -> Step:
        """Plays one action a seat and slot."""
        with self.clock:
            return self.game.step(actions)


def take_turns(turn: Callable[[], object], clocks: Sequence[Clock], seconds: float) -> None:
    """Takes turns until each clock ran for so many seconds; a first turn does not count."""
    turn()
    for clock in clocks:
        clock.restart()
    while min(clock.seconds for clock in clocks) < seconds:
        turn()
