"""Runs tasks on several cores: one process a core, one torch thread each, episodes handed out one by one."""

import itertools
import multiprocessing
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import SpawnContext
from typing import Any, Protocol, TypeVar

import torch

from rlattack.errors import InvalidInput, RlattackError, WorkerDied
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.slots import Take
from rlattack.evaluation.spawned import Names, added_names, held_back, set_up


@dataclass(frozen=True)
class Task:
    """Episodes of a cell that are to be played."""

    cell: Cell
    first: int = 0
    """The number of the first; those before it are there."""

    @property
    def key(self) -> str:
        """Key of the cell, which names the task."""
        return self.cell.key

    @property
    def episodes(self) -> int:
        """How many are to be played."""
        return self.cell.episodes - self.first


E = TypeVar("E")


@dataclass(frozen=True)
class Effort:
    """What a worker spent on a task, when there is nothing left of it to begin."""

    task: str
    episodes: int
    """How many it played."""
    seconds: float


@dataclass(frozen=True)
class Beat:
    """Tells that a worker goes on with a task in which no episode has ended for a while."""

    task: str
    steps: int
    """Steps that it has played of the task."""


PlayTask = Callable[[Task, Take], Iterator[E | Beat]]


class Executor(Protocol):
    """Where tasks run."""

    def run(self, tasks: Sequence[Task], play: PlayTask[E]) -> Generator[E | Beat | Effort, None, None]:
        """Plays every episode of every task; yields them as they end, in an order that does not matter.

        Whoever closes what it returns, or lets it go, ends the play.

        Raises:
            RlattackError: What went wrong and is the input's fault.
            WorkerDied: A process was ended from outside.
        """


@dataclass(frozen=True)
class Local:
    """Processes of this machine.

    Attributes:
        workers: How many; 1 plays in this process.
    """

    workers: int

    def run(self, tasks: Sequence[Task], play: PlayTask[E]) -> Generator[E | Beat | Effort, None, None]:
        """Shares episodes out one by one; another process must be able to import `play`. See `Executor.run`."""
        if not tasks:
            return
        context = multiprocessing.get_context("spawn")
        tickets = _Tickets(tasks, context)
        workers = min(self.workers, sum(task.episodes for task in tasks))
        if workers <= 1 or held_back(task.cell for task in tasks):
            torch.set_num_threads(1)
            yield from _work(tasks, play, tickets)
            return
        results: Any = context.Queue()
        processes = [
            context.Process(target=_worker, args=(tasks, play, tickets, results, added_names()), daemon=True)
            for _ in range(workers)
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


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Tickets:
    """Hands out episodes: the same ones whatever the number of workers, in whatever order they come.

    Episode i is played in slot i modulo the number of slots, by whichever worker: float rounding can depend on the
    place of a row in its batch.
    """

    def __init__(self, tasks: Sequence[Task], context: SpawnContext) -> None:
        self._tasks, self._lock = tasks, context.Lock()
        self._first = [0, *itertools.accumulate(task.cell.envs for task in tasks)]
        self._begun = [
            max(0, -((slot - task.first) // task.cell.envs)) for task in tasks for slot in range(task.cell.envs)
        ]
        """Episodes of each task and slot that are there before it begins."""
        self._taken: Any = context.Array("q", self._begun, lock=False)

    def take(self, task: int, slot: int) -> int | None:
        """The next episode of a task for a slot; None when there is none left."""
        cell, place = self._tasks[task].cell, self._first[task] + slot
        with self._lock:
            episode = slot + cell.envs * int(self._taken[place])
            if episode >= cell.episodes:
                return None
            self._taken[place] += 1
            return episode

    def next_task(self) -> int | None:
        """A task with episodes left: the first that nobody started, else the one with most left."""
        with self._lock:
            taken = [
                sum(self._taken[first:last]) - sum(self._begun[first:last])
                for first, last in itertools.pairwise(self._first)
            ]
        left = [task.episodes - count for task, count in zip(self._tasks, taken, strict=True)]
        fresh = next((place for place, count in enumerate(taken) if count == 0 and left[place] > 0), None)
        if fresh is not None:
            return fresh
        return max(range(len(left)), key=left.__getitem__) if max(left, default=0) > 0 else None


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
    can_block = hasattr(signal, "pthread_sigmask")  # not on Windows
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if can_block else None
    try:
        for process in processes:
            process.start()
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if waits:
            signal.signal(signal.SIGINT, before)
    if heard:
        signal.raise_signal(signal.SIGINT)


def _collect(results: Any, processes: list[Any]) -> Iterator[Any]:
    running = len(processes)
    while running:
        dead = sum(process.exitcode is not None for process in processes)
        try:
            item = results.get(timeout=1.0)
        except queue.Empty:
            if dead > len(processes) - running:  # all that they said before was heard
                raise WorkerDied(
                    "a worker process was ended from outside, mostly for want of memory, or by code that it played; "
                    "finished cells are kept: run the command again, with fewer --workers"
                ) from None
            continue
        if item is None:
            running -= 1
        elif isinstance(item, BaseException):
            raise item
        else:
            yield item


def _worker(tasks: Sequence[Task], play: PlayTask[E], tickets: _Tickets, results: Any, names: Names) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    parent = os.getppid()
    try:
        set_up(names)
        for item in _work(tasks, play, tickets):
            results.put(item)
            if os.getppid() != parent:  # the parent was killed
                return
        results.put(None)
    except RlattackError as error:
        results.put(error)
    except BaseException:
        results.put(RuntimeError(traceback.format_exc()))


def _work(tasks: Sequence[Task], play: PlayTask[E], tickets: _Tickets) -> Generator[E | Beat | Effort, None, None]:
    while (index := tickets.next_task()) is not None:
        begun, played = time.perf_counter(), 0
        try:
            for item in play(tasks[index], partial(tickets.take, index)):
                played += not isinstance(item, Beat)
                yield item
        except SystemExit as error:  # of an agent, an environment or an attack of the user's
            raise InvalidInput(
                f"code that played called sys.exit({error.code!r}); finished cells are kept: let it raise an error"
            ) from error
        yield Effort(tasks[index].key, played, time.perf_counter() - begun)
