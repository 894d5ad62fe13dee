"""Plays a study: the clean game, the control and the attacks at every size, on the same episodes."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlattack.attacks.imitation import agreement_words
from rlattack.device import CPU
from rlattack.errors import InvalidInput, RunConflict
from rlattack.evaluation.bookkeeper import Bookkeeper, keep_ledger, kept_episodes, ledger_path
from rlattack.evaluation.bounded import held
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.executor import Beat, Effort, Executor, Local, Task, cores
from rlattack.evaluation.fits import read_fit
from rlattack.evaluation.observers import make_observers
from rlattack.evaluation.plan import Plan, plan
from rlattack.evaluation.play import play_episodes
from rlattack.evaluation.prepare import prepare
from rlattack.evaluation.recorder import Recorder
from rlattack.evaluation.results import Result
from rlattack.evaluation.run import Row, Run
from rlattack.evaluation.slots import Take
from rlattack.evaluation.spawned import held_back
from rlattack.evaluation.store import Kept, Store
from rlattack.evaluation.study import Study
from rlattack.evaluation.summary import outcome, summarise


@dataclass(frozen=True)
class Results:
    """What came of a study."""

    cells: list[Result]
    """In the order of the plan."""
    folder: Path
    plan: Plan
    fits: Path
    """Folder of what attacks learned, for whoever plays cells once more."""

    @property
    def ok(self) -> bool:
        """Whether every cell was measured and kept its reach."""
        return all(cell.ok for cell in self.cells)


def evaluate(
    study: Study | Plan,
    *,
    run: Path | None = None,
    workers: int | None = None,
    watch: Callable[[Episode, bool], None] = lambda episode, kept: None,
    beat: Callable[[str, int], None] = lambda cell, steps: None,
    say: Callable[[str], None] = lambda line: None,
    finish: Callable[[Results], None] = lambda results: None,
    command: str = "",
    executor: Executor | None = None,
    store: Path | None = None,
) -> Results:
    """Plays what is not there yet, and writes results as cells end; the run folder shows the cells of this study alone.

    Args:
        study: What to evaluate, or the plan of it.
        run: The run folder; by default runs/<game>-<digest of the study>.
        workers: Processes; one a core by default. Changes no result.
        watch: Called with every finished episode, and whether an earlier call had played it.
        beat: Called now and then with a cell's key and the steps played, where no episode of it ends for long.
        say: Told in a line what is waited for, what is damaged, and what attacks learn before anything is played.
        finish: Called with what came of it, while no other command may write the run folder.
        command: Kept in `config.json`.
        executor: Where cells are played; processes of this machine by default.
        store: Where cells lie; by default runs under `runs/` share theirs, another folder has its own.

    Raises:
        RlattackError: What does not fit, in one line.
        RunConflict: The folder holds another configuration.
        Unwritable: The folder cannot be written.
    """
    planned = plan(study) if isinstance(study, Study) else study
    workers = processes(planned, workers)
    folder = run or Path("runs") / planned.name
    with Run(folder, planned.configuration, {"command": command, **planned.circumstances}, say, store) as place:
        shelf = Store(place.store, say)
        book = _Book(planned, place, shelf, say)
        waiting = book.open(watch)
        executor = executor or Local(workers)
        prepare(planned.cells, shelf.fits, say, executor)
        _say_if_alone(executor, waiting, say)
        play = Playing(shelf.clips, shelf.fits, shelf.ledgers)
        with contextlib.closing(executor.run(waiting, play)) as items:
            _gather(book, waiting, items, watch, beat)
        if waiting:
            book.publish()
        results = Results(book.results, folder, planned, shelf.fits)
        finish(results)
    return results


def _say_if_alone(executor: Executor, waiting: Sequence[Task], say: Callable[[str], None]) -> None:
    """Says why one process plays where several were to."""
    several = bool(waiting) and isinstance(executor, Local) and executor.workers > 1
    if several and (why := held_back(task.cell for task in waiting)):
        say(f"plays in one process: {why}")


def processes(planned: Plan, asked: int | None) -> int:
    """How many processes play: as many as were asked for, or one a core; one where a GPU does the work.

    Raises:
        InvalidInput: None, or several for one GPU.
    """
    if asked is not None and asked < 1:
        raise InvalidInput(f"--workers: expected at least 1, got {asked}")
    if all(cell.device == CPU for cell in planned.cells):
        return asked or cores()
    if asked is not None and asked > 1:
        raise InvalidInput(f"--workers: expected 1 with a --device, which one process feeds, got {asked}; raise --envs")
    return 1


class _Book:
    """Keeps cells as they end, and their results; holds no episodes."""

    def __init__(self, planned: Plan, run: Run, store: Store, say: Callable[[str], None]) -> None:
        self._plan, self._run, self._store, self._say = planned, run, store, say
        self._built: dict[str, Result] = {}
        self._waiting: dict[str, list[Cell]] = {}
        self._cells = {cell.key: cell for cell in planned.cells}

    @property
    def results(self) -> list[Result]:
        """Of the cells so far, in the order of the plan."""
        there = [cell for cell in self._plan.cells if cell.key in self._built]
        return held(there, [self._built[cell.key] for cell in there], lambda cell: self._kept(cell).episodes)

    def open(self, watch: Callable[[Episode, bool], None]) -> list[Task]:
        """Takes over what is there, and returns what is still to be played."""
        tasks = []
        for cell in self._plan.cells:
            kept = self._store.read(cell)
            there = 0 if kept is None else min(len(kept.episodes), cell.episodes)
            if cell.ledger:  # what has no ledger is played again
                there = min(there, kept_episodes(self._store.ledgers, cell))
            for episode in [] if kept is None else kept.episodes[:there]:
                watch(episode, True)
            if there == cell.episodes:
                self._build(cell)
            else:
                tasks.append(Task(cell, there))
        self.publish()
        return tasks

    def keep(self, cell: Cell, episodes: Sequence[Episode], seconds: float) -> None:
        """Keeps the episodes of a cell that ended beside those that were there, and publishes it."""
        self._store.keep(cell, Kept(list(episodes), seconds))
        if cell.ledger:
            keep_ledger(self._store.ledgers, cell, self._kept(cell).episodes)
        self._build(cell)
        self._run.add(lambda: self.results, _rows(cell, self._kept(cell).episodes))

    def publish(self) -> None:
        """Publishes everything in the order of the plan."""
        there = (cell for cell in self._plan.cells if cell.key in self._built)
        self._run.publish(self.results, (row for cell in there for row in _rows(cell, self._kept(cell).episodes)))

    def _build(self, cell: Cell) -> None:
        """Builds the result of a cell that is there, once its clean one is, and of those that waited for it."""
        clean = cell.clean.key
        if clean != cell.key and clean not in self._built:
            self._waiting.setdefault(clean, []).append(cell)
            return
        kept, before = self._kept(cell), self._kept(self._cells[clean])
        self._built[cell.key] = summarise(
            cell,
            kept.episodes,
            before.episodes,
            self._plan.radii[cell.key],
            kept.seconds,
            self._notes(cell),
            self._facts(cell),
            {key: self._read_facts(key) for key in cell.players[cell.victim].fits if key is not None},
        )
        if (said := self._built[cell.key].published) is not None and said.note:
            self._say(said.note)
        self._run.show(self._store.clips / f"{cell.key}.npz")
        if cell.ledger:
            self._run.show_ledger(ledger_path(self._store.ledgers, cell), cell.episodes)
        for other in self._waiting.pop(cell.key, []):
            self._build(other)

    def _notes(self, cell: Cell) -> list[str]:
        """What each attack says of its parameters, and how well what it is crafted on imitates the victim."""
        notes = []
        for ref, note in zip(cell.attacks, self._plan.notes[cell.key], strict=True):
            said = [note] if note else []
            if ref.surrogate is not None and ref.surrogate.learns:
                with contextlib.suppress(ValueError):  # damaged: it is learned again before anything is played
                    if (learned := read_fit(self._store.fits, ref.surrogate.identity)) is not None:
                        said.append(f"{ref.surrogate.name} {agreement_words(learned)}")
            notes.append("; ".join(said))
        return notes

    def _facts(self, cell: Cell) -> list[Mapping[str, Any]]:
        """What each attack learned, as far as it is facts; none of what is learned again before anything is played."""
        return [{} if ref.fit is None else self._read_facts(ref.fit) for ref in cell.attacks]

    def _read_facts(self, key: str) -> Mapping[str, Any]:
        learned = None
        with contextlib.suppress(ValueError):
            learned = read_fit(self._store.fits, key)
        return {} if learned is None else learned.facts

    def _kept(self, cell: Cell) -> Kept:
        """The episodes of a cell that was kept, as many as the study asks for."""
        kept = self._store.read(cell)
        if kept is None or len(kept.episodes) < cell.episodes:
            raise RunConflict(
                f"{self._store.folder}: cell {cell.key} was removed or damaged while the run played; run it again"
            )
        share = cell.episodes / len(kept.episodes)
        return Kept(kept.episodes[: cell.episodes], kept.seconds * share)


def _gather(
    book: _Book, tasks: Sequence[Task], items: Iterator[Episode | Beat | Effort],
    watch: Callable[[Episode, bool], None], beat: Callable[[str, int], None],
) -> None:  # fmt: skip
    """Keeps each cell when all its episodes have come and all its workers are done with it."""
    by_key = {task.key: task for task in tasks}
    gathered: dict[str, list[Episode]] = {}
    seconds, accounted = dict.fromkeys(by_key, 0.0), dict.fromkeys(by_key, 0)
    for item in items:
        if isinstance(item, Beat):
            beat(item.task, item.steps)
        elif isinstance(item, Effort):
            task = by_key[item.task]
            seconds[task.key] += item.seconds
            accounted[task.key] += item.episodes
            if task.key in gathered and accounted[task.key] == task.episodes:
                episodes = gathered.pop(task.key)
                book.keep(task.cell, sorted(episodes, key=lambda one: one.episode), seconds[task.key])
                watch(episodes[-1], False)  # only now: who hears that a cell is done may stop at once and lose nothing
        else:
            task = by_key[item.cell]
            gathered.setdefault(task.key, []).append(item)
            if len(gathered[task.key]) < task.episodes:
                watch(item, False)


@dataclass(frozen=True)
class Playing:
    """Plays episodes of cells, keeps their ledgers, and records the beginning of episode 0 where it is attacked.

    Attributes:
        clips: Folder of the records.
        fits: Folder of what attacks and fronts learned.
        ledgers: Folder of the ledgers.
    """

    clips: Path
    fits: Path
    ledgers: Path

    def __call__(self, task: Task, take: Take) -> Iterator[Episode | Beat]:
        """Plays the episodes of a task that `take` hands out."""
        recorders = [Recorder(attack.seat) for attack in task.cell.attacks[:1]]
        keepers = [Bookkeeper(task.cell, self.ledgers)] * task.cell.ledger
        yield from play_episodes(task.cell, take, [*make_observers(task.cell), *recorders, *keepers], fits=self.fits)
        for recorder in recorders:
            recorder.save(self.clips / f"{task.key}.npz")


def _rows(cell: Cell, episodes: Sequence[Episode]) -> Iterator[Row]:
    for one in episodes:
        for number, seat in enumerate(one.seats):
            yield (
                cell.key, one.episode, one.seed, cell.seats[number], cell.players[number].name, seat.score,
                outcome(cell, seat) or "", one.length, one.ending, int(one.truncated), int(one.stalled),
            )  # fmt: skip
