"""Plays a cell once more and keeps all that its attacked seat was shown and what arrived there in its place."""

import contextlib
import functools
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlattack.arrays import Array, IntArray, packed, unpacked
from rlattack.attacks.recording import Page, Recording, recording_bytes
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
        self._steps: list[list[tuple[Array, bytes]]] = [[] for _ in range(slots)]
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
            shown = moment.shown[slot].copy()
            self._steps[slot].append((shown, zlib.compress(packed(received[slot], shown).tobytes(), level=1)))

    def collect(self, slot: int) -> Mapping[str, float | None]:
        """Ends the page of the episode that ended in a slot; has no numbers."""
        shown = np.stack([one for one, _ in self._steps[slot]])
        planes = [np.frombuffer(zlib.decompress(raw), dtype=np.uint8).reshape(4, -1) for _, raw in self._steps[slot]]
        self.ended[int(self._episode[slot])] = Page(shown, unpacked(np.stack(planes), shown))
        self._steps[slot] = []
        return {}


@dataclass(frozen=True)
class _Pages(Mapping[int, Page]):
    """What arrived in each episode, by its number; unpacked where it is asked for."""

    files: Mapping[int, bytes]

    def __getitem__(self, episode: int) -> Page:
        return Recording(self.files[episode], f"episode {episode}").page(episode)

    def __iter__(self) -> Iterator[int]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def played_again(cell: Cell, fits: Path, workers: int) -> tuple[list[Episode], Mapping[int, Page]]:
    """Plays a cell once more.

    Args:
        cell: Under an attack on what a seat sees.
        fits: Folder of what its attack learned.
        workers: Processes; changes nothing.

    Returns:
        Its episodes in order, and what arrived in each, by its number.
    """
    episodes: list[Episode] = []
    files: dict[int, bytes] = {}
    play = functools.partial(_play, fits=fits)
    with contextlib.closing(Local(workers).run([Task(cell)], play)) as items:
        for item in items:
            if isinstance(item, Episode):
                episodes.append(item)
            elif isinstance(item, tuple):
                files[item[0]] = item[1]
    return sorted(episodes, key=lambda one: one.episode), _Pages(files)


def _play(task: Task, take: Take, *, fits: Path) -> Iterator[Episode | Beat | tuple[int, bytes]]:
    """Plays episodes of a cell, and gives each with what arrived in it."""
    seen = Arrivals(task.cell.attacks[0].seat, task.cell.envs)
    for item in play_episodes(task.cell, take, [seen], fits=fits):
        yield item
        if isinstance(item, Episode):
            yield item.episode, recording_bytes(task.cell.seed, {item.episode: seen.ended.pop(item.episode)})
