"""What a training run is: everything that its result depends on."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from rlattack.errors import InvalidInput

__all__ = ["ALGORITHMS", "Algorithm", "NetworkSize", "TrainVictim"]

Algorithm = Literal["ppo", "a2c", "dqn", "qrdqn"]
NetworkSize = Literal["small", "nature"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
_SEEDS = 2**31
"""Seeds of games lie below (ale-py takes no others)."""


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
