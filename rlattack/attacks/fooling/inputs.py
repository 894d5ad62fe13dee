"""What an agent could be shown, whether the game ever shows it or not."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.arrays import Array


@dataclass(frozen=True)
class Inputs:
    """The range of what a seat sees.

    Attributes:
        low: Smallest, float32, shape (*observation,).
        high: Largest.
        whole: Whether only whole numbers are shown, as bytes of pictures.
    """

    low: Tensor
    high: Tensor
    whole: bool

    @classmethod
    def of(cls, space: Box, play: Callable[[], Array]) -> "Inputs":
        """The range that a game declares; of entries without bounds that of what was seen in play.

        Args:
            space: One observation.
            play: Gives observations of play, shape (n, *observation); asked where there are such entries.
        """
        low, high = (np.asarray(end, dtype=np.float64) for end in (space.low, space.high))
        wide = ~(np.abs(high - low) < 1e6)
        if wide.any():
            seen = play().astype(np.float64)
            low, high = np.where(wide, seen.min(axis=0), low), np.where(wide, seen.max(axis=0), high)
        ends = [torch.as_tensor(end.astype(np.float32)) for end in (low, high)]
        return cls(ends[0], ends[1], bool(np.issubdtype(space.dtype, np.integer)))

    def at(self, shares: Tensor) -> Tensor:
        """Inputs from shares of the range, in [0, 1], shape (n, *observation): rounded where they are whole."""
        made = self.low + (self.high - self.low) * shares
        return made.round() if self.whole else made

    def noise(self, count: int, rng: np.random.Generator) -> Array:
        """Shares of the range, uniform, each entry by itself, float32, shape (count, *observation)."""
        return rng.random((count, *self.low.shape), dtype=np.float32)
