"""`rlattack attack`: plays a victim clean, under noise and under attack, and shows how far it fell."""

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

__all__ = ["Attack"]


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Attack a victim and measure how far its win rate and return fall, beside noise of the same size."""

    game: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="GAME")]
    """Game to play, as `rlattack list games` shows: atari/pong, gymnasium/CartPole-v1."""
    victim: Annotated[str, tyro.conf.arg(metavar="AGENT")]
    """Agent id, agent folder, Stable-Baselines3 .zip, hf:owner/name, or module:function."""
    attack: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME[:key=value,...] ...")] = ()
    """Attacks as NAME or NAME:key=value,...; the clean game and the noise control always run."""
    eps: Annotated[tuple[float, ...], tyro.conf.arg(metavar="E ...")] = ()
    """Sizes per entry in units of --space; the number of pixels for --norm l0."""
    norm: Literal["linf", "l2", "l1", "l0"] = "linf"
    """Largest entry, root mean square, mean, or number of pixels."""
    space: Literal["unit", "raw", "sigma"] = "unit"
    """Pixels over 255, the game's own range, or standard deviations."""
    model: Literal["stack", "frame"] = "stack"
    """Perturb all stacked frames anew each step, or each frame once, when it is newest."""
    grid: bool = False
    """Keep perturbed pixels whole bytes."""
    surrogate: Annotated[str | None, tyro.conf.arg(metavar="AGENT")] = None
    """Craft on this agent instead of the victim (transfer)."""
    actions: Literal["card", "sampled", "greedy"] = "card"
    """How the victim chooses; `card`: as the game's card says, which for those that act by Q values means greedy."""
    sticky: float | None = None
    """Probability that the emulator repeats the last action; the card's by default."""
    episodes: int = 20
    """Episodes a cell; the same seeds in every cell."""
    seed: int = 0
    """Of the run: starts, sampled actions and random attacks come from it."""
    workers: int | None = None
    """Processes; one a core by default. Changes no result."""
    envs: int = 8
    """Episodes at once in a worker; part of the configuration."""
    run: Path | None = None
    """Run folder; by default runs/<game>-<digest of the configuration>."""
    trust: bool = False
    """Load files that can only be read by running their code."""
    json: bool = False
    """Print results.json instead of the table."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        from rlattack.cli.progress import EpisodeBar
        from rlattack.cli.table import print_results
        from rlattack.errors import InvalidInput
        from rlattack.evaluation.evaluate import evaluate
        from rlattack.evaluation.plan import Evaluation, plan
        from rlattack.evaluation.report import write_report
        from rlattack.evaluation.tensorboard import write_tensorboard
        from rlattack.evaluation.workers import cores

        if self.workers is not None and self.workers < 1:
            raise InvalidInput(f"--workers: expected at least 1, got {self.workers}")
        planned = plan(
            Evaluation(
                game=self.game, victim=self.victim, attacks=self.attack, eps=self.eps, norm=self.norm, space=self.space,
                model=self.model, grid=self.grid, surrogate=self.surrogate, actions=self.actions, sticky=self.sticky,
                episodes=self.episodes, seed=self.seed, envs=self.envs, trust=self.trust,
            )
        )  # fmt: skip
        workers = self.workers or cores()
        with EpisodeBar(planned, quiet=self.json) as bar:
            folder = evaluate(planned, self.run, workers, bar.advance, shlex.join(command), bar.skip)
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        names = planned.circumstances["action_names"]
        write_tensorboard(folder, results["cells"], folder / "clips", names)
        write_report([folder], folder / "report.html")
        if self.json:
            sys.stdout.write((folder / "results.json").read_text(encoding="utf-8"))
        else:
            print_results(results["cells"], folder)
        return int(any(cell["status"] != "ok" for cell in results["cells"]))
