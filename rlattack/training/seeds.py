"""Seeds of one recipe that learn at once, a process each: what comes of a seed does not depend on the others."""

import contextlib
import dataclasses
import functools
import multiprocessing
import os
import queue
import signal
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rlattack.errors import RlattackError
from rlattack.evaluation.executor import cores
from rlattack.evaluation.processes import collect, running
from rlattack.evaluation.spawned import Names, added_names, set_up
from rlattack.training.recipes import TrainDefended, TrainPerturber
from rlattack.training.watch import Trained, Watch

R = TypeVar("R", TrainDefended, TrainPerturber)

LearnSeed = Callable[[int, Watch], Trained]
"""Lets one seed learn; another process must be able to import it."""


def learn_seeds(
    learn: Callable[[R, str, int, Watch], Trained], recipe: R, command: str, watch: Watch, *,
    here: Callable[[int], Trained], alone: bool = False,
) -> list[Trained]:  # fmt: skip
    """Lets all seeds of a recipe learn: at once in processes of their own, or one after the other in this one.

    Args:
        learn: Lets one learn; another process must be able to import it.
        recipe: What is trained.
        command: Trains it anew.
        watch: Hears of all of them.
        here: Lets one learn in this process.
        alone: Whether no other process can.

    Returns:
        What became of each, in their order.
    """
    workers = min(recipe.workers or cores(), len(recipe.seeds))
    if workers == 1 or alone:
        return [here(seed) for seed in recipe.seeds]
    threads = recipe.threads or max(1, cores() // workers)
    learns = functools.partial(learn, dataclasses.replace(recipe, threads=threads), command)
    return learn_at_once(learns, recipe.seeds, recipe.steps, workers, watch)


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
        KeyboardInterrupt: Ctrl-C, after every seed that was learning wrote a checkpoint.
    """
    context = multiprocessing.get_context("spawn")
    said: Any = context.Queue()
    stopping: Any = context.Event()
    arguments = learn, tuple(seeds), context.Value("q", 0), said, stopping, added_names()
    processes = [context.Process(target=_worker, args=arguments, daemon=True) for _ in range(min(workers, len(seeds)))]
    done, trained = dict.fromkeys(seeds, 0), dict[int, Trained]()
    with running(processes):
        try:
            for item in collect(said, processes, _died):
                if isinstance(item, Trained):
                    trained[item.seed] = item
                else:
                    done |= dict([item])
                    watch.steps(sum(done.values()), steps * len(seeds), f"{len(seeds)} seeds at once")
        except KeyboardInterrupt:
            stopping.set()
            while any(process.is_alive() for process in processes):
                with contextlib.suppress(queue.Empty):  # nobody ends before what it said is taken
                    said.get(timeout=0.1)
            raise
    return [trained[seed] for seed in seeds]


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


def _worker(
    learn: LearnSeed, seeds: tuple[int, ...], begun: Any, said: Any, stopping: Any, names: Names
) -> None:  # fmt: skip
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


def _died() -> str:
    way_out = "what was learned is kept: the same command with --resume goes on, with fewer --workers where memory is"
    return f"a process that trained was ended from outside, mostly for want of memory; {way_out} short"
