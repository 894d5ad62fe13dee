"""The one shape in which every game is played: a fixed number of slots, each reset by its own seed."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from gymnasium import Space

from rlattack.errors import InvalidInput

__all__ = ["BatchedGame", "BoolArray", "FloatArray", "IntArray", "Step", "check_seeds"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Step:
    """What one step of every slot brought.

    Attributes:
        obs: Observations, shape (slots, *observation), the space's dtype. A new array each time: keep it as you like.
        rewards: The game's own, unclipped rewards, shape (slots,).
        terminated: Slots whose episode ended by the rules, shape (slots,).
        truncated: Slots cut by the time limit, shape (slots,).
    """

    obs: npt.NDArray[Any]
    rewards: FloatArray
    terminated: BoolArray
    truncated: BoolArray


class BatchedGame(Protocol):
    """A game in `slots` copies. An episode depends on its seed alone, not on its slot or on what was played before.

    A slot whose episode has ended, or that was never reset, is idle: it takes any action, and what it returns has the
    right shape and means nothing.
    """

    slots: int
    observation_space: Space[Any]
    action_space: Space[Any]

    def reset(self, mask: BoolArray, seeds: IntArray) -> npt.NDArray[Any]:
        """Starts new episodes in the slots of `mask` with `seeds` (one a set slot); returns all observations.

        The other slots stay as they are.

        Raises:
            InvalidInput: A seed outside 0..2^31-1, or another number of seeds than of set slots.
        """

    def step(self, actions: IntArray) -> Step:
        """Plays one action a slot, shape (slots,)."""

    def close(self) -> None:
        """Frees the emulators."""


def check_seeds(mask: BoolArray, seeds: IntArray) -> IntArray:
    """Returns the seeds as int64 after checking what ale-py takes silently as "unseeded".

    Raises:
        InvalidInput: See `BatchedGame.reset`.
    """
    seeds = np.asarray(seeds, dtype=np.int64)
    if seeds.shape != (int(mask.sum()),):
        raise InvalidInput(f"expected one seed for each of {int(mask.sum())} slots, got shape {seeds.shape}")
    if seeds.size and not (seeds.min() >= 0 and seeds.max() < 2**31):
        raise InvalidInput(f"expected seeds in 0..2^31-1, got {seeds.min()}..{seeds.max()}")
    return seeds
