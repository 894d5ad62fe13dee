"""Cells and fits as Ray tasks: on one machine or on many, whose files are their own (extra `ray`)."""

import dataclasses
import functools
import hashlib
import importlib
import os
import pickle
import socket
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from rlattack.errors import InvalidInput, MissingExtra, RlattackError, WorkerDied, one_line
from rlattack.evaluation.cell import AgentRef, Cell
from rlattack.evaluation.evaluator import Playing
from rlattack.evaluation.executor import Beat, Effort, Job, PlayTask, Say, Task
from rlattack.evaluation.keys import digest
from rlattack.evaluation.spawned import Names, added_names, held_back, set_up
from rlattack.files import write_whole
from rlattack.policies.lent import Lent, lent
from rlattack.policies.portable import read_portable

E = TypeVar("E")
R = TypeVar("R")
_RETRIES = 5
"""How often a task is begun anew whose worker or node died."""
_PATIENCE = 5.0
"""Seconds in which whoever is at an address must take a connection; Ray itself tries for many minutes."""
_WAY_OUT = "; `ray start --head` begins a cluster and tells its address, --ray local begins one here"
_PARTS = 2
"""Parts that each core plays at least, so that none waits for long in the end."""


@dataclass(frozen=True)
class Freight:
    """What a node is sent once: names, agents and fits.

    Attributes:
        names: What this process knows by name, with the agents that are files, pickled.
        fits: Files of the folder of fits, by name.
        key: Digest of all of it.
    """

    names: Names
    fits: Mapping[str, bytes]
    key: str

    @classmethod
    def of(cls, cells: Sequence[Cell], folder: Path) -> "Freight":
        """Packs what cells need; agents that are functions of modules must be importable on every node."""
        names = added_names()
        refs = {ref for cell in cells for ref in (*cell.players, *(one.surrogate for one in cell.attacks)) if ref}
        agents = {ref.spec: raw for ref in refs if (raw := _packed(ref)) is not None}
        fits = {path.name: path.read_bytes() for path in sorted(folder.glob("*.safetensors"))}
        names = dataclasses.replace(names, agents={**names.agents, **agents})
        told = [f"{ref.spec} {ref.identity}" for ref in refs]
        told += [f"{name} {hashlib.sha256(raw).hexdigest()}" for name, raw in fits.items()]
        told += [repr((names.added, names.plugins, sorted(names.environments)))]
        return cls(names, fits, digest(sorted(told)))


def _packed(ref: AgentRef) -> bytes | None:
    """An agent of a file as it is sent; None for what is no file, or can only be read with another one."""
    if ref.normaliser or ref.learns or lent(ref.spec) is not None:
        return None
    found = read_portable(ref.spec)
    return None if found is None else pickle.dumps(Lent(found, found[0].sha256, ""))


class Ray:
    """Plays cells and learns fits as tasks of a Ray cluster; the numbers are those of one process.

    A task is begun anew where its worker or its node dies, so that no more is lost than what it was playing.

    Args:
        address: Of the cluster, as `ray start` tells it; `local` begins one on this machine.
        gpus: Fraction of a GPU that each task takes.

    Raises:
        MissingExtra: Ray is not installed.
        InvalidInput: Nothing answers there.
    """

    def __init__(self, address: str, *, gpus: float = 0.0) -> None:
        try:
            self._ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise MissingExtra('--ray needs Ray: pip install "rlattack[ray]"') from error
        where = {} if address == "local" else {"address": address}
        quiet = {"log_to_driver": False, "configure_logging": False, "include_dashboard": False if not where else None}
        if not _answers(address):
            raise InvalidInput(f"--ray {address}: nothing answers there{_WAY_OUT}")
        try:
            if not self._ray.is_initialized():
                self._ray.init(**where, **{name: value for name, value in quiet.items() if value is not None})
        except Exception as error:  # of many kinds, by version
            raise InvalidInput(f"--ray {address}: no cluster answers ({one_line(error)[:200]}){_WAY_OUT}") from error
        self._gpus = gpus

    def run(self, tasks: Sequence[Task], play: PlayTask[E]) -> Generator[E | Beat | Effort, None, None]:
        """Plays parts of tasks wherever there is room. See `Executor.run`."""
        self._check(task.cell for task in tasks)
        folder = play.fits if isinstance(play, Playing) else Path()
        freight = self._ray.put(Freight.of([task.cell for task in tasks], folder))
        parts = [(number, part) for number, task in enumerate(tasks) for part in self._cut(task, len(tasks))]
        calls = [functools.partial(_part, task=tasks[number], part=part, play=play) for number, part in parts]
        for place, (items, files, seconds) in self._gathered(freight, calls):
            yield from items
            if isinstance(play, Playing):
                for name, raw in files.items():
                    folder, _, rest = name.partition("/")
                    write_whole({"clips": play.clips, "ledgers": play.ledgers}[folder] / rest, raw)
            yield Effort(tasks[parts[place][0]].key, len(items), seconds)

    def each(
        self, jobs: Sequence[Job[R]], cells: Sequence[Cell], folder: Path, say: Say
    ) -> Generator[tuple[int, R], None, None]:
        """Does every job wherever there is room. See `Executor.each`."""
        if not jobs:
            return
        self._check(cells)
        freight = self._ray.put(Freight.of(cells, folder))
        calls = [functools.partial(_job, job=job) for job in jobs]
        for number, (said, found) in self._gathered(freight, calls):
            for line in said:
                say(line)
            yield number, found

    def _check(self, cells: Any) -> None:
        if why := held_back(cells):
            raise InvalidInput(f"--ray: {why}")

    def _cut(self, task: Task, tasks: int) -> list[range]:
        """Parts of the episodes of a task: whole rounds of its slots, as many as keep all cores busy."""
        cores = int(self._ray.cluster_resources().get("CPU", 1))
        rounds = -(-task.episodes // task.cell.envs)
        parts = min(rounds, max(1, -(-_PARTS * cores // tasks)))
        size = -(-rounds // parts) * task.cell.envs
        return [range(n, min(n + size, task.cell.episodes)) for n in range(task.first, task.cell.episodes, size)]

    def _gathered(self, freight: Any, calls: Sequence[Callable[[Path], Any]]) -> Iterator[tuple[int, Any]]:
        """What comes of calls on a node, after their numbers, as they end."""
        remote = self._ray.remote(_on_node).options(max_retries=_RETRIES, num_gpus=self._gpus, num_cpus=1)
        waiting = {remote.remote(freight, call): number for number, call in enumerate(calls)}
        try:
            while waiting:
                (ready, *_), _ = self._ray.wait(list(waiting), num_returns=1)
                yield waiting.pop(ready), self._got(ready)
        finally:
            for left in waiting:
                self._ray.cancel(left, force=True)

    def _got(self, ready: Any) -> Any:
        """What a task gave, or the error that it met, as its own."""
        try:
            found = self._ray.get(ready)
        except Exception as error:
            cause = getattr(error, "cause", None) or error
            if isinstance(cause, RlattackError):
                raise cause from None
            if type(error).__name__ in ("WorkerCrashedError", "NodeDiedError", "ObjectLostError", "OutOfMemoryError"):
                raise WorkerDied(f"a worker of the cluster died {_RETRIES} times; finished cells are kept") from error
            raise
        if isinstance(found, RlattackError):
            raise found
        return found


def _answers(address: str) -> bool:
    """Whether somebody takes a connection at HOST:PORT; other addresses are Ray's to judge."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return True
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except OSError:
        return False
    return True


def _on_node(freight: Freight, call: Callable[[Path], R]) -> R | RlattackError:
    """Runs on a node: makes what was sent known there, once a process, and calls."""
    place = _unpacked(freight)
    try:
        return call(place)
    except RlattackError as error:
        return error  # whole: Ray would make another kind of it


def _unpacked(freight: Freight) -> Path:
    """The folder of fits of this node."""
    place = Path(tempfile.gettempdir()) / f"rlattack-{os.getuid()}" / freight.key
    for name, raw in freight.fits.items():
        if not (place / name).exists():
            write_whole(place / name, raw)
    place.mkdir(parents=True, exist_ok=True)
    if freight.key not in _known:
        set_up(freight.names)
        _known.add(freight.key)
    torch.set_num_threads(1)
    return place


_known: set[str] = set()
"""Freight that this process has made known."""


def _part(place: Path, *, task: Task, part: range, play: PlayTask[E]) -> tuple[list[E], dict[str, bytes], float]:
    """Plays a part of a task: its episodes, the files that were made of them, and the seconds."""
    begun, slots = time.perf_counter(), task.cell.envs
    waiting = [iter([episode for episode in part if episode % slots == slot]) for slot in range(slots)]
    with tempfile.TemporaryDirectory() as made:
        folder, there = Path(made), play
        if isinstance(play, Playing):
            own: Any = dataclasses.replace(play, clips=folder / "clips", ledgers=folder / "ledgers", fits=place)
            there = own
        items = [item for item in there(task, lambda slot: next(waiting[slot], None)) if not isinstance(item, Beat)]
        found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        clips = part.start == 0  # the first episode is the one that is recorded
        files = {name: path.read_bytes() for name, path in found.items() if clips or not name.startswith("clips/")}
    return items, files, time.perf_counter() - begun


def _job(place: Path, *, job: Job[R]) -> tuple[list[str], R]:
    """Does a job, and what it said."""
    said: list[str] = []
    return said, job(place, said.append)
