"""`rlattack train`: fits a victim, keeps checkpoints, evaluates it, and leaves an agent folder."""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Train"]


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a victim with Stable-Baselines3; killed, the same command with --resume goes on from the last checkpoint."""

    role: tyro.conf.Positional[Literal["victim"]]
    """What to train."""
    game: tyro.conf.Positional[str]
    """The game to learn."""
    algo: Literal["ppo", "a2c", "dqn", "qrdqn"] = "ppo"
    """The learner, with the settings published for Atari, or Stable-Baselines3's defaults elsewhere."""
    steps: int | None = None
    """Agent steps to learn from; 10,000,000 for Atari and 100,000 elsewhere by default."""
    network: Literal["small", "nature"] = "small"
    """Half the channels of Mnih et al. 2015 (0.9 MB as shipped), or all of them (3.4 MB)."""
    learning_rate: float | None = None
    """At the start, falling linearly to 0 (ppo, a2c) or constant (dqn, qrdqn); the published one by default."""
    sticky: float | None = None
    """Probability that the emulator repeats the last action; the card's by default."""
    seed: int = 0
    """Of weights, games and exploration."""
    envs: int = 8
    """Copies of the game played at once."""
    checkpoint_every: int = 100_000
    """Agent steps between checkpoints."""
    episodes: int = 30
    """Episodes of the evaluation at the end, whose score goes on the agent's card."""
    resume: bool = False
    """Go on from the run's last checkpoint."""
    run: Path | None = None
    """Run folder; by default runs/train-<game>-<algo>."""
    agent: Annotated[str | None, tyro.conf.arg(metavar="ID")] = None
    """Id of the agent folder to write; by default <game>/<algo>."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        from rlattack.training.session import Session, train_and_evaluate
        from rlattack.training.victim import TrainVictim

        atari = self.game.startswith("atari/")
        config = TrainVictim(
            game=self.game, algorithm=self.algo, steps=self.steps or (10_000_000 if atari else 100_000), envs=self.envs,
            network=self.network, learning_rate=self.learning_rate, seed=self.seed, sticky=self.sticky,
            checkpoint_every=self.checkpoint_every,
        )  # fmt: skip
        run = self.run or Path("runs") / f"train-{self.game.replace('/', '-')}-{self.algo}"
        agent = self.agent or f"{self.game}/{self.algo}"
        session = Session(
            config=config, run=run, agent=agent, episodes=self.episodes, resume=self.resume, command=shlex.join(command)
        )
        with _bar(config.steps) as tell:
            folder = train_and_evaluate(session, tell)
        score = json.loads((run / "score.json").read_text(encoding="utf-8"))
        low, high = score["ci"]
        console = Console()
        console.print(
            f"mean return {score['mean']:.1f} [{low:.1f}, {high:.1f}] over {score['episodes']} episodes",
            highlight=False,
        )
        console.print(
            f"[bold]{folder}[/bold] can now be attacked: rlattack attack {self.game} --victim {agent} ...",
            highlight=False,
        )
        return 0


class _bar:  # noqa: N801  # reads as a statement
    """A progress bar over training steps."""

    def __init__(self, total: int) -> None:
        self._bar = Progress(
            TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("steps"), TimeRemainingColumn(),
            console=Console(stderr=True),
        )  # fmt: skip
        self._task = self._bar.add_task("", total=total)
        self._told = 0

    def __enter__(self) -> Callable[[int], None]:
        self._bar.start()
        return self._tell

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._bar.stop()

    def _tell(self, steps: int) -> None:
        self._bar.update(self._task, completed=steps)
        if not self._bar.console.is_terminal and steps - self._told >= 100_000:
            self._told = steps
            self._bar.console.print(f"{steps:,} steps", highlight=False, soft_wrap=True)
