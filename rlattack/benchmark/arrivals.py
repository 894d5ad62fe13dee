"""Plays a cell once more and keeps all that its attacked seat was shown and what arrived there in its place."""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from rlattack.arrays import Array, IntArray
from rlattack.attacks.recording import Page
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.executor import Beat, Local, Task
from rlattack.evaluation.observer import Moment, Observer
from rlattack.evaluation.play import play_episodes
from rlattack.evaluation.slots import Take


class Arrivals(Observer):
    """Keeps every step of a seat in which it acts, until somebody takes the episodes that ended."""

    def __init__(self, seat: int, slots: int) -> None:
        super().__init__(seat, slots)
        self._episode: IntArray = np.full(slots, -1)
        self._steps: list[list[tuple[Array, Array]]] = [[] for _ in range(slots)]
        self.ended: dict[int, Page] = {}
        """By the number of the episode."""

    def begin(self, slots: IntArray, episodes: IntArray) -> None:
        """Begins the pages of `episodes`."""
        self._episode[slots] = episodes
        for slot in map(int, slots):
            self._steps[slot] = []

    def see(self, moment: Moment) -> None:
        """Keeps a step of every slot."""
        if moment.seat != self.seat:
            return
        received = moment.received.numpy(force=True)
        for slot in map(int, np.flatnonzero(moment.acting)):
            self._steps[slot].append((moment.shown[slot].copy(), received[slot].copy()))

    def collect(self, slot: int) -> Mapping[str, float | None]:
        """Ends the page of the episode that ended in a slot; has no numbers."""
        shown, received = zip(*self._steps[slot], strict=True)
        self.ended[int(self._episode[slot])] = Page(np.stack(shown), np.stack(received))
        self._steps[slot] = []
        return {}


def played_again(cell: Cell, fits: Path, workers: int) -> tuple[list[Episode], dict[int, Page]]:
    """Plays a cell once more.

    Args:
        cell: Under an attack on what a seat sees.
        fits: Folder of what its attack learned.
        workers: Processes; changes nothing.

    Returns:
        Its episodes in order, and what arrived in each, by its number.
    """
    episodes: list[Episode] = []
    pages: dict[int, Page] = {}
    play = functools.partial(_play, fits=fits)
    with contextlib.closing(Local(workers).run([Task(cell)], play)) as items:
        for item in items:
            if isinstance(item, Episode):
                episodes.append(item)
            elif isinstance(item, tuple):
                pages[item[0]] = item[1]
    return sorted(episodes, key=lambda one: one.episode), pages


def _play(task: Task, take: Take, *, fits: Path) -> Iterator[Episode | Beat | tuple[int, Page]]:
    """Plays episodes of a cell, and gives each with what arrived in it."""
    seen = Arrivals(task.cell.attacks[0].seat, task.cell.envs)
    for item in play_episodes(task.cell, take, [seen], fits=fits):
        yield item
        if isinstance(item, Episode):
            yield item.episode, seen.ended.pop(item.episode)
