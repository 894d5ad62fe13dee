"""The recipes of victims, in games of one seat and of several."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from rlattack.errors import InvalidInput
from rlattack.training.recipes.recipe import AGENT, AGENTS, SEEDS, Recipe, SeatRecipe, flag, names

Algorithm = Literal["ppo", "a2c", "dqn", "qrdqn", "sac", "td3", "tqc"]
NetworkSize = Literal["tiny", "small", "nature"]
BOTH, EACH = "both", "each"
"""In place of a seat: one learner that plays both, and a learner in each."""


@dataclass(frozen=True, kw_only=True)
class TrainVictim(Recipe):
    """Train a victim with Stable-Baselines3; in games of two seats by self-play, after Bansal et al. 2018.

    If killed, the same command with --resume goes on from its checkpoint. Of Atari, rollout/ep_rew_mean in TensorBoard
    counts signs of rewards up to a lost life, as the learner sees them.

    Raises:
        InvalidInput: A value outside its range, or an option of another kind of game.
        RlattackError: There is no such game, or it cannot be opened.
    """

    algo: Algorithm = "ppo"
    """The learner, with rl-baselines3-zoo's settings: its Atari ones for images (dqn and qrdqn take 3 GB of memory),
    its CartPole ones for vectors. For continuous actions ppo, with normalised observations and the settings of Schulman
    et al. 2017, or sac, td3 and tqc with those of their papers."""
    steps: int | None = None
    """Agent steps to learn from; by default 10,000,000 for Atari, 20,000,000 for games of two seats, 1,000,000 for
    MuJoCo's tasks and 100,000 elsewhere."""
    network: NetworkSize = "small"
    """For images: half the channels of Mnih et al. 2015 (1 MB as shipped), all of them (3.5 MB), or the two layers of
    Mnih et al. 2013 with 128 units and ReLU alone (.7 MB), whose bounds are tight."""
    learning_rate: float | None = None
    """At the start; it falls linearly to 0, but for dqn and qrdqn on images, sac, td3 and tqc. The published one by
    default. In games of two seats it stays as it is, 0.0003 by default."""
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
    opponents: Annotated[str | None, AGENTS] = None
    """Players to learn against, drawn anew for each game, in place of the learner's own past."""
    init: Annotated[str | None, AGENT] = None
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

    verb: ClassVar[str] = "victim"

    def __post_init__(self) -> None:
        """Checks all that can be checked before an agent is loaded."""
        if type(self) is TrainVictim:
            self.settled()
        else:
            super().__post_init__()

    @property
    def name(self) -> str:
        """Last part of the default id of the agent: the algorithm in games of one seat, else `victim`."""
        return self.algo if isinstance(self.settled(), TrainSingle) else self.verb

    def settled(self) -> "TrainSingle | TrainSelfPlay":
        """The same with the defaults of its kind of game, which may only be known once the game is opened."""
        if isinstance(self, TrainSingle | TrainSelfPlay):
            return self
        given = {name: value for name, value in vars(self).items() if value is not None}
        if len(seat_names(self.game)) > 1:
            if self.algo != "ppo" or self.network != "small" or self.sticky is not None:
                raise InvalidInput(f"--algo, --network and --sticky: are for games of one seat, {self.game} has two")
            return TrainSelfPlay(**({"anneal": 0.0} if self.init is not None else {}) | given)
        for name in _OF_SEVERAL_SEATS:
            if given.get(name, False) is not False:
                raise InvalidInput(f"{flag(name)}: is for games of two seats, {self.game} has one")
        steps = given.setdefault("steps", _STEPS.get(self.game.partition("/")[0], 100_000))
        return TrainSingle(**{"checkpoint_every": min(100_000, max(1, steps // 10))} | given)


_STEPS = {"atari": 10_000_000, "mujoco": 1_000_000}
"""Agent steps to learn from, of the families whose games take longer."""
_OF_SEVERAL_SEATS = (
    "seat", "opponents", "init", "delta", "anneal", "sparse", "dense", "snapshot_every", "turns", "batch", "trust",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainSingle(TrainVictim):
    """A `TrainVictim` in a game of one seat, with nothing left to be settled."""

    steps: int = 10_000_000
    envs: int = 8
    checkpoint_every: int = 100_000
    episodes: int = 30

    free: ClassVar[tuple[str, ...]] = ("steps", "checkpoint_every")

    def __post_init__(self) -> None:
        super().__post_init__()
        largest = SEEDS - self.envs  # the copies take the seeds from this one on
        self.expect("seed", f"0 to {largest}", 0 <= self.seed <= largest)
        rate = 1.0 if self.learning_rate is None else self.learning_rate
        self.expect("learning_rate", "a number above 0", 0 < rate < math.inf)
        self.expect("sticky", "a probability in [0, 1)", 0 <= (self.sticky or 0) < 1)


@dataclass(frozen=True, kw_only=True)
class TrainSelfPlay(SeatRecipe, TrainVictim):
    """A `TrainVictim` in a game of several seats, with nothing left to be settled but who sits where."""

    dense: float = 0.01
    delta: float = 0.5
    anneal: float = 0.15
    snapshot_every: int = 5
    turns: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        self.expect("seed", f"0 to {SEEDS - 1}", 0 <= self.seed < SEEDS)
        for name in ("delta", "anneal"):
            self.expect(name, "a share in [0, 1]", 0 <= getattr(self, name) <= 1)
        names(self.opponents)

    def alpha(self, steps: int) -> float:
        """Share of the reward that comes on the way: 1 at first, 0 after the first `anneal` of the steps."""
        return max(0.0, 1 - steps / (self.anneal * self.steps)) if self.anneal else 0.0

    def weights(self, steps: int) -> tuple[float, float]:
        """Weights of what is paid for the end of a game and on the way: (1 - alpha) sparse and alpha dense."""
        alpha = self.alpha(steps)
        return (1 - alpha) * self.sparse, alpha * self.dense


def seat_names(game: str) -> tuple[str, ...]:
    """The seats of a game; opens it where its card does not say.

    Raises:
        RlattackError: There is no such game, or it cannot be opened.
    """
    from rlattack.games import find_game, make_game

    card = find_game(game)
    if card.seats is not None:
        return card.seats
    opened = make_game(card, 1)
    opened.close()
    return tuple(seat.name for seat in opened.seats)
