"""What a training run is: everything that its result depends on."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from rlattack.errors import InvalidInput

__all__ = ["ALGORITHMS", "MINIBATCHES", "Algorithm", "NetworkSize", "TrainAdversary", "TrainVictim"]

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
class TrainAdversary:
    """The configuration of adversaries against one victim, a run a seed; defaults of Gleave et al. 2019 (section 4)."""

    game: str
    victim: str
    """As the user named it."""
    victim_sha256: str
    """Of its weights."""
    seat: str
    """The adversary's."""
    algorithm: Literal["ppo"] = "ppo"
    steps: int = 20_000_000
    """Agent steps to learn from, each seed."""
    seeds: tuple[int, ...] = (0,)
    """Each trains an adversary of its own, one after the other; the best of them is the result."""
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
    cut: tuple[int, float] | None = None
    """Steps and win rate: a seed that has won less of its last 500 training games by then is given up."""
    checkpoint_every: int = 100_000
    """Agent steps between checkpoints."""

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
        if (
            not self.seeds
            or len(set(self.seeds)) < len(self.seeds)
            or not 0 <= min(self.seeds) <= max(self.seeds) < _SEEDS
        ):
            raise InvalidInput(f"--seeds: expected different numbers of 0 to {_SEEDS - 1}, got {list(self.seeds)}")
        for name in ("sparse", "dense"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InvalidInput(f"--{name}: expected a weight of 0 or more, got {getattr(self, name)}")
        if not self.sparse + self.dense:
            raise InvalidInput("--sparse and --dense: expected a weight above 0 for one of them, got 0 and 0")
        if not 0 < self.learning_rate < math.inf:
            raise InvalidInput(f"--learning-rate: expected a number above 0, got {self.learning_rate}")
        if self.cut is not None and not (self.cut[0] >= 1 and 0 <= self.cut[1] <= 1):
            raise InvalidInput(f"--cut: expected steps of 1 or more and a rate in [0, 1], got {list(self.cut)}")
