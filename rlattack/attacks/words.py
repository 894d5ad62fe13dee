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
class Fitted:
    """What an attack learned on tuning episodes: tensors and facts, frozen before anything is measured."""

    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
