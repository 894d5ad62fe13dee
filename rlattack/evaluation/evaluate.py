"""Evaluates a victim: the clean game, the noise control and the attacks at every budget, on the same episodes."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rlattack.evaluation.judge import Judgement
from rlattack.evaluation.plan import Plan
from rlattack.evaluation.results import cell_result, outcome
from rlattack.evaluation.rollout import Episode
from rlattack.evaluation.run import Run, run_name
from rlattack.evaluation.workers import Effort, Job, play_cells
from rlattack.games.card import GameCard

__all__ = ["Done", "complete", "evaluate", "open_run"]


class Played(Protocol):
    """An episode, of whatever kind."""

    @property
    def cell(self) -> str:
        """The key of its cell."""

    @property
    def episode(self) -> int:
        """Its number."""


class OfGame(Protocol):
    """A cell, of whatever kind."""

    @property
    def game(self) -> GameCard:
        """What is played in it."""


class Planned(Protocol):
    """A plan, of whatever kind."""

    @property
    def cells(self) -> Sequence[OfGame]:
        """All of one game."""

    @property
    def configuration(self) -> dict[str, Any]:
        """What a resumed run must share."""

    @property
    def circumstances(self) -> dict[str, Any]:
        """Versions and hashes."""


C = TypeVar("C", bound=Job)
E = TypeVar("E", bound=Played)
Tell = Callable[[Episode], None]
Done = dict[str, tuple[Sequence[E], float]]
"""Episodes, in order, and seconds of a cell, by its key."""


def evaluate(
    planned: Plan, folder: Path | None, workers: int, tell: Tell, command: str = "", kept: Tell | None = None
) -> Path:
    """Plays what is not finished yet and writes results after every cell.

    Args:
        planned: From `plan`.
        folder: The run folder; None for `runs/<name of the configuration>`.
        workers: Processes.
        tell: Called with every finished `Episode`.
        command: Kept in `config.json`.
        kept: Called instead with those that an earlier call finished.

    Returns:
        The run folder.

    Raises:
        RunConflict: The folder holds another configuration.
        Unwritable: The folder cannot be written.
    """
    run = open_run(planned, folder, command)
    complete(
        run, planned.cells, lambda waiting: play_cells(waiting, planned.shape, workers, run.clips), _episode, tell,
        lambda done: _publish(run, planned, done), kept,
    )  # fmt: skip
    return run.folder


def open_run(planned: Planned, folder: Path | None, command: str) -> Run:
    """Opens the run folder of a plan, by default runs/<name of the configuration>; see `evaluate`."""
    folder = folder or Path("runs") / run_name(planned.cells[0].game.id, planned.configuration)
    return Run(folder, planned.configuration, {"command": command, **planned.circumstances})


def complete(
    run: Run,
    cells: Sequence[C],
    play: Callable[[list[C]], Iterator[E | Effort]],
    read: Callable[[dict[str, Any]], E],
    tell: Callable[[E], None],
    publish: Callable[[Done[E]], None],
    kept: Callable[[E], None] | None = None,
) -> None:
    """Plays the cells of a run that are not finished yet, keeps each as it ends, and publishes those so far.

    Args:
        run: Where finished cells are kept.
        cells: What is to be there at the end.
        play: Plays cells.
        read: Makes an episode of what was kept of it.
        tell: Called with every finished episode.
        publish: Called with the episodes and seconds of what is finished, after every cell.
        kept: Called instead with the episodes that an earlier call finished.
    """
    done: Done[E] = {}
    for cell in cells:
        if (before := run.finished(cell, read)) is not None:
            done[cell.key] = before
            for episode in before[0]:
                (kept or tell)(episode)
    waiting = [cell for cell in cells if cell.key not in done]
    by_key = {cell.key: cell for cell in waiting}
    gathered: dict[str, list[E]] = {key: [] for key in by_key}
    seconds, accounted = dict.fromkeys(gathered, 0.0), dict.fromkeys(gathered, 0)
    for item in play(waiting):
        if not isinstance(item, Effort):
            gathered[item.cell].append(item)
            if len(gathered[item.cell]) < by_key[item.cell].episodes:
                tell(item)
            continue
        seconds[item.cell] += item.seconds
        accounted[item.cell] += item.episodes
        cell = by_key[item.cell]
        if accounted[cell.key] == cell.episodes and cell.key not in done:
            done[cell.key] = (sorted(gathered[cell.key], key=lambda e: e.episode), seconds[cell.key])
            run.keep(cell, *done[cell.key])
            tell(gathered[cell.key][-1])  # only now: who hears that a cell is done may stop at once and lose nothing
            publish(done)
    publish(done)


def _episode(kept: dict[str, Any]) -> Episode:
    judgement = kept["judgement"]
    return Episode(**kept | {"judgement": Judgement(**judgement | {"size": tuple(judgement["size"])})})


def _publish(run: Run, planned: Plan, done: Done[Episode]) -> None:
    clean = done.get(planned.cells[0].key)
    if clean is None:
        return
    ready = [cell for cell in planned.cells if cell.key in done]
    radius = {key: ball.radius for key, ball in planned.balls.items()}
    results = [
        cell_result(cell, done[cell.key][0], clean[0], radius.get(cell.key), done[cell.key][1]) for cell in ready
    ]
    rows = (
        (e.cell, e.episode, e.seed, e.score, outcome(cell.game.win, e.score) or "", e.length, int(e.truncated),
         int(e.stalled))
        for cell in ready for e in done[cell.key][0]
    )  # fmt: skip
    run.publish(results, ("cell", "episode", "seed", "return", "outcome", "length", "truncated", "stalled"), rows)
