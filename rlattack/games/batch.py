"""The one shape in which every game is played: a fixed number of slots, each reset by its own seed."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from gymnasium import Space

__all__ = ["BatchedGame", "FloatArray", "IntArray", "Step"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Step:
    """What one step of every slot brought.

    Attributes:
        obs: Observations, shape (slots, *observation), the space's dtype. Valid until the next call.
        rewards: The game's own, unclipped rewards, shape (slots,).
        terminated: Slots whose episode ended by the rules, shape (slots,).
        truncated: Slots cut by the time limit, shape (slots,).
    """

    obs: npt.NDArray[Any]
    rewards: FloatArray
    terminated: BoolArray
    truncated: BoolArray


class BatchedGame(Protocol):
    """A game in `slots` copies. An episode depends on its seed alone, not on its slot or on what was played before."""

    slots: int
    observation_space: Space[Any]
    action_space: Space[Any]

    def reset(self, mask: BoolArray, seeds: IntArray) -> npt.NDArray[Any]:
        """Starts new episodes in the slots of `mask` with `seeds` (one a set slot); returns all observations."""

    def step(self, actions: IntArray) -> Step:
        """Plays one action a slot, shape (slots,)."""

    def close(self) -> None:
        """Frees the emulators."""
