"""`rlattack perf`: this machine's throughput beside its own limits."""

import dataclasses
import json
import os
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

__all__ = ["Perf"]


@dataclass(frozen=True, kw_only=True)
class Perf:
    """Measure emulator, network, play and attacked play in one run, each beside the bound that its parts set.

    Of a game of two seats: how fast it is stepped, beside MuJoCo alone, and the training of an adversary, beside
    Stable-Baselines3's SubprocVecEnv over single games.
    """

    game: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="GAME")] = "atari/pong"
    """The game."""
    victim: str | None = None
    """Who plays; the first agent listed for the game by default."""
    workers: int | None = None
    """Processes at once; one a core by default."""
    envs: int = 8
    """Episodes at once in a worker."""
    seconds: float = 8.0
    """For each thing measured."""
    trust: bool = False
    """Load files that can only be read by running their code."""
    json: bool = False
    """Print the numbers as JSON."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        from rlattack.errors import InvalidInput
        from rlattack.evaluation.perf import measure
        from rlattack.evaluation.plan import Evaluation, plan
        from rlattack.evaluation.workers import cores
        from rlattack.games import find_game

        if not self.seconds > 0 or (self.workers is not None and self.workers < 1):
            raise InvalidInput(
                f"--seconds and --workers: expected more than 0, got {self.seconds:g} and {self.workers}"
            )
        victim = self.victim or _first_agent(self.game)
        if find_game(self.game).duel:
            return self._duel(victim)
        planned = plan(Evaluation(game=self.game, victim=victim, envs=self.envs, trust=self.trust))
        workers = self.workers or cores()
        console = Console(stderr=True)
        if (load := _load()) > 0.5:
            console.print(
                f"the machine was busy in the last minute (load {load:.1f}); measure it idle, or all is too low",
                highlight=False, soft_wrap=True,
            )  # fmt: skip
        with console.status(f"measuring {victim} in {self.game}, {workers} processes, about {14 * self.seconds:.0f} s"):
            found = measure(
                planned.cells[0].game, planned.cells[0].victim,
                envs=self.envs, workers=workers, seconds=self.seconds,
            )  # fmt: skip
        if self.json:
            plays = {name: {**dataclasses.asdict(play), "share": play.share} for name, play in found.plays.items()}
            sys.stdout.write(json.dumps({**dataclasses.asdict(found), "plays": plays}, indent=1) + "\n")
            return 0
        table = Table(
            title=f"{victim} in {self.game}: {workers} processes of {self.envs} slots; agent steps a second a core"
        )
        for name in ("what", "steps/s", "bound", "share", "resets/1k"):
            table.add_column(name, justify="left" if name == "what" else "right")
        for name, speed in found.parts.items():
            unit = " resets" if name == "reset" else ""
            table.add_row({"reset": "seeded reset"}.get(name, name), f"{speed:,.0f}{unit}")
        for name, play in found.plays.items():
            table.add_row(
                f"{name} play", f"{play.steps_per_second:,.0f}", f"{play.bound:,.0f}", f"{play.share:.2f}",
                f"{1000 * play.resets_per_step:.2f}",
            )  # fmt: skip
        for name, speed in found.others.items():
            ours = found.plays["fgsm" if "fgsm" in name else "clean"].steps_per_second
            table.add_row(name, f"{speed:,.0f}", "", f"ours {ours / speed:.2f}x")
        Console().print(table)
        return 0

    def _duel(self, victim: str) -> int:
        """Compares stepping with MuJoCo alone, and training with the loop that a user would write."""
        from rlattack.evaluation.duels.perf import measure_stepping
        from rlattack.evaluation.workers import cores
        from rlattack.training.speed import measure_training

        with Console(stderr=True).status(f"measuring stepping, and training against {victim}, in {self.game}"):
            stepping = measure_stepping(self.game, victim, seconds=self.seconds)
            training = measure_training(self.game, victim, threads=self.workers or cores(), seconds=self.seconds)
        if self.json:
            said: dict[str, Any] = {"training": {**dataclasses.asdict(training), "ratio": training.ratio}}
            if stepping is not None:
                said["stepping"] = {**dataclasses.asdict(stepping), "share": stepping.share}
            sys.stdout.write(json.dumps(said, indent=1) + "\n")
            return 0
        table = Table(title=f"{victim} in {self.game}: steps a second")
        for name in ("what", "steps/s", "ratio"):
            table.add_column(name, justify="left" if name == "what" else "right")
        if stepping is not None:
            table.add_row(
                "batched games, one core, beside mj_step alone", f"{stepping.batched:,.0f}", f"{stepping.share:.2f}"
            )
            table.add_row("mj_step alone, the same play", f"{stepping.raw:,.0f}", "")
        table.add_row(
            "training in batched games, beside SubprocVecEnv", f"{training.batched:,.0f}", f"{training.ratio:.2f}"
        )
        table.add_row("training in single games in SubprocVecEnv", f"{training.subprocesses:,.0f}", "")
        Console().print(table)
        return 0


def _load() -> float:
    """Mean number of busy processes in the last minute; 0 where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _first_agent(game: str) -> str:
    from rlattack.errors import InvalidInput
    from rlattack.policies.folder import agent_cards

    for name, card in agent_cards():
        if card.game == game:
            return name
    raise InvalidInput(f"no agent for {game} ships with the project: name one with --victim")
