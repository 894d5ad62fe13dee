"""Layers that policies have before, between and after those of torch: units, ends of a range, a choice of entries."""

import math

import torch
from torch import Tensor, nn


class Affine(nn.Module):
    """Takes each entry by itself into other units: x * slope + shift.

    Args:
        slope: Of each entry, or one for all; as it broadcasts over (n, *entries).
        shift: The same.
    """

    slope: Tensor
    shift: Tensor

    def __init__(self, slope: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("slope", slope)
        self.register_buffer("shift", shift)

    def forward(self, seen: Tensor) -> Tensor:
        """The same in those units."""
        return seen * self.slope + self.shift


class Clip(nn.Module):
    """Holds each entry between two ends.

    Args:
        low: Of each entry, or one for all, as it broadcasts over (n, *entries); -inf for none.
        high: The same; inf for none.
    """

    low: Tensor
    high: Tensor

    def __init__(self, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self.register_buffer("low", low)
        self.register_buffer("high", high)

    def forward(self, seen: Tensor) -> Tensor:
        """The same within them."""
        return seen.clamp(self.low, self.high)


class Pick(nn.Module):
    """Takes some entries, in an order of its own.

    Args:
        index: Number of each in what is shown, flat, int64; its shape is that of what comes out.
    """

    index: Tensor

    def __init__(self, index: Tensor) -> None:
        super().__init__()
        self.register_buffer("index", index)

    def forward(self, seen: Tensor) -> Tensor:
        """Those entries, shape (n, *index)."""
        return seen.flatten(1)[:, self.index]


def permuted(shape: tuple[int, ...], order: tuple[int, ...]) -> Pick:
    """The axes of one observation in another order."""
    return Pick(torch.arange(math.prod(shape)).view(shape).permute(order).contiguous())
