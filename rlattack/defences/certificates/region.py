"""What a policy may receive in place of what the game shows, as bounds see it: a ball within its range."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from rlattack.arrays import rowwise
from rlattack.budget import Ball
from rlattack.budget.reach import TOLERANCE
from rlattack.defences.bounds import Interval, spread, through
from rlattack.defences.certificates.picking import Picking
from rlattack.defences.layers import Affine, Clip, Pick
from rlattack.errors import InvalidInput

_DUAL = {"linf": 1.0, "l2": 2.0, "l1": math.inf}
"""The norm by which a linear function grows in a ball (Hoelder)."""
NORMS = tuple(_DUAL)
_ALIKE = 1 - 1e-4
"""Of the farthest that an entry may go: those that may go as far go by the same."""


@dataclass(frozen=True)
class Region:
    """Everything that may be received in place of each row.

    Attributes:
        centre: What was shown, shape (n, *observation).
        width: How far the ball reaches along each entry, shape (n, *observation) or (1, *observation).
        low: Least value of each entry, as it broadcasts over (n, *observation).
        high: Largest.
        norm: Of the ball: `linf`, `l2` or `l1`.
    """

    centre: Tensor
    width: Tensor
    low: Tensor
    high: Tensor
    norm: str = "linf"

    @classmethod
    def around(cls, obs: Tensor, reach: Ball, share: Tensor | None = None) -> "Region":
        """What an attack may make of observations: its ball, within the range of what the game shows.

        Args:
            obs: What was shown, float32, shape (n, *observation).
            reach: What the attack may do; what the judge allows beyond it is in the region.
            share: Part of the radius that each row's region has, shape (n,); all of it by default.

        Raises:
            InvalidInput: A norm without bounds.
        """
        if reach.kind not in NORMS:
            raise InvalidInput(f"bounds: expected the norm {', '.join(NORMS)}, got {reach.kind}, which has none here")
        allowed = reach.radius * (1 + TOLERANCE) + TOLERANCE
        width = reach.spread(torch.full((1, reach.entries), allowed, device=obs.device))
        width = width if share is None else width * rowwise(share, obs)
        ends = reach.low, reach.high
        if reach.loose:  # the game may show more than it says
            ends = torch.minimum(reach.low, obs), torch.maximum(reach.high, obs)
        return cls(obs, width, *ends, reach.kind)

    @cached_property
    def box(self) -> Interval:
        """Ends of each entry, shape (n, *observation)."""
        lower, upper = self.centre - self.width, self.centre + self.width
        return Interval(torch.maximum(lower, self.low), torch.minimum(upper, self.high))

    @cached_property
    def even(self) -> Tensor | None:
        """How far every entry of every row may go, where the range stops none of them; None where they differ."""
        (least, most), (lowest, highest) = self.width.aminmax(), self.centre.aminmax()
        free = (lowest - most >= self.low.amax()) & (highest + most <= self.high.amin())
        return most if bool((least >= most * _ALIKE) & free) else None

    @property
    def middles(self) -> tuple[Tensor, ...]:
        """Around what bounds lie: what was shown, and the middle of the box where the range cuts the ball."""
        return (self.centre,) if self.even is not None else (self.centre, self.box.centre)

    def least(self, weight: Tensor, pick: Picking, at: Sequence[Tensor], *, laid: bool = True) -> Tensor:
        """Lower bounds of linear functions of what is received.

        Args:
            weight: Of each, shape (m, *entries).
            pick: Takes of (n, *observation) what the entries of each are, of the shape of `weight`.
            at: What each is in `middles`, shape (m,) each.
            laid: Whether entries lie as those of observations; where they do not, the region is `even`.

        Returns:
            Shape (m,).
        """
        if self.even is not None:
            size: Tensor = torch.linalg.vector_norm(weight.flatten(1), _DUAL[self.norm], dim=1)
            return at[0] - size * self.even
        assert laid, "entries that differ are told by where they lie"
        in_box = at[1] - pick.dot(weight.abs(), self.box.radius)
        if self.norm == "linf":
            return in_box
        grown = torch.linalg.vector_norm((weight * pick(self.width)).flatten(1), _DUAL[self.norm], dim=1)
        return torch.maximum(in_box, at[0] - grown)

    def through(self, layer: nn.Module) -> "Region | Interval":
        """Where a layer takes it: a ball where it stays one, else ends of each entry, which are exact of a linear one.

        Raises:
            InvalidInput: A layer that is not bounded.
        """
        if isinstance(layer, Affine):
            low, high = layer(self.low), layer(self.high)
            ends = torch.minimum(low, high), torch.maximum(low, high)
            return Region(layer(self.centre), self.width * layer.slope.abs(), *ends, self.norm)
        if isinstance(layer, nn.Flatten | nn.Identity | Pick):
            width, low, high = (
                layer(one.expand(-1, *self.centre.shape[1:])) for one in (self.width, self.low, self.high)
            )
            return Region(layer(self.centre), width, low, high, self.norm)
        if isinstance(layer, Clip) and bool(((self.box.lower >= layer.low) & (self.box.upper <= layer.high)).all()):
            return self
        if isinstance(layer, nn.Linear | nn.Conv2d):
            return self._through_linear(layer)
        return through(layer, self.box)

    def said(self, layer: nn.Module) -> Tensor:
        """What a layer says of what was shown; of pictures that is much of the work, and done once."""
        if layer not in self._said:
            self._said[layer] = layer(self.centre)
        return self._said[layer]

    @cached_property
    def _said(self) -> dict[nn.Module, Tensor]:
        return {}

    def _through_linear(self, layer: nn.Linear | nn.Conv2d) -> Interval:
        middle = self.said(layer)
        if self.even is not None and (isinstance(layer, nn.Linear) or layer.padding == (0, 0)):
            size = torch.linalg.vector_norm(layer.weight.flatten(1), _DUAL[self.norm], dim=1) * self.even
            grown = rowwise(size, middle[0])
            return Interval(middle - grown, middle + grown)
        box = through(layer, self.box)
        if self.norm == "l2":
            squared = _without_bias(layer, self.width.square(), layer.weight.square()).sqrt()
            return box.within(Interval(middle - squared, middle + squared))
        if self.norm == "l1" and isinstance(layer, nn.Linear):
            longest = torch.stack([(row * layer.weight.abs()).amax(dim=1) for row in self.width.flatten(1)])
            return box.within(Interval(middle - longest, middle + longest))
        return box


def _without_bias(layer: nn.Linear | nn.Conv2d, seen: Tensor, weight: Tensor) -> Tensor:
    """What a linear layer with another weight and no bias makes of something."""
    return F.linear(seen, weight) if isinstance(layer, nn.Linear) else spread(layer, seen, weight)
