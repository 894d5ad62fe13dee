"""`rlattack train adversary`: learns to beat a frozen victim, a seed after the other, and ships the best of them."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rlattack.cli.games import Games, outcomes
from rlattack.cli.steps import StepBar, say

if TYPE_CHECKING:
    from rlattack.training import Contest, Session
    from rlattack.training.adversary import Trained

__all__ = ["Adversary"]

_TUNING_SEED, _EVALUATION_SEED = 500, 1000
"""Run seeds of the games by which the best seed is chosen, and of those that are reported."""
_INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Adversary:
    """Train an opponent that makes a frozen victim fail, by PPO with the settings of Gleave et al. 2019.

    Where it differs: a batch is 64 games of 256 steps in place of 8 of 2048, and Stable-Baselines3 does not clip the
    value function.
    """

    game: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="GAME")]
    """Game of two seats, as `rlattack list games` shows: mujoco/you-shall-not-pass."""
    victim: Annotated[str, tyro.conf.arg(metavar="AGENT")]
    """Who is to fail: an agent's id or folder."""
    seat: str | None = None
    """The adversary's, by its name on the game's card; by default the one that the victim was not trained for."""
    steps: int = 20_000_000
    """Agent steps to learn from, each seed."""
    seeds: tuple[int, ...] = (0,)
    """Each trains an adversary from the start, one after the other; the best in tuning games becomes the agent."""
    envs: int = 64
    """Games played at once."""
    threads: int | None = None
    """That step them; one a core by default. Changes no result."""
    batch: int = 16_384
    """Agent steps between two updates, of 4 epochs of 4 minibatches."""
    learning_rate: float = 3e-4
    """Of the whole run."""
    sparse: float = 0.01
    """Weight of the reward that comes for the end of a game."""
    dense: float = 0.0
    """Weight of the reward on the way; 0.1 in the paper's shaped runs."""
    cut: Annotated[tuple[int, float] | None, tyro.conf.arg(metavar="STEPS RATE")] = None
    """Give up a seed that has won less than RATE of its last 500 training games when it gets to STEPS."""
    checkpoint_every: int = 100_000
    """Agent steps between checkpoints; at each, games begin anew, so that a killed run goes on as one that was not."""
    tuning: int = 200
    """Games by which the best of several seeds is chosen."""
    episodes: int = 1000
    """Fresh games whose score goes on the agent's card."""
    init: Annotated[str | None, tyro.conf.arg(metavar="AGENT")] = None
    """Start from this agent's weights, its observation statistics frozen, in place of chance."""
    resume: bool = False
    """Go on from the run's last checkpoints; --steps may be larger than before, and --seeds more."""
    run: Path | None = None
    """Run folder; by default runs/train-<game>-adversary. `tensorboard --logdir` on it shows the curves."""
    agent: Annotated[str | None, tyro.conf.arg(metavar="ID")] = None
    """Id of the agent folder to write under ./agents; by default <game>/adversary."""
    trust: bool = False
    """Load a victim that can only be read by running its code."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        from rlattack.errors import InvalidInput
        from rlattack.evaluation.workers import cores
        from rlattack.training import contest, ship, train_adversaries

        for name in ("episodes", "tuning", "envs"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"--{name}: expected at least 1, got {getattr(self, name)}")
        if self.threads is not None and self.threads < 1:
            raise InvalidInput(f"--threads: expected at least 1, got {self.threads}")
        threads = self.threads or cores()
        against = contest(
            self.game, self.victim, seat=self.seat, init=self.init, envs=self.envs, threads=threads, trust=self.trust
        )
        session = self._session(against, command)
        try:
            with StepBar(self.steps) as bar:
                trained = train_adversaries(session, against, lambda seed, steps, win: bar(steps, _note(seed, win)))
            score = self._judge(session, against, trained)
        except KeyboardInterrupt:
            if not any(session.run.glob("seed-*/checkpoint.pt")):
                raise
            say("\ninterrupted; what was learned is kept, the same command with --resume goes on", stderr=True)
            return _INTERRUPTED
        folder = ship(session, score)
        say(outcomes(score))
        say(f"[bold]{escape(str(folder))}[/bold] can now play: {escape(score['command'])}")
        return 0

    def _session(self, against: "Contest", command: list[str]) -> "Session":
        from rlattack.training import Session, TrainAdversary

        config = TrainAdversary(
            game=self.game, victim=self.victim, victim_sha256="" if against.victim.foreign else against.victim.sha256,
            seat=against.duel.seats[against.seat], steps=self.steps, seeds=self.seeds, envs=self.envs,
            batch=self.batch, learning_rate=self.learning_rate, sparse=self.sparse, dense=self.dense, cut=self.cut,
            checkpoint_every=self.checkpoint_every, init=self.init,
            init_sha256=None if against.init is None else against.init.sha256,
        )  # fmt: skip
        return Session(
            config=config,
            run=self.run or Path("runs") / f"train-{self.game.replace('/', '-')}-adversary",
            agent=self.agent or f"{self.game}/adversary",
            resume=self.resume,
            # as it would be typed to train the agent anew
            command=shlex.join(word for word in command if word != "--resume"),
        )

    def _judge(self, session: "Session", against: "Contest", trained: "list[Trained]") -> dict[str, Any]:
        """Chooses the best seed by tuning games, and plays that one's fresh games; what was played before is kept."""
        from rlattack.training.adversary_session import choose

        tuned = trained if len(trained) > 1 else []
        with StepBar(len(tuned) * self.tuning + self.episodes, "episodes") as bar:
            games = Games(session.run, against.card.id, bar, trust=self.trust)

            def play(agent: Path, episodes: int, seed: int, note: str) -> dict[str, Any]:
                return games(str(agent), self.victim, against.seat, episodes, seed, note)

            tuning = [play(one.folder, self.tuning, _TUNING_SEED, f"choosing, seed {one.seed}") for one in tuned]
            best = choose(session, trained, tuning)
            score = play(session.run / "agent", self.episodes, _EVALUATION_SEED + best.seed, "evaluating")
        if tuned:
            Console().print(_table(trained, tuning))
        players = against.seated(session.agent, self.victim)
        again = ["rlattack", "duel", self.game, "--players", *players, "--episodes", str(self.episodes)]
        return score | {"command": shlex.join([*again, "--seed", str(score["seed"])])}


def _note(seed: int, win: float | None) -> str:
    return f"seed {seed}" + ("" if win is None else f", win rate {win:.2f}")


def _table(trained: "list[Trained]", tuning: list[dict[str, Any]]) -> Table:
    from rlattack.evaluation.series import estimate
    from rlattack.evaluation.tables import percent

    table = Table(title="seeds, by what they won of tuning games")
    for name in ("seed", "steps", "training", "tuning"):
        table.add_column(name, justify="right")
    for one, found in zip(trained, tuning, strict=True):
        table.add_row(
            str(one.seed), f"{one.steps:,}" + (" (cut)" if one.cut else ""),
            "" if one.win is None else f"{100 * one.win:.1f} %", str(percent(estimate(found, "win", "rate"), 1)),
        )  # fmt: skip
    return table
