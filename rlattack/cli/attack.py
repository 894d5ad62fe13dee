"""`rlattack attack` and `rlattack duel`: faces of a study, which is played, shown and written down in one way."""

import shlex
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from rlattack.budget import Unit
from rlattack.cli.progress import EpisodeBar, Stages
from rlattack.errors import InvalidInput, MissingExtra
from rlattack.evaluation.study import Options, Study

if TYPE_CHECKING:
    from rlattack.evaluation import Results


@dataclass(frozen=True, kw_only=True)
class _Command(Options):
    """What every evaluation takes beside the options that results depend on."""

    workers: int | None = None
    """Processes; one a core by default. Changes no result."""
    run: Path | None = None
    """Run folder; by default runs/<game>-<digest of the configuration>."""
    video: bool = False
    """Film episode 0 of every cell."""
    activations: Annotated[str | None, tyro.conf.arg(metavar="SEAT")] = None
    """Play once more and compare what this seat's network does in each cell; the first one is normal play."""
    json: bool = False
    """Print results.json instead of the table."""

    def evaluate(self, study: Study, command: list[str]) -> int:
        """Plays a study, shows what came of it, and writes it down; 1 where an attack left its reach."""
        from rlattack.evaluation import evaluate
        from rlattack.evaluation.plan import plan
        from rlattack.evaluation.results import dumps
        from rlattack.report import print_results
        from rlattack.report.film import check_camera

        planned = plan(study)
        if self.activations is not None:
            from rlattack.inspect.activations import check_activations

            check_activations(planned, self.activations)
        if planned.note:
            _say(planned.note)
        filmed = self.video and _films(lambda: check_camera(planned.cells[0]))
        with ExitStack() as shown:
            bar = shown.enter_context(EpisodeBar(planned, quiet=False))

            def finish(results: "Results") -> None:
                shown.close()
                self._write_down(results, filmed=filmed)

            results = evaluate(
                planned, run=self.run, workers=self.workers, watch=bar.watch, beat=bar.beat, say=_say, finish=finish,
                command=shlex.join(command),
            )  # fmt: skip
        if self.json:
            sys.stdout.write(dumps(results.cells))
        else:
            print_results(results.cells, results.folder)
        return int(not results.ok)

    def _write_down(self, results: "Results", *, filmed: bool) -> None:
        """Leaves films, activations and the page in the run folder."""
        from rlattack.evaluation.executor import cores
        from rlattack.report import write_run
        from rlattack.report.film import film_cells

        workers, videos = self.workers or cores(), results.folder / "videos"
        with Stages(quiet=False) as stages:
            if filmed:
                _films(lambda: film_cells(results.plan.cells, videos, workers, stages, results.fits))
            if self.activations is not None:
                from rlattack.inspect.activations import write_activations

                write_activations(results, self.activations, workers, stages)
        write_run(results.folder, results.cells)


@dataclass(frozen=True, kw_only=True)
class Attack(_Command):
    """Attack a victim and measure how far its win rate and return fall, beside noise of the same size."""

    victim: Annotated[str, tyro.conf.arg(metavar="AGENT")]
    """Agent id, agent folder, Stable-Baselines3 .zip, hf:owner/name, or module:function."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        return self.evaluate(Study.of(self, players=(self.victim,)), command)


@dataclass(frozen=True, kw_only=True)
class Duel(_Command):
    """Let agents play a game of several seats against each other: every pair, seen and hidden, clean and attacked."""

    players: Annotated[tuple[str, ...], tyro.conf.arg(metavar="A[,A2,...] B[,B2,...]")]
    """Who takes seat 0 and who takes seat 1: agent ids, agent folders, `zero` or `random`; several joined by commas."""
    victim: Annotated[str, tyro.conf.arg(metavar="SEAT")] = ""
    """The seat whose players are the rows of the table and the picture; the last one by default."""
    attacked: Annotated[str, tyro.conf.arg(metavar="SEAT")] = ""
    """The seat that the attacks work on; the victim's by default."""
    space: Unit = "raw"
    """Pixels over 255, the game's own range, or standard deviations of what the agent saw in training."""
    episodes: int = 100
    """Games a cell; the same seeds in every cell."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        players = tuple(tuple(names.split(",")) for names in self.players)
        study = Study.of(self, players=players, victim=self.victim, attacked=self.attacked)
        return self.evaluate(study, command)


def _films(work: Callable[[], None]) -> bool:
    """Whether films can be made; where not, one line says why, and the rest goes on."""
    try:
        work()
    except (InvalidInput, MissingExtra) as error:
        _say(f"no video: {error}")
        return False
    return True


def _say(line: str) -> None:
    print(f"rlattack: {line}", file=sys.stderr)  # noqa: T201
