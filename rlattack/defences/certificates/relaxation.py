"""Lines below and above what bends: of ReLU, tanh and ends of a range, between two ends (Zhang et al. 2018, sec. 3)."""

from dataclasses import dataclass
from functools import singledispatch

import torch
from torch import Tensor, nn

from rlattack.defences.bounds import Interval, unbounded
from rlattack.defences.layers import Clip

_TINY = 1e-12
_NARROW = 1e-6
_HALVINGS = 16
"""Of the range in which a line that touches tanh is looked for: whatever is left, lines are on the safe side of it."""
_FARTHEST = 12.0
"""Where tanh is 1 in float32."""


@dataclass(frozen=True)
class Lines:
    """Two lines of each entry: between the ends that they were made for, the function runs between them.

    Attributes:
        low: Slope of the lower one, shape (n, *entries).
        low_at: What it is at 0.
        high: Slope of the upper one.
        high_at: What it is at 0.
    """

    low: Tensor
    low_at: Tensor
    high: Tensor
    high_at: Tensor


@singledispatch
def lines(layer: nn.Module, seen: Interval) -> Lines:
    """Lines below and above a layer that treats each entry by itself.

    Raises:
        InvalidInput: It has none.
    """
    raise unbounded(layer)


@singledispatch
def bends(layer: nn.Module, seen: Interval) -> Tensor:
    """Entries, bool, shape (n, *entries), whose lines get tighter with their ends: where the layer is no line there."""
    raise unbounded(layer)


@lines.register
def _relu(layer: nn.ReLU, seen: Interval) -> Lines:
    """The chord above; below 0 or x, whichever leaves less between the two."""
    lower, upper = seen.lower.clamp(max=0), seen.upper.clamp(min=0)
    high = upper / (upper - lower).clamp_min(_TINY)
    low = ((upper > -lower) & (seen.upper > 0)).to(high)
    high = torch.where(seen.lower >= 0, 1.0, high)
    low = torch.where(seen.lower >= 0, 1.0, low)
    return Lines(low, torch.zeros_like(low), high, torch.where(seen.lower >= 0, 0.0, -high * lower))


@bends.register
def _relu_bends(layer: nn.ReLU, seen: Interval) -> Tensor:
    return (seen.lower < 0) & (seen.upper > 0)


@lines.register
def _tanh(layer: nn.Tanh, seen: Interval) -> Lines:
    """The chord on the side to which tanh bends away from it, and a line that touches it on the other."""
    high, high_at = _above_tanh(seen.lower, seen.upper)
    low, low_at = _above_tanh(-seen.upper, -seen.lower)  # tanh(-x) = -tanh(x)
    return Lines(low, -low_at, high, high_at)


@bends.register
def _tanh_bends(layer: nn.Tanh, seen: Interval) -> Tensor:
    return torch.ones_like(seen.lower, dtype=torch.bool)


@lines.register
def _clip(layer: Clip, seen: Interval) -> Lines:
    """Of entries that reach an end, lines through the corners of what comes out; x itself of the others."""
    low_end, high_end = (end.expand_as(seen.lower) for end in (layer.low, layer.high))
    wide = (seen.upper - seen.lower).clamp_min(_TINY)
    lower, upper = layer(seen.lower), layer(seen.upper)
    chord = ((upper - lower) / wide).clamp(max=1.0)
    chord_at = lower - chord * seen.lower
    below, above = seen.lower < low_end, seen.upper > high_end
    zero, one = torch.zeros_like(chord), torch.ones_like(chord)
    # an entry that reaches one end bends once: the chord on one side, x or the end on the other
    high = torch.where(below & above, zero, torch.where(above, zero, torch.where(below, chord, one)))
    high_at = torch.where(above, upper, torch.where(below, chord_at, zero))
    low = torch.where(below & above, zero, torch.where(below, zero, torch.where(above, chord, one)))
    low_at = torch.where(below, lower, torch.where(above, chord_at, zero))
    return Lines(low, low_at, high, high_at)


@bends.register
def _clip_bends(layer: Clip, seen: Interval) -> Tensor:
    return (seen.lower < layer.low) & (seen.upper > layer.low) | (seen.upper > layer.high) & (seen.lower < layer.high)


def _above_tanh(lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """A line above tanh between two ends: slope and what it is at 0."""
    chord = (upper.tanh() - lower.tanh()) / (upper - lower).clamp_min(_TINY)
    chord_at = lower.tanh() - chord * lower
    near, far = _touching(lower)
    touched = torch.where(lower >= 0, (lower + upper) / 2, far)
    slope = 1 - touched.tanh().square()
    at = touched.tanh() - slope * touched
    by_chord = (upper <= 0) | (lower < 0) & (upper <= near)
    flat = upper - lower < _NARROW  # between such ends a slope is rounding
    slope, at = torch.where(by_chord, chord, slope), torch.where(by_chord, chord_at, at)
    return torch.where(flat, 0.0, slope), torch.where(flat, upper.tanh(), at)


def _touching(lower: Tensor) -> tuple[Tensor, Tensor]:
    """Between which places a line from tanh at a lower end below 0 touches it above 0.

    A chord that ends before them lies above tanh, and so does the line that touches it at the second.
    """
    near, far = torch.zeros_like(lower), torch.full_like(lower, _FARTHEST)
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        slope = 1 - middle.tanh().square()
        safe = middle.tanh() - slope * (middle - lower) >= lower.tanh()
        near, far = torch.where(safe, near, middle), torch.where(safe, middle, far)
    return near, far
