"""Seeds of one recipe that learn at once, a process each: what comes of a seed does not depend on the others."""

import multiprocessing
import os
import queue
import signal
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from rlattack.errors import RlattackError, WorkerDied
from rlattack.evaluation.executor import start
from rlattack.evaluation.spawned import Names, added_names, set_up
from rlattack.training.watch import Trained, Watch

LearnSeed = Callable[[int, Watch], Trained]
"""Lets one seed learn; another process must be able to import it."""


def learn_at_once(learn: LearnSeed, seeds: Sequence[int], steps: int, workers: int, watch: Watch) -> list[Trained]:
    """Lets seeds learn in so many processes, in order as processes become free.

    Args:
        learn: Lets one learn.
        seeds: Which.
        steps: Of each, for how far all are together.
        workers: Processes.
        watch: Hears of all of them together.

    Returns:
        What became of each, in their order.

    Raises:
        RlattackError: What went wrong in one, and is the input's fault.
        WorkerDied: A process was ended from outside.
        KeyboardInterrupt: Ctrl-C, after every seed wrote a checkpoint.
    """
    context = multiprocessing.get_context("spawn")
    said: Any = context.Queue()
    stopping: Any = context.Event()
    begun: Any = context.Value("q", 0)
    names = added_names()
    processes = [
        context.Process(target=_worker, args=(learn, tuple(seeds), begun, said, stopping, names), daemon=True)
        for _ in range(min(workers, len(seeds)))
    ]
    try:
        start(processes)
        heard = _Heard(said, processes, seeds, steps, watch)
        try:
            heard.listen()
        except KeyboardInterrupt:
            stopping.set()
            heard.listen()
            raise
        return [heard.trained[seed] for seed in seeds]
    finally:
        alive = [process for process in processes if process.pid is not None]
        for process in alive:
            process.terminate()
        for process in alive:
            process.join()


class _Heard:
    """What processes tell: how far seeds are, and what became of them."""

    def __init__(self, said: Any, processes: list[Any], seeds: Sequence[int], steps: int, watch: Watch) -> None:
        self._said, self._processes, self._watch = said, processes, watch
        self._done, self._total = dict.fromkeys(seeds, 0), steps * len(seeds)
        self._running = len(processes)
        self.trained: dict[int, Trained] = {}

    def listen(self) -> None:
        """Listens until every process has nothing left to do."""
        while self._running:
            dead = sum(process.exitcode is not None for process in self._processes)
            try:
                item = self._said.get(timeout=1.0)
            except queue.Empty:
                if dead > len(self._processes) - self._running:
                    way_out = "what was learned is kept, the same command with --resume goes on"
                    raise WorkerDied(f"a process that trained was ended from outside; {way_out}") from None
                continue
            if item is None:
                self._running -= 1
            elif isinstance(item, BaseException):
                raise item
            elif isinstance(item, Trained):
                self.trained[item.seed] = item
            else:
                self._hear(*item)

    def _hear(self, seed: int, done: int) -> None:
        self._done[seed] = done
        self._watch.steps(sum(self._done.values()), self._total, f"{len(self._done)} seeds at once")


class _Teller(Watch):
    """Tells the process that waits how far a seed is, and hears when to stop."""

    def __init__(self, seed: int, said: Any, stopping: Any) -> None:
        self._seed, self._said, self._stopping = seed, said, stopping
        self._parent = os.getppid()

    def steps(self, done: int, total: int, note: str = "") -> None:
        self._said.put((self._seed, done))

    @property
    def stops(self) -> bool:
        """Whether somebody pressed Ctrl-C, or the process that waits was killed."""
        return bool(self._stopping.is_set()) or os.getppid() != self._parent


def _worker(learn: LearnSeed, seeds: tuple[int, ...], begun: Any, said: Any, stopping: Any, names: Names) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    try:
        set_up(names)
        while not stopping.is_set() and (seed := _next(seeds, begun)) is not None:
            said.put(learn(seed, _Teller(seed, said, stopping)))
        said.put(None)
    except KeyboardInterrupt:
        said.put(None)
    except RlattackError as error:
        said.put(error)
    except BaseException:
        said.put(RuntimeError(traceback.format_exc()))


def _next(seeds: tuple[int, ...], begun: Any) -> int | None:
    """The first seed that no process has begun with; None where there is none."""
    with begun.get_lock():
        number = int(begun.value)
        begun.value += 1
    return seeds[number] if number < len(seeds) else None
