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
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import torch

from rlattack.errors import InvalidInput, RlattackError, WorkerDied
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.slots import Take
from rlattack.evaluation.spawned import Names, added_names, set_up

_PATIENCE = 2.0
"""Seconds without a word of a task that is being played."""


@dataclass(frozen=True)
class Task:
    """Episodes of a cell that are to be played."""

    cell: Cell
    first: int
    """The number of the first; those before it are there."""
    episodes: int
    """The number after the last one."""
    envs: int
    """How many episodes are played at once."""

    @property
    def key(self) -> str:
        """Key of the cell, which names the task."""
        return self.cell.key


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


Play = Callable[[Task, Take], Iterator[E | Beat]]


class Executor(Protocol):
    """Where tasks run."""

    def run(self, tasks: Sequence[Task], play: Play[E]) -> Generator[E | Beat | Effort, None, None]:
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

    def run(self, tasks: Sequence[Task], play: Play[E]) -> Generator[E | Beat | Effort, None, None]:
        """Plays every episode of every task; yields them as they end, in an order that does not matter."""
        return share(tasks, play, self.workers)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share(tasks: Sequence[Task], play: Play[E], workers: int) -> Generator[E | Beat | Effort, None, None]:
    """Shares the episodes of tasks out among processes; yields them as they end, in an order that does not matter.

    Args:
        tasks: What to play.
        play: Plays the episodes of one task that it is given; another process must be able to import it.
        workers: Processes, at most one an episode; 1 plays in this one.

    Raises:
        RlattackError: What a worker met that is the input's fault.
        WorkerDied: A worker process was ended from outside.
    """
    if not tasks:
        return
    workers = min(workers, sum(task.episodes - task.first for task in tasks))
    if workers <= 1:
        torch.set_num_threads(1)
        lock = multiprocessing.get_context("spawn").Lock()
        yield from _work(tasks, play, _Tickets(_Tickets.start(tasks), tasks, lock))
        return
    context = multiprocessing.get_context("spawn")
    tickets = _Tickets(context.Array("q", _Tickets.start(tasks), lock=False), tasks, context.Lock())
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


class _Tickets:
    """Hands out episodes: the same ones whatever the number of workers, in whatever order they come.

    Episode i is played in slot i modulo the number of slots, by whichever worker: float rounding can depend on the
    place of a row in its batch.

    Args:
        taken: From `start`, as a list or in shared memory: how many episodes of a task and slot are given.
        tasks: What is played.
        lock: Held while a ticket is given.
    """

    def __init__(self, taken: Any, tasks: Sequence[Task], lock: AbstractContextManager[Any]) -> None:
        self._taken, self._tasks, self._lock = taken, tasks, lock
        self._first = [0, *itertools.accumulate(task.envs for task in tasks)]
        self._begun: list[int] = self.start(tasks)

    @staticmethod
    def start(tasks: Sequence[Task]) -> list[int]:
        """How many episodes of each task and slot are there before it begins."""
        return [max(0, -((slot - task.first) // task.envs)) for task in tasks for slot in range(task.envs)]

    def take(self, task: int, slot: int) -> int | None:
        """The next episode of a task for a slot; None when there is none left."""
        with self._lock:
            place = self._first[task] + slot
            episode = slot + self._tasks[task].envs * int(self._taken[place])
            if episode >= self._tasks[task].episodes:
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
            left = [task.episodes - task.first - count for task, count in zip(self._tasks, taken, strict=True)]
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


def _worker(tasks: Sequence[Task], play: Play[E], tickets: _Tickets, results: Any, names: Names) -> None:
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


def _work(tasks: Sequence[Task], play: Play[E], tickets: _Tickets) -> Generator[E | Beat | Effort, None, None]:
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


class Pulse:
    """Says when nothing was said for a while.

    Args:
        task: Key of the task.
    """

    def __init__(self, task: str) -> None:
        self._task, self._said = task, time.monotonic()

    def quiet(self) -> None:
        """Hears that something was said."""
        self._said = time.monotonic()

    def beat(self, steps: int) -> Beat | None:
        """A beat after a while without a word, else None."""
        if time.monotonic() - self._said < _PATIENCE:
            return None
        self.quiet()
        return Beat(self._task, steps)
