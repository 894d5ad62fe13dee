"""Bounds of what a network says anywhere in a box: interval bound propagation (Gowal et al. 2018, sec. 3)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import singledispatch

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from rlattack.defences.layers import Affine, Clip, Pick
from rlattack.errors import InvalidInput

BOUNDED = "Linear, Conv2d with zeros around, ReLU, Tanh, Flatten"
"""What of torch has bounds here, in words."""


@dataclass(frozen=True)
class Interval:
    """Every row between two ends, entry by entry.

    Attributes:
        lower: Shape (n, *entries).
        upper: The same.
    """

    lower: Tensor
    upper: Tensor

    @property
    def centre(self) -> Tensor:
        """The middle of both ends."""
        return (self.lower + self.upper) / 2

    @property
    def radius(self) -> Tensor:
        """Half the distance between both ends, 0 or more."""
        return (self.upper - self.lower) / 2

    def through(self, monotone: Callable[[Tensor], Tensor]) -> "Interval":
        """Where a function that never falls takes it."""
        return Interval(monotone(self.lower), monotone(self.upper))

    def within(self, other: "Interval") -> "Interval":
        """What lies in both, of which one at least is known to hold what counts."""
        return Interval(torch.maximum(self.lower, other.lower), torch.minimum(self.upper, other.upper))


def propagate(layers: Iterable[nn.Module], seen: Interval) -> Interval:
    """Bounds of what layers, one after the other, make of everything in a box; differentiable in their weights.

    Args:
        layers: Linear layers, convolutions, ReLU, tanh and flatten.
        seen: What the first of them may see.

    Raises:
        InvalidInput: A layer that is not bounded.
    """
    for layer in layers:
        seen = through(layer, seen)
    return seen


def lead(last: nn.Linear, hidden: Interval, action: Tensor) -> Tensor:
    """Lower bounds of how far the score of an action lies above every other one.

    The last layer is merged into differences of scores, which is tighter than differences of bounded scores.

    Args:
        last: Makes scores of the last hidden layer.
        hidden: What that layer may be, shape (n, width).
        action: Whose score it is, int64, shape (n,).

    Returns:
        Shape (n, actions); 0 for the action itself.
    """
    weight = last.weight[action][:, None] - last.weight  # (n, actions, width)
    bias = 0 if last.bias is None else last.bias[action][:, None] - last.bias
    middle = (weight @ hidden.centre[:, :, None]).squeeze(2)
    return middle + bias - (weight.abs() @ hidden.radius[:, :, None]).squeeze(2)


@singledispatch
def through(layer: nn.Module, seen: Interval) -> Interval:
    """Bounds of what one layer makes of everything in a box.

    Raises:
        InvalidInput: It is not bounded.
    """
    raise unbounded(layer)


def unbounded(layer: nn.Module) -> InvalidInput:
    """What is said of a layer that has no bounds."""
    return InvalidInput(f"bounds: expected layers of {BOUNDED}, got {type(layer).__name__}, which has no bounds here")


def check_zeros_around(layer: nn.Conv2d) -> None:
    """Refuses a convolution around which lies something else than zeros.

    Raises:
        InvalidInput: It does.
    """
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        padded = f"{layer.padding_mode} padding" if layer.padding_mode != "zeros" else f"padding={layer.padding!r}"
        raise InvalidInput(f"bounds: expected layers of {BOUNDED}, got Conv2d with {padded}, which has no bounds here")


@through.register(nn.ReLU)
@through.register(nn.Tanh)
@through.register(nn.Flatten)
@through.register(nn.Identity)
@through.register(Clip)
@through.register(Pick)
def _monotone(layer: nn.Module, seen: Interval) -> Interval:
    return seen.through(layer)


@through.register
def _sequence(layer: nn.Sequential, seen: Interval) -> Interval:
    return propagate(layer, seen)


@through.register
def _affine(layer: Affine, seen: Interval) -> Interval:
    one, other = layer(seen.lower), layer(seen.upper)
    return Interval(torch.minimum(one, other), torch.maximum(one, other))


@through.register
def _linear(layer: nn.Linear, seen: Interval) -> Interval:
    middle, radius = layer(seen.centre), F.linear(seen.radius, layer.weight.abs())
    return Interval(middle - radius, middle + radius)


@through.register
def _convolution(layer: nn.Conv2d, seen: Interval) -> Interval:
    check_zeros_around(layer)
    middle, radius = layer(seen.centre), spread(layer, seen.radius, layer.weight.abs())
    return Interval(middle - radius, middle + radius)


def spread(layer: nn.Conv2d, seen: Tensor, weight: Tensor) -> Tensor:
    """What a convolution with another weight and no bias makes of something."""
    return F.conv2d(seen, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)
