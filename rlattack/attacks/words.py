"""What is said of an attack, and what it learned: for those who read of attacks and make none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

Access = Literal["observation", "screen", "action", "reward", "dynamics", "opponent"]
"""What an attack changes."""
Knowledge = Literal["white", "scores", "decision", "none"]
"""What an attack may ask for: gradients, whole outputs, greedy actions, nothing; each includes what is below it."""


@dataclass(frozen=True)
class Work:
    """About what an attack asks for, by which a plan tells how long that takes.

    Attributes:
        steps: Of the game, each with an output of the victim.
        queries: Outputs of the victim beside those.
        gradients: Backward passes with their forward.
    """

    steps: float = 0.0
    queries: float = 0.0
    gradients: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.steps + other.steps, self.queries + other.queries, self.gradients + other.gradients)

    def __mul__(self, times: float) -> "Work":
        return Work(self.steps * times, self.queries * times, self.gradients * times)


@dataclass(frozen=True)
class Fitted:
    """What an attack learned on tuning episodes: tensors and facts, frozen before anything is measured."""

    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
