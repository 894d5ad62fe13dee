"""`rlattack duel`: lets players of a two-player game meet, and shows who wins, and what hiding and attacks change."""

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from rlattack.cli.stages import Stages
    from rlattack.evaluation.duels import DuelPlan

__all__ = ["Duel"]


@dataclass(frozen=True, kw_only=True)
class Duel:
    """Let agents play a two-player game against each other: every pair, seen and hidden, clean and attacked."""

    game: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="GAME")]
    """Game to play, as `rlattack list games` shows: mujoco/you-shall-not-pass."""
    players: Annotated[tuple[str, ...], tyro.conf.arg(metavar="A[,A2,...] B[,B2,...]")]
    """Who takes seat 0 and who takes seat 1: agent ids, agent folders, `zero` or `random`; several joined by commas."""
    mask: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SEAT[:initial|zero|noise] ...")] = ("none",)
    """Seats, by name or number, from which the other player is hidden; several are compared, and `none` is one."""
    victim: Annotated[str, tyro.conf.arg(metavar="SEAT")] = ""
    """The seat whose players are the rows of the table and the picture; seat 1 by default."""
    attack: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME[:key=value,...] ...")] = ()
    """Attacks on what a seat sees, as NAME or NAME:key=value,...; the clean game and the noise control always run."""
    eps: Annotated[tuple[float, ...], tyro.conf.arg(metavar="E ...")] = ()
    """Sizes per entry in units of --space; the number of pixels for --norm l0."""
    norm: Literal["linf", "l2", "l1", "l0"] = "linf"
    """Largest entry, root mean square, mean, or number of pixels."""
    space: Literal["unit", "raw", "sigma"] = "raw"
    """Pixels over 255, the game's own range, or standard deviations of what the agent saw in training."""
    attacked: Annotated[str, tyro.conf.arg(metavar="SEAT")] = ""
    """The seat whose observations are perturbed; the victim's by default."""
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
        from rlattack.cli.duel_table import print_duels, print_likelihoods
        from rlattack.cli.progress import EpisodeBar
        from rlattack.cli.stages import Stages
        from rlattack.errors import InvalidInput
        from rlattack.evaluation.duels import Duel, evaluate_duel, plan_duel
        from rlattack.evaluation.duels.heatmap import write_heat_map
        from rlattack.evaluation.duels.minds import check_minds, read_minds, write_minds
        from rlattack.evaluation.duels.tensorboard import write_duel_events
        from rlattack.evaluation.report import write_report
        from rlattack.evaluation.workers import cores

        if self.workers is not None and self.workers < 1:
            raise InvalidInput(f"--workers: expected at least 1, got {self.workers}")
        planned = plan_duel(
            Duel(
                game=self.game, players=tuple(tuple(names.split(",")) for names in self.players), masks=self.mask,
                actions=self.actions, episodes=self.episodes, seed=self.seed, envs=self.envs, trust=self.trust,
                victim=self.victim, attacks=self.attack, eps=self.eps, norm=self.norm, space=self.space,
                attacked=self.attacked,
            )
        )  # fmt: skip
        if self.activations is not None:
            check_minds(planned.cells, self.activations)
        if planned.note:
            _say(planned.note)
        filmed = self.video and self._has_camera(planned)
        workers = self.workers or cores()
        with EpisodeBar(planned, quiet=self.json) as bar:
            folder = evaluate_duel(planned, self.run, workers, bar.advance, shlex.join(command), bar.skip)
        with Stages(quiet=self.json) as stages:
            if filmed:
                self._film(planned, folder, workers, stages)
            if self.activations is not None:
                write_minds(folder, planned.cells, self.activations, workers, stages)
        cells = json.loads((folder / "results.json").read_text(encoding="utf-8"))["cells"]
        write_duel_events(folder, cells)
        write_heat_map(folder, cells)
        write_report([folder], folder / "report.html")
        if self.json:
            sys.stdout.write((folder / "results.json").read_text(encoding="utf-8"))
        else:
            print_duels(cells, folder)
            if self.activations is not None and (found := read_minds(folder)) is not None:
                print_likelihoods(found)
        return int(any(cell["status"] != "ok" for cell in cells))

    def _has_camera(self, planned: "DuelPlan") -> bool:
        """Whether the game can be filmed; where not, one line says why, and the rest goes on."""
        from rlattack.errors import InvalidInput, MissingExtra
        from rlattack.evaluation.duels.film import check_camera

        try:
            check_camera(planned.cells[0])
        except (InvalidInput, MissingExtra) as error:
            _say(f"no video: {error}")
            return False
        return True

    def _film(self, planned: "DuelPlan", folder: Path, workers: int, stages: "Stages") -> None:
        """Films; what goes wrong then costs the films and nothing else."""
        from rlattack.errors import InvalidInput, MissingExtra
        from rlattack.evaluation.duels.film import film_cells

        try:
            film_cells(planned.cells, folder / "videos", workers, stages)
        except (InvalidInput, MissingExtra) as error:
            _say(f"no video: {error}")


def _say(line: str) -> None:
    print(f"rlattack: {line}", file=sys.stderr)  # noqa: T201
