"""Runs tasks on several cores: one process a core, one torch thread each, episodes handed out one by one."""

import itertools
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any, Protocol, TypeVar

import gymnasium
import torch

from rlattack.errors import InvalidInput, RlattackError
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.processes import collect, running
from rlattack.evaluation.slots import Take
from rlattack.evaluation.spawned import Names, added_names, held_back, set_up
from rlattack.games.gymnasium_ids import env_id, is_of
from rlattack.registry import plugged


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
Say = Callable[[str], None]
"""Hears a line."""
R = TypeVar("R")
Job = Callable[[Path, Say], R]
"""What is done beside others on which it does not depend: by the files of a folder, and it may say how far it is."""


class Executor(Protocol):
    """Where tasks run."""

    def run(self, tasks: Sequence[Task], play: PlayTask[E]) -> Generator[E | Beat | Effort, None, None]:
        """Plays every episode of every task; yields them as they end, in an order that does not matter.

        Whoever closes what it returns, or lets it go, ends the play.

        Raises:
            RlattackError: What went wrong and is the input's fault.
            WorkerDied: A process was ended from outside.
        """

    def each(
        self, jobs: Sequence[Job[R]], cells: Sequence[Cell], folder: Path, say: Say
    ) -> Generator[tuple[int, R], None, None]:
        """Does every job, whichever first; yields what came of each, after its number, as they end.

        Args:
            jobs: Functions that another process can import.
            cells: Whose games, players and attacks they need.
            folder: Holds what they read; another machine has a copy.
            say: Hears what they say.

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
        workers = min(self.workers, sum(task.episodes for task in tasks))
        tickets = _Tickets(tasks, context, workers)
        alone = workers <= 1 and not any(_may_end(task.cell) for task in tasks)
        if alone or held_back(task.cell for task in tasks):
            torch.set_num_threads(1)
            yield from _work(tasks, play, tickets)
            return
        results: Any = context.Queue()
        processes = [
            context.Process(target=_worker, args=(tasks, play, tickets, number, results, added_names()), daemon=True)
            for number in range(workers)
        ]
        with running(processes):
            yield from collect(results, processes, lambda: _death(processes, tickets))

    def each(
        self, jobs: Sequence[Job[R]], cells: Sequence[Cell], folder: Path, say: Say
    ) -> Generator[tuple[int, R], None, None]:
        """Does one job a process; a single one is done in this process. See `Executor.each`."""
        if min(self.workers, len(jobs)) <= 1 or held_back(cells):
            torch.set_num_threads(1)
            yield from ((number, job(folder, say)) for number, job in enumerate(jobs))
            return
        context = multiprocessing.get_context("spawn")
        results: Any = context.Queue()
        begun = context.Value("q", 0)
        processes = [
            context.Process(target=_doer, args=(jobs, folder, begun, results, added_names()), daemon=True)
            for _ in range(min(self.workers, len(jobs)))
        ]
        with running(processes):
            for item in collect(results, processes, lambda: _ended(processes)):
                if isinstance(item, str):
                    say(item)
                else:
                    yield item


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Tickets:
    """Hands out episodes: the same ones whatever the number of workers, in whatever order they come.

    Episode i is played in slot i modulo the number of slots, by whichever worker: float rounding can depend on the
    place of a row in its batch.
    """

    def __init__(self, tasks: Sequence[Task], context: SpawnContext, workers: int = 1) -> None:
        self._tasks, self._lock = tasks, context.Lock()
        self._width = 1 + max(task.cell.envs for task in tasks)
        self._playing: Any = context.Array("q", [-1] * (workers * self._width), lock=False)
        """A worker's task, then the episode in each slot; -1 for none."""
        self._first = [0, *itertools.accumulate(task.cell.envs for task in tasks)]
        self._begun = [
            max(0, -((slot - task.first) // task.cell.envs)) for task in tasks for slot in range(task.cell.envs)
        ]
        """Episodes of each task and slot that are there before it begins."""
        self._taken: Any = context.Array("q", self._begun, lock=False)

    def take(self, task: int, worker: int, slot: int) -> int | None:
        """The next episode of a task for a slot of a worker; None when there is none left."""
        cell, place, own = self._tasks[task].cell, self._first[task] + slot, worker * self._width
        with self._lock:
            episode = slot + cell.envs * int(self._taken[place])
            there = episode < cell.episodes
            self._taken[place] += there
            self._playing[own], self._playing[own + 1 + slot] = task, episode if there else -1
            return episode if there else None

    def played_by(self, worker: int) -> tuple[Cell, list[int]] | None:
        """What a worker plays: the cell and the numbers of its episodes; None for nothing yet."""
        task, *episodes = self._playing[worker * self._width : (worker + 1) * self._width]
        return None if task < 0 else (self._tasks[task].cell, [one for one in episodes if one >= 0])

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


def _death(processes: list[Any], tickets: _Tickets) -> str:
    """Says what a process played that ended without a word, and what may have ended it."""
    ended = {number: process.exitcode for number, process in enumerate(processes) if process.exitcode is not None}
    number, code = max(ended.items(), key=lambda one: one[1] != 0)  # 0 may be one that had nothing left to play
    played = tickets.played_by(number)
    where = "" if played is None else f"game {played[0].game.card.id}, episode {' or '.join(map(str, played[1]))}: "
    return where + _end(code)


def _ended(processes: list[Any]) -> str:
    """Says what may have ended a process that did jobs."""
    return _end(next((process.exitcode for process in processes if process.exitcode), 0))


def _end(code: int) -> str:
    """What an exit code tells of the end of a process that had not said its last word."""
    if code == -getattr(signal, "SIGKILL", 9):
        why = "a worker process was ended from outside, mostly for want of memory"
        way_out = ": run the command again, with fewer --workers"
    else:
        why = f"the code that plays ended the worker process ({f'signal {-code}' if code < 0 else f'exit code {code}'})"
        way_out = ""
    return f"{why}; finished cells are kept{way_out}"


def _may_end(cell: Cell) -> bool:
    """Whether the game is of a package of the user's, which is played apart: it may end the process."""
    if cell.game.card.family != "gymnasium":
        return False
    spec = gymnasium.registry.get(env_id(cell.game.card))  # None of an id that names its package
    return spec is None or any(is_of(spec, module.partition(".")[0]) for module in plugged())


def _worker(
    tasks: Sequence[Task], play: PlayTask[E], tickets: _Tickets, number: int, results: Any, names: Names
) -> None:
    _tell(lambda: _work(tasks, play, tickets, number), results, names)


def _doer(jobs: Sequence[Job[R]], folder: Path, begun: Any, results: Any, names: Names) -> None:
    _tell(lambda: _done(jobs, folder, begun, results.put), results, names)


def _done(jobs: Sequence[Job[R]], folder: Path, begun: Any, say: Say) -> Iterator[tuple[int, R]]:
    """Does jobs that no other process has begun."""
    while True:
        with begun.get_lock():
            number, begun.value = begun.value, begun.value + 1
        if number >= len(jobs):
            return
        yield number, jobs[number](folder, say)


def _tell(work: Callable[[], Iterator[object]], results: Any, names: Names) -> None:
    """Puts what comes of some work into a queue, with an error in place of the rest, and None in the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    parent = os.getppid()
    try:
        set_up(names)
        for item in work():
            results.put(item)
            if os.getppid() != parent:  # the parent was killed
                return
        results.put(None)
    except RlattackError as error:
        results.put(error)
    except BaseException:
        results.put(RuntimeError(traceback.format_exc()))


def _work(
    tasks: Sequence[Task], play: PlayTask[E], tickets: _Tickets, number: int = 0
) -> Generator[E | Beat | Effort, None, None]:
    while (index := tickets.next_task()) is not None:
        begun, played = time.perf_counter(), 0
        try:
            for item in play(tasks[index], partial(tickets.take, index, number)):
                played += not isinstance(item, Beat)
                yield item
        except SystemExit as error:  # of an agent, an environment or an attack of the user's
            raise InvalidInput(
                f"code that played called sys.exit({error.code!r}); finished cells are kept: let it raise an error"
            ) from error
        yield Effort(tasks[index].key, played, time.perf_counter() - begun)
