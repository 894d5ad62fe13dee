"""`rlattack attack` and `rlattack duel`: faces of a study, which is played, shown and written down in one way."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from rlattack.budget import Unit
from rlattack.cli.pipeline import Pipeline
from rlattack.evaluation.study import Options, Study


@dataclass(frozen=True, kw_only=True)
class Command(Pipeline, Options):
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
        """Plays a study, shows what came of it, and writes it down.

        Returns:
            1 where an attack left its reach, or where what `--fail-if` says holds or cannot be decided.
        """
        from rlattack.evaluation.plan import plan
        from rlattack.evaluation.results import dumps
        from rlattack.experiment import evaluate

        self.check_trackers()
        condition = self.condition
        planned = plan(study)
        if condition is not None:
            condition.check(planned)
        results = evaluate(
            planned, run=self.run, workers=self.workers, video=self.video, activations=self.activations,
            command=shlex.join(command),
        )  # fmt: skip
        if self.json:
            sys.stdout.write(dumps(results.cells))
        else:
            results.show()
        failed = self.fails(condition, results.cells) or not results.ok
        self.log(results.record)
        return int(failed)


@dataclass(frozen=True, kw_only=True)
class Attack(Command):
    """Attack a victim and measure how far its win rate and return fall, beside noise of the same size."""

    victim: Annotated[tuple[str, ...], tyro.conf.arg(metavar="AGENT ...")]
    """Agent id, agent folder, Stable-Baselines3 .zip, hf:owner/name, or module:function; several are compared."""

    @property
    def study(self) -> Study:
        """What is played."""
        return Study.of(self, players=(self.victim,))

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        return self.evaluate(self.study, command)


@dataclass(frozen=True, kw_only=True)
class Duel(Command):
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
