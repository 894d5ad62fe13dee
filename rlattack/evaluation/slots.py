"""Copies of a game that play the episodes of a cell: each slot plays its own, one after another."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator

import numpy as np

from rlattack.arrays import BoolArray, IntArray
from rlattack.draws import game_seed
from rlattack.evaluation.episode import Episode

Take = Callable[[int], int | None]
"""Gives the number of the next episode of a slot, or None; asked as slots become free."""


class Slots(ABC):
    """Plays step by step until no episode is left; what a step is, is up to whoever inherits."""

    def __init__(self, slots: int, seed: int, take: Take) -> None:
        self.slots, self.seed = slots, seed
        self.steps = 0
        """Steps of slots that had an episode to play."""
        self.full_seconds = 0.0
        """Time while every slot had an episode, resets included."""
        self.full_steps = self.full_resets = 0
        """Steps and resets in that time."""
        self.episode: IntArray = np.full(slots, -1)
        """The episode of each slot; -1 for one that is idle."""
        self._take = take

    def play(self) -> Generator[list[Episode], None, None]:
        """Plays step by step, until no episode is left; yields the episodes that the step ended."""
        try:
            self._start(np.ones(self.slots, dtype=np.bool_), first=True)
            while (active := self.episode >= 0).any():
                begun, full = time.perf_counter(), bool(active.all())
                self.steps += int(active.sum())
                ended = active & self._step(active)
                finished = [self._finish(int(slot)) for slot in np.flatnonzero(ended)]
                if finished:
                    self._start(ended)
                if full:
                    self.full_seconds += time.perf_counter() - begun
                    self.full_steps += self.slots
                    self.full_resets += len(finished)
                yield finished
        finally:
            self._close()

    def _start(self, mask: BoolArray, *, first: bool = False) -> None:
        """Puts the next episodes into the slots of `mask`; slots for which none is left go idle."""
        started = np.zeros(self.slots, dtype=np.bool_)
        for slot in np.flatnonzero(mask):
            episode = self._take(int(slot))
            self.episode[slot] = -1 if episode is None else episode
            started[slot] = episode is not None
        reset = started | first  # at first, idle slots need something to show too
        if reset.any():
            seeds = [
                game_seed(self.seed, int(self.episode[slot])) if started[slot] else 0 for slot in np.flatnonzero(reset)
            ]
            self._begin(np.flatnonzero(started), reset, np.asarray(seeds))

    @abstractmethod
    def _begin(self, started: IntArray, reset: BoolArray, seeds: IntArray) -> None:
        """Clears what belongs to an episode in the slots `started`, and resets the game in those of `reset`."""

    @abstractmethod
    def _step(self, active: BoolArray) -> BoolArray:
        """Plays one step of every slot and adds it to the episodes of `active`; returns where an episode ended."""

    @abstractmethod
    def _finish(self, slot: int) -> Episode:
        """The episode that the step has ended in a slot."""

    @abstractmethod
    def _close(self) -> None:
        """Frees the game."""
