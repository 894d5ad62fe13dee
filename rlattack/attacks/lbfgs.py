"""Box-constrained L-BFGS (Szegedy et al. 2014, sec. 4.1): the smallest change that changes what a victim does.

The loss is the cross-entropy of the target or, without one, that of the best other action beside the victim's own
choice alone. All slots are minimised at once, each by limited-memory BFGS (Nocedal and Wright 2006, alg. 7.4) on the
entries that are not held at an end of their range (Bertsekas 1982), with steps that are halved until they descend
enough.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.aim import scores_of
from rlattack.attacks.weighted import Trade, Weighted, WeightedConfig
from rlattack.policies.policy import Output
from rlattack.specs import Count

_ENOUGH = 1e-4
"""Share of the descent that the slope promises which a step must make (Armijo's rule)."""
_CURVED = 1e-10
"""The least curvature that is remembered, so that the approximate Hessian stays positive."""
_BARE = 0.5
"""Inverse curvature before anything is known: that of the squared size."""


@dataclass(frozen=True, kw_only=True)
class LBFGSConfig(WeightedConfig):
    """Parameters of `lbfgs`."""

    steps: int = 10
    """Gradients for each weight."""
    memory: Count = 5
    """Steps that the curvature is known from."""


class LBFGS(Weighted[LBFGSConfig]):
    """Minimises the squared size of a perturbation and a weighted cross-entropy within the range."""

    name = "lbfgs"
    title = "L-BFGS"
    reaches: ClassVar[tuple[str, ...]] = ("l2",)
    config_type = LBFGSConfig

    def minimise(self, trade: Trade) -> Tensor:
        """Tries one point a step in every slot: the next along a new direction, or half as far along the last one."""
        point, obs = trade.obs, trade.obs
        value, grad, enough = _at(trade, point)
        memory = _Memory(obs, self.config.memory)
        way, length = memory.descent(grad, _held(trade, point, grad)), torch.ones(len(obs))
        for _ in range(self.config.steps - 1):
            tried = trade.reach.settle(point + rowwise(length, obs) * way * trade.reach.scale, obs)
            moved = (tried - point) / trade.reach.scale
            now, slope, found = _at(trade, tried)
            enough = enough | found
            lower = now <= value + _ENOUGH * _dot(grad, moved)
            memory.add(moved, slope - grad, lower)
            point, grad = (torch.where(rowwise(lower, obs), a, b) for a, b in ((tried, point), (slope, grad)))
            value, length = torch.where(lower, now, value), torch.where(lower, 1.0, length / 2)
            way = torch.where(rowwise(lower, obs), memory.descent(grad, _held(trade, point, grad)), way)
        return enough


class _Memory:
    """The curvature along the last steps of each slot."""

    def __init__(self, like: Tensor, size: int) -> None:
        self._moved, self._bent = (torch.zeros(size, *like.shape) for _ in range(2))
        self._curvature = torch.zeros(size, len(like))
        self._bare = torch.full((len(like),), _BARE)

    def add(self, moved: Tensor, bent: Tensor, where: Tensor) -> None:
        """Remembers steps and how gradients changed in them, in slots where they were taken and bent upwards."""
        curvature, bending = _dot(moved, bent), _dot(bent, bent)
        where = where & (curvature > _CURVED * bending)
        for held, new in ((self._moved, moved), (self._bent, bent), (self._curvature, curvature)):
            rows = rowwise(where, new)
            held.copy_(torch.where(rows, torch.cat([held[1:], new[None]]), held))
        self._bare = torch.where(where, curvature / bending, self._bare)

    def descent(self, grad: Tensor, held: Tensor) -> Tensor:
        """Minus the gradient over the curvature, 0 in entries that are held; straight down where that would climb."""
        down = -grad.masked_fill(held, 0)
        way, shares = down, []
        inverse = torch.where(self._curvature > 0, 1 / self._curvature, 0)
        for number in reversed(range(len(inverse))):
            shares.append(inverse[number] * _dot(self._moved[number], way))
            way = way - rowwise(shares[-1], grad) * self._bent[number]
        way = rowwise(self._bare, grad) * way
        for number, share in enumerate(reversed(shares)):
            more = share - inverse[number] * _dot(self._bent[number], way)
            way = way + rowwise(more, grad) * self._moved[number]
        way = way.masked_fill(held, 0)
        return torch.where(rowwise(_dot(way, down) > 0, grad), way, _BARE * down)


def _at(trade: Trade, point: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What is minimised at a settled point, its gradient, and where the choice changed there."""

    def loss(out: Output) -> Tensor:
        if trade.turn.targeted:
            return F.cross_entropy(scores_of(out), trade.turn.goal, reduction="none")
        return F.softplus(trade.turn.gap(out))

    grad, losses, out = trade.slope(point, loss)
    delta = trade.delta(point)
    return losses + _dot(delta, delta), grad + 2 * delta, trade.offer(point, out)


def _held(trade: Trade, point: Tensor, grad: Tensor) -> Tensor:
    """Entries at an end of their range beyond which the descent would lead."""
    return ((point <= trade.reach.low) & (grad > 0)) | ((point >= trade.reach.high) & (grad < 0))


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Inner products of rows, shape (n,)."""
    return (one * other).flatten(1).sum(dim=1)
