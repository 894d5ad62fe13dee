"""Plays cells on several cores: one process a core, one torch thread each, episodes handed out one by one."""

import itertools
import multiprocessing
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from rlattack.errors import InvalidInput, RlattackError, WorkerDied, one_line
from rlattack.evaluation.cell import AgentRef, Cell
from rlattack.evaluation.rollout import Episode, Rollout
from rlattack.evaluation.slots import Take
from rlattack.policies import LoadedAgent, load_policy

__all__ = ["Effort", "Job", "Shape", "blaming", "cores", "play_cells", "share"]


class Job(Protocol):
    """What is shared out: a cell, of whatever kind."""

    @property
    def key(self) -> str:
        """Its name."""

    @property
    def episodes(self) -> int:
        """How many are to be played."""

    @property
    def envs(self) -> int:
        """How many are played at once."""


C = TypeVar("C", bound=Job)
E = TypeVar("E")
Play = Callable[[C, Take], Iterator[E]]


@dataclass(frozen=True)
class Shape:
    """What the game of all cells shows and takes, for checking agents."""

    observation: tuple[int, ...]
    actions: int


@dataclass(frozen=True)
class Effort:
    """What a worker spent on a cell, when there is nothing left of it to begin."""

    cell: str
    episodes: int
    """That it played."""
    seconds: float


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Tickets(Protocol):
    """Hands out episodes: the same ones whatever the number of workers, in whatever order they come.

    Episode i is played in slot i modulo the number of slots, by whichever worker: float rounding can depend on the
    place of a row in its batch.
    """

    def take(self, cell: int, slot: int) -> int | None:
        """The next episode of a cell for a slot."""

    def next_cell(self) -> int | None:
        """A cell with episodes left: the first that nobody started, else the one with most left."""


class _Counters:
    """Tickets over shared memory, or a plain list for one worker."""

    def __init__(self, taken: Any, cells: Sequence[Job], lock: AbstractContextManager[Any]) -> None:
        self._taken, self._cells, self._lock = taken, cells, lock
        self._first = [0, *itertools.accumulate(cell.envs for cell in cells)]

    @staticmethod
    def size(cells: Sequence[Job]) -> int:
        """How many counters it takes: one a cell and slot."""
        return sum(cell.envs for cell in cells)

    def take(self, cell: int, slot: int) -> int | None:
        with self._lock:
            place = self._first[cell] + slot
            episode = slot + self._cells[cell].envs * int(self._taken[place])
            if episode >= self._cells[cell].episodes:
                return None
            self._taken[place] += 1
            return episode

    def next_cell(self) -> int | None:
        with self._lock:
            taken = [sum(self._taken[first:last]) for first, last in itertools.pairwise(self._first)]
            left = [cell.episodes - count for cell, count in zip(self._cells, taken, strict=True)]
            if 0 in taken:
                return taken.index(0)
            return max(range(len(left)), key=left.__getitem__) if max(left, default=0) > 0 else None


def play_cells(cells: list[Cell], shape: Shape, workers: int, clips: Path) -> Iterator[Episode | Effort]:
    """Plays every episode of every cell; yields them as they end, in an order that does not matter.

    Args:
        cells: What to play; all of one game.
        shape: The game's observation shape and number of actions.
        workers: Processes; 1 plays in this one.
        clips: Folder for the recordings of attacked cells.

    Raises:
        RlattackError: What a worker met that is the input's fault.
        WorkerDied: A worker process was ended from outside.
    """
    return share(cells, partial(_play, shape=shape, clips=clips), workers)


def share(cells: Sequence[C], play: Play[C, E], workers: int) -> Iterator[E | Effort]:
    """Shares the episodes of cells out among processes; yields them as they end, in an order that does not matter.

    Args:
        cells: What to play.
        play: Plays the episodes of one cell that it is given; another process must be able to import it.
        workers: Processes; 1 plays in this one.

    Raises:
        RlattackError: See `play_cells`.
    """
    if not cells:
        return
    if workers == 1:
        torch.set_num_threads(1)
        lock = multiprocessing.get_context("spawn").Lock()
        yield from _work(cells, play, _Counters([0] * _Counters.size(cells), cells, lock))
        return
    context = multiprocessing.get_context("spawn")
    counters = _Counters(context.Array("q", _Counters.size(cells), lock=False), cells, context.Lock())
    results: Any = context.Queue()
    processes = [
        context.Process(target=_worker, args=(cells, play, counters, results), daemon=True) for _ in range(workers)
    ]
    try:
        _start(processes)
        yield from _collect(results, processes)
    finally:
        begun = [process for process in processes if process.pid is not None]
        for process in begun:
            process.terminate()
        for process in begun:
            process.join()


def _start(processes: list[Any]) -> None:
    """Starts them deaf to Ctrl-C, which reaches all processes of a terminal; this one hears it when all have begun.

    Children inherit the signal mask of this thread. It does not keep the signal from other threads of this process,
    such as those of BLAS, so the handler waits as well.
    """
    heard: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    waits = threading.current_thread() is threading.main_thread() and callable(before)
    if waits:
        signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for process in processes:
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if waits:
            signal.signal(signal.SIGINT, before)
    if heard:
        signal.raise_signal(signal.SIGINT)


def _collect(results: Any, processes: list[Any]) -> Iterator[Any]:
    running = len(processes)
    while running:
        try:
            item = results.get(timeout=1.0)
        except queue.Empty:
            if any(process.exitcode not in (None, 0) for process in processes):
                raise WorkerDied(
                    "a worker process was ended from outside, mostly for want of memory; finished cells are kept: "
                    "run the command again, with fewer --workers"
                ) from None
            continue
        if item is None:
            running -= 1
        elif isinstance(item, BaseException):
            raise item
        else:
            yield item


def _worker(cells: Sequence[C], play: Play[C, E], tickets: Tickets, results: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    torch.set_num_threads(1)
    parent = os.getppid()
    try:
        for item in _work(cells, play, tickets):
            results.put(item)
            if os.getppid() != parent:  # the parent was killed
                return
        results.put(None)
    except RlattackError as error:
        results.put(error)
    except Exception:
        results.put(RuntimeError(traceback.format_exc()))


def _work(cells: Sequence[C], play: Play[C, E], tickets: Tickets) -> Iterator[E | Effort]:
    while (index := tickets.next_cell()) is not None:
        begun, played = time.perf_counter(), 0
        for episode in play(cells[index], partial(tickets.take, index)):
            played += 1
            yield episode
        yield Effort(cells[index].key, played, time.perf_counter() - begun)


def _play(cell: Cell, take: Take, *, shape: Shape, clips: Path) -> Iterator[Episode]:
    victim = _load(cell.victim, shape).policy
    crafted_on = victim if cell.surrogate is None else _load(cell.surrogate, shape).policy
    rollout = Rollout(cell, victim, crafted_on, take)
    yield from blaming(rollout.episodes(), (cell.victim, cell.surrogate))
    if rollout.recorder is not None:
        rollout.recorder.save(clips / f"{cell.key}.npz")


def blaming(episodes: Iterator[E], agents: Iterable[AgentRef | None]) -> Iterator[E]:
    """Makes one line of what goes wrong in a user's own module."""
    try:
        yield from episodes
    except (RlattackError, GeneratorExit):
        raise
    except Exception as error:
        own = [ref.spec for ref in agents if ref is not None and ref.foreign]
        if not own:
            raise
        raise InvalidInput(f"{' or '.join(own)}: fails in play: {type(error).__name__}: {one_line(error)}") from error


@lru_cache(maxsize=4)
def _load(ref: AgentRef, shape: Shape) -> LoadedAgent:
    agent = load_policy(ref.spec, observation=shape.observation, actions=shape.actions, trust=ref.trust)
    ref.check(agent.identity)
    return agent
