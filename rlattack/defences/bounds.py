"""Bounds of what a network says anywhere in a box: interval bound propagation (Gowal et al. 2018, sec. 3)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from rlattack.errors import InvalidInput

_MONOTONE = (nn.ReLU, nn.Tanh, nn.Flatten, nn.Identity)
"""Layers that take the ends of an interval to the ends of its image."""


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


def propagate(layers: Iterable[nn.Module], seen: Interval) -> Interval:
    """Bounds of what layers, one after the other, make of everything in a box; differentiable in their weights.

    Args:
        layers: Linear layers, convolutions, ReLU, tanh and flatten.
        seen: What the first of them may see.

    Raises:
        InvalidInput: A layer that is not bounded.
    """
    for layer in layers:
        seen = _through(layer, seen)
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


def _through(layer: nn.Module, seen: Interval) -> Interval:
    if isinstance(layer, nn.Sequential):
        return propagate(layer, seen)
    if isinstance(layer, _MONOTONE):
        return seen.through(layer)
    if isinstance(layer, nn.Linear):
        middle, radius = layer(seen.centre), F.linear(seen.radius, layer.weight.abs())
    elif isinstance(layer, nn.Conv2d):
        middle = layer(seen.centre)
        radius = F.conv2d(
            seen.radius, layer.weight.abs(), None, layer.stride, layer.padding, layer.dilation, layer.groups
        )
    else:
        known = "Linear, Conv2d, ReLU, Tanh, Flatten"
        raise InvalidInput(f"bounds: expected layers of {known}, got {type(layer).__name__}, which has no bounds here")
    return Interval(middle - radius, middle + radius)
