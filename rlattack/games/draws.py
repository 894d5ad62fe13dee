"""Random numbers for all slots at once, as training draws them."""

import torch
from torch import Tensor

__all__ = ["SharedDraws"]


class SharedDraws:
    """Random numbers of one stream for all slots, for who needs no stream a slot: `Draws` of `rlattack.budget`.

    Args:
        slots: Number of slots.
        seed: Of the numbers.
    """

    def __init__(self, slots: int, seed: int) -> None:
        self._slots, self._generator = slots, torch.Generator().manual_seed(seed)

    def uniform(self, *shape: int) -> Tensor:
        """Uniform in [0, 1)."""
        return torch.rand(self._slots, *shape, generator=self._generator)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal."""
        return torch.randn(self._slots, *shape, generator=self._generator)

    def laplace(self, *shape: int) -> Tensor:
        """Standard Laplace."""
        return torch.empty(self._slots, *shape).exponential_(generator=self._generator) * self.signs(*shape)

    def signs(self, *shape: int) -> Tensor:
        """-1 or 1."""
        return torch.randint(2, (self._slots, *shape), generator=self._generator).float() * 2 - 1
