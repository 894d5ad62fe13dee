"""Plays the program of a grid, run by run, in one store; killed anywhere, the same call goes on."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlattack.benchmark.hits import Scored, won
from rlattack.benchmark.program import Program, Say
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.evaluator import evaluate
from rlattack.evaluation.executor import Executor
from rlattack.evaluation.plan import Plan
from rlattack.evaluation.results import Result
from rlattack.evaluation.run import shared_store
from rlattack.evaluation.store import Store
from rlattack.evaluation.summary import outcome


@dataclass(frozen=True, kw_only=True)
class Played(Scored):
    """A cell that was played, with what came of it.

    Attributes:
        cell: What was asked for.
    """

    cell: Cell


Watch = Callable[[str, Plan], tuple[Callable[[Episode, bool], None], Callable[[str, int], None], Callable[[], None]]]
"""Begins to show a run, by its name: gives what is called with episodes, with steps, and when it ends."""


def play_grid(
    program: Program, folder: Path, *, watch: Watch, workers: int | None = None, executor: Executor | None = None,
    say: Say = lambda line: None, command: str = "",
) -> dict[str, Played]:  # fmt: skip
    """Plays what is not there yet.

    Args:
        program: What to play.
        folder: Of the grid: a run folder for each game and protocol lies in it.
        watch: Shows a run.
        workers: Processes; one a core by default. Changes no result.
        executor: Where cells are played; processes of this machine by default.
        say: Told in a line what is waited for, damaged or learned.
        command: Kept in each `config.json`.

    Returns:
        What was played, by the key of the cell.

    Raises:
        RlattackError: A player or an attack that fails; what was finished is kept.
    """
    store = shared_store(folder)
    found: dict[str, Played] = {}
    for name, planned in program.runs.items():
        see, beat, end = watch(name, planned)
        try:
            results = evaluate(
                planned, run=folder / name, workers=workers, watch=see, beat=beat, say=say, command=command,
                executor=executor, store=store,
            )  # fmt: skip
        finally:
            end()
        found |= collect(planned, results.cells, Store(store, say))
    return found


def there(program: Program, folder: Path, say: Say = lambda line: None) -> Program:
    """The part of a program whose cells are there, each with its clean one."""
    store = Store(shared_store(folder), say)
    kept = {cell.key for cell in program.cells if _is_whole(cell, store)}
    return program.with_cells({cell.key for cell in program.cells if {cell.key, cell.clean.key} <= kept})


def verified(program: Program, folder: Path, say: Say = lambda line: None) -> set[str]:
    """Keys of the cells of a program that were replayed from their ledgers, and of which nothing failed.

    Runs of which nothing was played yet are left out, and cells of which a ledger cannot tell how far the attack went.
    What failed is told in a line each; it may be of a run, and then is none of its cells verified.
    """
    from rlattack.benchmark.verify import verify  # whoever verifies nothing needs none of it

    found: set[str] = set()
    for name, planned in program.runs.items():
        if not (folder / name).exists():
            continue
        say(f"verifying {name}")
        verdict = verify(folder / name, say=say)
        for check in verdict.failed:
            say(f"{name}: {check.name} {check.cell} failed: {check.why}")
        for why, count in Counter(verdict.unmeasured.values()).items():
            say(f"{name}: {count} cells are not verified: {why}")
        found |= {cell.key for cell in planned.cells} & verdict.replayed
    return found


def collect(planned: Plan, results: list[Result], store: Store) -> Mapping[str, Played]:
    """The episodes of cells beside their results."""
    by_key = {cell.key: cell for cell in planned.cells}
    found = {}
    for result in results:
        cell = by_key[result.cell]
        kept = store.read(cell)
        assert kept is not None, "it was played just now"
        seats = [episode.seats[cell.victim] for episode in kept.episodes[: cell.episodes]]
        said = [outcome(cell, seat) for seat in seats]
        found[cell.key] = Played(
            result, np.asarray([seat.score for seat in seats]), won(said),
            kept.seconds * cell.episodes / len(kept.episodes), store.date(cell), cell=cell,
        )  # fmt: skip
    return found


def _is_whole(cell: Cell, store: Store) -> bool:
    kept = store.read(cell)
    return kept is not None and len(kept.episodes) >= cell.episodes
