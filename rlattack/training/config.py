"""What a training run is: everything that its result depends on."""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rlattack.errors import InvalidInput

__all__ = [
    "ALGORITHMS",
    "MINIBATCHES",
    "Algorithm",
    "NetworkSize",
    "TrainAdversary",
    "TrainDuelist",
    "TrainSelfPlay",
    "TrainVictim",
]

Algorithm = Literal["ppo", "a2c", "dqn", "qrdqn"]
NetworkSize = Literal["small", "nature"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
_SEEDS = 2**31
"""Seeds of games lie below (ale-py takes no others)."""
MINIBATCHES = 4
"""Into which an adversary's batch is divided."""


@dataclass(frozen=True, kw_only=True)
class TrainVictim:
    """The configuration of one training run."""

    game: str
    algorithm: Algorithm = "ppo"
    steps: int = 10_000_000
    """Agent steps to learn from."""
    envs: int = 8
    """Copies of the game that are played at once."""
    network: NetworkSize = "small"
    """Of games that show images."""
    learning_rate: float | None = None
    """At the start; it falls linearly to 0, but for DQN and QRDQN on images. None for the published one."""
    seed: int = 0
    sticky: float | None = None
    """Probability that the emulator repeats the last action; the card's by default."""
    checkpoint_every: int = 100_000
    """Agent steps between checkpoints."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            InvalidInput: A value outside its range.
        """
        for name in ("steps", "envs", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"--{name.replace('_', '-')}: expected at least 1, got {getattr(self, name)}")
        if not 0 <= self.seed <= _SEEDS - self.envs:  # the copies take the seeds from this one on
            raise InvalidInput(f"--seed: expected 0 to {_SEEDS - self.envs}, got {self.seed}")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise InvalidInput(f"--learning-rate: expected a number above 0, got {self.learning_rate}")
        if self.sticky is not None and not 0 <= self.sticky < 1:
            raise InvalidInput(f"--sticky: expected a probability in [0, 1), got {self.sticky}")


@dataclass(frozen=True, kw_only=True)
class TrainDuelist:
    """What trainings in a game of two seats share; defaults of Gleave et al. 2019 (section 4).

    A batch is as theirs, of 64 games of 256 steps in place of 8 of 2048.
    """

    game: str
    seat: str
    """The learner's; `both` for one that plays both, `each` for two learners."""
    algorithm: Literal["ppo"] = "ppo"
    steps: int = 20_000_000
    """Agent steps to learn from, each seed and learner."""
    envs: int = 64
    """Games that are played at once."""
    batch: int = 16_384
    """Agent steps between two updates."""
    learning_rate: float = 3e-4
    """It stays as it is."""
    sparse: float = 0.01
    """Weight of what comes for the end of a game."""
    dense: float = 0.0
    """Weight of what comes on the way."""
    checkpoint_every: int = 100_000
    """Agent steps between checkpoints."""
    init: str | None = None
    """The agent that learning goes on from, as the user named it."""
    init_sha256: str | None = None
    """Of its weights."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            InvalidInput: A value outside its range.
        """
        for name in ("steps", "envs", "batch", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"--{name.replace('_', '-')}: expected at least 1, got {getattr(self, name)}")
        if self.batch % (MINIBATCHES * self.envs):
            raise InvalidInput(
                f"--batch: expected a multiple of {MINIBATCHES * self.envs}, {MINIBATCHES} minibatches of all games, "
                f"got {self.batch}"
            )
        if self.steps < self.batch:
            raise InvalidInput(
                f"--steps: expected at least {self.batch}, one batch, got {self.steps}; choose a smaller --batch"
            )
        for name in ("sparse", "dense"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InvalidInput(f"--{name}: expected a weight of 0 or more, got {getattr(self, name)}")
        if not self.sparse + self.dense:
            raise InvalidInput("--sparse and --dense: expected a weight above 0 for one of them, got 0 and 0")
        if not 0 < self.learning_rate < math.inf:
            raise InvalidInput(f"--learning-rate: expected a number above 0, got {self.learning_rate}")

    def weights(self, steps: int) -> tuple[float, float]:
        """Weights of what comes for the end of a game and of what comes on the way, after so many steps."""
        return self.sparse, self.dense

    @property
    def role(self) -> str:
        """Of the agent."""
        raise NotImplementedError

    @property
    def provenance(self) -> dict[str, Any]:
        """Whom it learned from, for the agent's card."""
        if self.init is None:
            return {}
        return {"init": {"id": self.init, "sha256": self.init_sha256}}


@dataclass(frozen=True, kw_only=True)
class TrainAdversary(TrainDuelist):
    """The configuration of adversaries against one victim, a run a seed."""

    victim: str
    """As the user named it."""
    victim_sha256: str
    """Of its weights."""
    seeds: tuple[int, ...] = (0,)
    """Each trains an adversary of its own, one after the other; the best of them is the result."""
    cut: tuple[int, float] | None = None
    """Steps and win rate: a seed that has won less of its last 500 training games by then is given up."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            InvalidInput: A value outside its range.
        """
        super().__post_init__()
        if (
            not self.seeds
            or len(set(self.seeds)) < len(self.seeds)
            or not 0 <= min(self.seeds) <= max(self.seeds) < _SEEDS
        ):
            raise InvalidInput(f"--seeds: expected different numbers of 0 to {_SEEDS - 1}, got {list(self.seeds)}")
        if self.cut is not None and not (self.cut[0] >= 1 and 0 <= self.cut[1] <= 1):
            raise InvalidInput(f"--cut: expected steps of 1 or more and a rate in [0, 1], got {list(self.cut)}")

    @property
    def role(self) -> str:
        """Of the agent."""
        return "adversary"

    @property
    def provenance(self) -> dict[str, Any]:
        """Whom it learned from, and the other seeds."""
        victim = {"id": self.victim, "sha256": self.victim_sha256}
        return {"victim": victim, "seeds": list(self.seeds)} | super().provenance


@dataclass(frozen=True, kw_only=True)
class TrainSelfPlay(TrainDuelist):
    """The configuration of a victim that learns from its own past, or from fixed opponents (Bansal et al. 2018)."""

    seed: int = 0
    dense: float = 0.01
    """Weight of what comes on the way while the curriculum lasts: as much as that of the end, as in the paper."""
    delta: float = 0.5
    """Opponents are versions not older than this share of the steps done; 1 for the last one."""
    anneal: float = 0.15
    """Share of the steps in which the reward goes over from what comes on the way to what comes for the end."""
    snapshot_every: int = 5
    """Updates between two versions that are kept."""
    turns: int = 10
    """Updates of one seat before it is the other's turn, where each has a learner."""
    opponents: tuple[tuple[str, str], ...] = ()
    """Name and sha256 of fixed ones in place of its own past."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            InvalidInput: A value outside its range.
        """
        super().__post_init__()
        for name in ("snapshot_every", "turns"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"--{name.replace('_', '-')}: expected at least 1, got {getattr(self, name)}")
        if not 0 <= self.seed < _SEEDS:
            raise InvalidInput(f"--seed: expected 0 to {_SEEDS - 1}, got {self.seed}")
        for name in ("delta", "anneal"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(f"--{name}: expected a share in [0, 1], got {getattr(self, name)}")

    def alpha(self, steps: int) -> float:
        """Share of the reward that comes on the way: 1 at first, 0 after the first `anneal` of the steps."""
        return max(0.0, 1 - steps / (self.anneal * self.steps)) if self.anneal else 0.0

    def weights(self, steps: int) -> tuple[float, float]:
        """See `TrainDuelist`: alpha dense + (1 - alpha) sparse (section 4.1)."""
        alpha = self.alpha(steps)
        return (1 - alpha) * self.sparse, alpha * self.dense

    @property
    def role(self) -> str:
        """Of the agent."""
        return "victim"

    @property
    def provenance(self) -> dict[str, Any]:
        """Whom it learned from."""
        met: dict[str, Any] = {"delta": self.delta}
        if self.opponents:
            met = {"opponents": [{"id": name, "sha256": digest} for name, digest in self.opponents]}
        return met | {"anneal": self.anneal} | super().provenance
