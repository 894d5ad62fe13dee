"""`rlattack train victim`: fits an agent, keeps checkpoints, evaluates it, and leaves an agent folder."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.markup import escape

from rlattack.cli.steps import StepBar, say

if TYPE_CHECKING:
    from rlattack.training import Session

__all__ = ["Victim"]

_EVALUATION_SEED = 1000
"""The run seed of the evaluation is so far from that of the training; attacks begin at 0 too."""
_INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Victim:
    """Train a victim with Stable-Baselines3; in games of two seats by self-play, after Bansal et al. 2018.

    If killed, the same command with --resume goes on from its checkpoint.
    """

    game: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="GAME")]
    """Game to learn, as `rlattack list games` shows: atari/pong, gymnasium/CartPole-v1."""
    algo: Literal["ppo", "a2c", "dqn", "qrdqn"] = "ppo"
    """The learner, with rl-baselines3-zoo's settings: its Atari ones for images (dqn and qrdqn take 3 GB of memory),
    its CartPole ones for vectors."""
    steps: int | None = None
    """Agent steps to learn from; 10,000,000 for Atari, 20,000,000 for games of two seats and 100,000 elsewhere by
    default."""
    network: Literal["small", "nature"] = "small"
    """For images: half the channels of Mnih et al. 2015 (1 MB as shipped), or all of them (3.5 MB)."""
    learning_rate: float | None = None
    """At the start; it falls linearly to 0, but for dqn and qrdqn on images. The published one by default.
    In games of two seats it stays as it is, 0.0003 by default."""
    sticky: float | None = None
    """Probability that the emulator repeats the last action; the card's by default."""
    seed: int = 0
    """Of weights, games and exploration."""
    envs: int | None = None
    """Copies of the game played at once; 8, or 64 of a game of two seats, by default."""
    checkpoint_every: int | None = None
    """Agent steps between checkpoints; a tenth of the run, at most 100,000, by default. In a game of two seats 100,000;
    games begin anew at each there, so that a killed run goes on as one that was not."""
    episodes: int | None = None
    """Episodes of the evaluation at the end, whose score goes on the agent's card; 30, or 1000 of a game of two seats,
    by default."""
    seat: str | None = None
    """In games of two seats, as the next ones: the learner's, `both` for one policy that plays both, or `each` for two
    learners that train in turns. In self-play `both` by default, or `each` where the seats are different roles; against
    --opponents the second."""
    opponents: Annotated[str | None, tyro.conf.arg(metavar="A,B,...")] = None
    """Players to learn against, drawn anew for each game, in place of the learner's own past."""
    init: Annotated[str | None, tyro.conf.arg(metavar="AGENT")] = None
    """Start from this agent's weights, its observation statistics frozen, in place of chance."""
    delta: float | None = None
    """Opponents are the learner's versions not older than this share of the steps done; 0.5 by default."""
    anneal: float | None = None
    """Share of the steps in which the reward goes over from what comes on the way to what comes for the end of a game;
    0.15 by default, 0 with --init."""
    sparse: float | None = None
    """Weight of the reward for the end of a game; 0.01 by default."""
    dense: float | None = None
    """Weight of the reward on the way; 0.01 by default."""
    snapshot_every: int | None = None
    """Updates between two versions of the learner that are kept; 5 by default. At most 64 are."""
    turns: int | None = None
    """With `--seat each`: updates of one learner before it is the other's turn; 10 by default."""
    batch: int | None = None
    """Agent steps between two updates; 16,384 by default."""
    threads: int | None = None
    """That step the games; one a core by default. Changes no result."""
    trust: bool = False
    """Load opponents that can only be read by running their code."""
    resume: bool = False
    """Go on from the run's last checkpoint; --steps may be larger than before."""
    run: Path | None = None
    """Run folder; by default runs/train-<game>-<algo>, or -victim for a game of two seats. `tensorboard --logdir` on it
    shows the curves; in Atari rollout/ep_rew_mean counts signs of rewards up to a lost life, as the learner sees
    them."""
    agent: Annotated[str | None, tyro.conf.arg(metavar="ID")] = None
    """Id of the agent folder to write under ./agents; by default <game>/<algo>, or <game>/victim (with `--seat each` a
    folder a seat in it) for a game of two seats."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        from rlattack.cli.train_selfplay import DUEL_ONLY, self_play
        from rlattack.errors import InvalidInput
        from rlattack.games import find_game
        from rlattack.training import ship, train

        if self.episodes is not None and self.episodes < 1:
            raise InvalidInput(f"--episodes: expected at least 1, got {self.episodes}")
        if find_game(self.game).duel:
            return self_play(self, command)
        for name in DUEL_ONLY:
            if getattr(self, name) is not None and getattr(self, name) is not False:
                raise InvalidInput(f"--{name.replace('_', '-')}: is for games of two seats, {self.game} has one")
        session = self._session(command)
        try:
            with StepBar(session.config.steps) as tell:
                trained = train(session, tell)
            score = self._evaluate(session, trained)
        except KeyboardInterrupt:
            if not (session.run / "checkpoint.pt").exists():
                raise
            say("\ninterrupted; what was learned is kept, the same command with --resume goes on", stderr=True)
            return _INTERRUPTED
        folder = ship(session, score)
        low, high = score["ci"]
        say(f"mean return {score['mean']:.1f} [{low:.1f}, {high:.1f}] over {score['episodes']} episodes")
        attack = shlex.join(["rlattack", "attack", self.game, "--victim", session.agent])
        say(f"[bold]{escape(str(folder))}[/bold] can now be attacked: {escape(attack)} --attack fgsm --eps ...")
        return 0

    def _session(self, command: list[str]) -> "Session":
        from rlattack.training import Session, TrainVictim

        steps = self.steps
        if steps is None:
            steps = 10_000_000 if self.game.startswith("atari/") else 100_000
        every = self.checkpoint_every
        if every is None:
            every = min(100_000, max(1, steps // 10))
        config = TrainVictim(
            game=self.game, algorithm=self.algo, steps=steps, envs=8 if self.envs is None else self.envs,
            network=self.network, learning_rate=self.learning_rate, seed=self.seed, sticky=self.sticky,
            checkpoint_every=every,
        )  # fmt: skip
        return Session(
            config=config,
            run=self.run or Path("runs") / f"train-{self.game.replace('/', '-')}-{self.algo}",
            agent=self.agent or f"{self.game}/{self.algo}",
            resume=self.resume,
            # as it would be typed to train the agent anew
            command=shlex.join(word for word in command if word != "--resume"),
        )

    def _evaluate(self, session: "Session", trained: Path) -> dict[str, Any]:
        """Plays the agent as it will be shipped, in half precision, by the game's protocol and away from its seeds."""
        from rlattack.cli.progress import EpisodeBar
        from rlattack.evaluation.evaluate import evaluate
        from rlattack.evaluation.plan import Evaluation, plan
        from rlattack.evaluation.workers import cores

        seed, episodes = _EVALUATION_SEED + self.seed, 30 if self.episodes is None else self.episodes
        planned = plan(
            Evaluation(game=self.game, victim=str(trained), episodes=episodes, seed=seed, sticky=self.sticky)
        )
        folder = session.run / "evaluation" / planned.cells[0].key
        with EpisodeBar(planned, quiet=False) as bar:
            evaluate(planned, folder, cores(), bar.advance)
        (cell,) = json.loads((folder / "results.json").read_text(encoding="utf-8"))["cells"]
        command = ["rlattack", "attack", self.game, "--victim", session.agent, "--episodes", str(episodes)]
        command += ["--seed", str(seed)]
        command += [] if self.sticky is None else ["--sticky", f"{self.sticky:g}"]
        return {
            "mean": cell["return"]["mean"],
            "ci": cell["return"]["ci"],
            **{key: cell[key] for key in ("episodes", "distinct", "actions", "sticky", "seed")},
            "command": shlex.join(command),
        }
