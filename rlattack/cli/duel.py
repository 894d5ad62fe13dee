"""`rlattack duel`: lets players of a two-player game meet, and shows who wins, and what hiding changes."""

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from rlattack.evaluation.duels import DuelPlan

__all__ = ["Duel"]


@dataclass(frozen=True, kw_only=True)
class Duel:
    """Let agents play a two-player game against each other: every pair, seen and hidden from each other."""

    game: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="GAME")]
    """Game to play, as `rlattack list games` shows: mujoco/you-shall-not-pass."""
    players: Annotated[tuple[str, ...], tyro.conf.arg(metavar="A[,A2,...] B[,B2,...]")]
    """Who takes seat 0 and who takes seat 1: agent ids, agent folders, `zero` or `random`; several joined by commas."""
    mask: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SEAT[:initial|zero|noise] ...")] = ("none",)
    """Seats from which the other player is hidden; several are compared, and `none` is one of them."""
    victim: Annotated[str, tyro.conf.arg(metavar="SEAT")] = ""
    """The seat whose players are the rows of the table and the picture; seat 1 by default."""
    actions: Literal["card", "sampled", "greedy"] = "card"
    """How players choose; `card`: as the game's card says."""
    episodes: int = 100
    """Games a cell; the same seeds in every cell."""
    seed: int = 0
    """Of the run: starts and sampled actions come from it."""
    workers: int | None = None
    """Processes; one a core by default. Changes no result."""
    envs: int = 8
    """Games at once in a worker; part of the configuration."""
    run: Path | None = None
    """Run folder; by default runs/<game>-<digest of the configuration>."""
    video: bool = False
    """Film episode 0 of every cell."""
    activations: Annotated[str | None, tyro.conf.arg(metavar="SEAT")] = None
    """Play once more and compare what this seat's network does against each opponent; the first one is normal play."""
    trust: bool = False
    """Load files that can only be read by running their code."""
    json: bool = False
    """Print results.json instead of the table."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        from rich.console import Console

        from rlattack.cli.duel_table import print_duels
        from rlattack.cli.progress import EpisodeBar
        from rlattack.errors import InvalidInput
        from rlattack.evaluation.duels import Duel, evaluate_duel, plan_duel
        from rlattack.evaluation.duels.heatmap import write_heat_map
        from rlattack.evaluation.duels.minds import write_minds
        from rlattack.evaluation.duels.tensorboard import write_duel_events
        from rlattack.evaluation.report import write_report
        from rlattack.evaluation.workers import cores

        if self.workers is not None and self.workers < 1:
            raise InvalidInput(f"--workers: expected at least 1, got {self.workers}")
        planned = plan_duel(
            Duel(
                game=self.game, players=tuple(tuple(names.split(",")) for names in self.players), masks=self.mask,
                actions=self.actions, episodes=self.episodes, seed=self.seed, envs=self.envs, trust=self.trust,
                victim=self.victim,
            )
        )  # fmt: skip
        workers = self.workers or cores()
        with EpisodeBar(planned, quiet=self.json) as bar:
            folder = evaluate_duel(planned, self.run, workers, bar.advance, shlex.join(command), bar.skip)
        if self.video:
            self._film(planned, folder, workers)
        if self.activations is not None:
            with Console(stderr=True, quiet=self.json).status(f"looking into the {self.activations}"):
                write_minds(folder, planned.cells, self.activations, workers)
        cells = json.loads((folder / "results.json").read_text(encoding="utf-8"))["cells"]
        write_duel_events(folder, cells)
        write_heat_map(folder, cells)
        write_report([folder], folder / "report.html")
        if self.json:
            sys.stdout.write((folder / "results.json").read_text(encoding="utf-8"))
        else:
            print_duels(cells, folder)
        return 0

    def _film(self, planned: "DuelPlan", folder: Path, workers: int) -> None:
        """Films; where that cannot be done, one line says why, and the rest goes on."""
        from rich.console import Console

        from rlattack.errors import InvalidInput, MissingExtra
        from rlattack.evaluation.duels.film import film_cells

        console = Console(stderr=True, quiet=self.json)
        try:
            with console.status(f"filming {len(planned.cells)} games"):
                film_cells(planned.cells, folder / "videos", workers)
        except (InvalidInput, MissingExtra) as error:
            print(f"rlattack: no video: {error}", file=sys.stderr)  # noqa: T201
