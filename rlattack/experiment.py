"""An experiment: a study that is played before one's eyes and written down, from a program as from the command line."""

import dataclasses
import io
import sys
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlattack.errors import InvalidInput, MissingExtra, told
from rlattack.evaluation import Results, Study
from rlattack.evaluation import evaluate as play
from rlattack.evaluation.evaluator import processes
from rlattack.evaluation.plan import Plan, plan
from rlattack.inspect.activations import check_activations, write_activations
from rlattack.report import print_results, write_run
from rlattack.report.condition import Condition, Verdict
from rlattack.report.film import check_camera, film_cells
from rlattack.report.progress import EpisodeBar, Stages
from rlattack.report.rows import Row, rows
from rlattack.report.runs import RunRecord, read_config
from rlattack.report.trackers import TRACKERS, check_tracker

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import Console


@dataclass(frozen=True)
class Experiment(Results):
    """What came of a study, and the ways to look at it."""

    def to_dicts(self) -> list[Row]:
        """A flat row a cell: who played, the attack and its size, return, win rate, drops and their intervals."""
        return rows(self.cells)

    def to_frame(self) -> "DataFrame":
        """The rows of `to_dicts` as a pandas table.

        Raises:
            MissingExtra: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtra("a frame needs pandas: pip install pandas; to_dicts() is the same without") from error
        return pandas.DataFrame(self.to_dicts())

    def verdicts(self, condition: str) -> list[Verdict]:
        """What a condition such as `"return_drop > 50 and eps <= 0.1"` says of each attack, as `--fail-if` does.

        Args:
            condition: Comparisons of columns of `to_dicts` and numbers, joined by `and` and `or`.

        Returns:
            One a cell with an attack that is no control; `fails` where it holds or lacks a number that decides it.

        Raises:
            InvalidInput: What is no condition, or a name that none of these cells has.
            UnknownName: A name that no cell ever has.
        """
        return Condition(condition).verdicts(self.cells)

    def show(self, console: "Console | None" = None) -> None:
        """Prints the table that the command line prints; in a notebook it is a table of the page."""
        print_results(self.cells, self.folder, console)

    def report(self, *, open: bool = False) -> Path:  # what it does
        """Writes `report.html` anew, one page with no other file.

        Args:
            open: Shows it in the browser, too.

        Returns:
            The page.
        """
        write_run(self.folder, self.cells)
        page = self.folder / "report.html"
        if open:
            webbrowser.open(page.absolute().as_uri())
        return page

    @property
    def record(self) -> RunRecord:
        """The run folder as it lies on the disk, as `rlattack.report.trackers` logs it."""
        return RunRecord(self.folder, tuple(self.cells), read_config(self.folder))

    def track(self, tracker: str, **more: Any) -> str:
        """Logs what came of it to a tracker: the configuration, the numbers of each cell, and the page.

        Args:
            tracker: `wandb` or `mlflow`, which take where to and who from their own environment variables.
            more: Arguments of `wandb.init` or `mlflow.start_run`.

        Returns:
            Where it lies there.

        Raises:
            UnknownName: No tracker of that name.
            MissingExtra: It is not installed.
            InvalidInput: What it refuses.
        """
        check_tracker(tracker)
        return TRACKERS[tracker](self.record, **more)

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        from rich.console import Console

        console = Console(record=True, file=io.StringIO(), width=160, force_jupyter=False)
        self.show(console)
        return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")


def evaluate(
    study: Study | Plan, *, run: Path | str | None = None, workers: int | None = None, video: bool = False,
    activations: str | None = None, progress: bool = True, command: str = "",
) -> Experiment:  # fmt: skip
    """Plays a study: the clean game, the control and the attacks at every size, on the same episodes.

    What was played before is not played again; killed, the same call goes on. The run folder is written as the command
    `rlattack attack` writes it: results.json, episodes.csv, TensorBoard events, report.html.

    Args:
        study: What to evaluate, or the plan of it.
        run: The run folder; by default runs/<game>-<digest of the study>.
        workers: Processes; one a core by default. Changes no result.
        video: Films episode 0 of every cell.
        activations: A seat (its name or number): plays once more and compares what its network does in each cell.
        progress: Shows how far it is.
        command: Kept in `config.json`; by default the call.

    Raises:
        RlattackError: What does not fit, in one line, before anything is played.
        RunConflict: The folder holds another configuration.
        Unwritable: The folder cannot be written.

    >>> from rlattack import Study, evaluate
    >>> study = Study(
    ...     game="gymnasium/CartPole-v1", players="gymnasium/CartPole-v1/dqn", attack="fgsm", eps=0.2, space="raw",
    ...     episodes=4,
    ... )
    >>> results = evaluate(study, workers=1, progress=False)
    >>> [(row["attack"], row["return"]) for row in results.to_dicts()][0]
    ('none', 500.0)
    >>> results.report().name
    'report.html'
    """
    planned = _planned(study, activations)
    filmed = video and _films(lambda: check_camera(planned.cells[0]))
    with ExitStack() as shown:
        bar = shown.enter_context(EpisodeBar(planned, quiet=not progress))

        def finish(results: Results) -> None:
            shown.close()
            with Stages(quiet=not progress) as stages:
                _write_down(results, stages, processes(planned, workers), activations, filmed=filmed)

        results = play(
            planned, run=None if run is None else Path(run), workers=workers, watch=bar.watch, beat=bar.beat,
            say=_say, finish=finish, command=command or f"rlattack.evaluate({_spelled(study)})",
        )  # fmt: skip
    return Experiment(**{field.name: getattr(results, field.name) for field in dataclasses.fields(results)})


def _planned(study: Study | Plan, activations: str | None) -> Plan:
    """The plan of a study, and what is to be said of it before it is played."""
    planned = plan(study) if isinstance(study, Study) else study
    if activations is not None:
        check_activations(planned, activations)
    if planned.note:
        _say(planned.note)
    return planned


def _write_down(results: Results, stages: Stages, workers: int, activations: str | None, *, filmed: bool) -> None:
    """Leaves films, activations and the page in the run folder."""
    if filmed:
        _films(lambda: film_cells(results.plan.cells, results.folder / "videos", workers, stages, results.fits))
    if activations is not None:
        write_activations(results, activations, workers, stages)
    write_run(results.folder, results.cells)


def _spelled(study: Study | Plan) -> str:
    """A study as a program spells it: what differs from the defaults; a plan by its name."""
    if isinstance(study, Plan):
        return f"plan: {study.name}"
    fields = [(field, getattr(study, field.name)) for field in dataclasses.fields(study)]
    return f"Study({', '.join(f'{field.name}={value!r}' for field, value in fields if value != field.default)})"


def _films(work: Callable[[], None]) -> bool:
    """Whether films can be made; where not, one line says why, and the rest goes on."""
    try:
        work()
    except (InvalidInput, MissingExtra) as error:
        _say(f"no video: {error}")
        return False
    return True


def _say(line: str) -> None:
    print(f"rlattack: {told(line)}", file=sys.stderr)  # noqa: T201
