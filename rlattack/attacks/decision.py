"""Small perturbations by what the victim chooses alone: the boundary attack and HopSkipJump.

Both begin where a random direction crosses to another choice, and shorten the way there.
"""

import itertools
import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.direction import DirectionConfig, random_crossing
from rlattack.attacks.minimal import Turning
from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.specs import Range

_PROBES, _TRIES = 10, 6
"""Probes of HopSkipJump's first jump, and lengths of a jump that are tried."""
_TINY = 1e-30


@dataclass(frozen=True, kw_only=True)
class DecisionConfig:
    """Parameters of `boundary` and `hop-skip-jump`."""

    queries: Annotated[int, Range(least=50)] = 500
    """Choices of the victim that it asks for in a step, in each slot, after those by which it finds a start."""


class Search:
    """Points at which the victim chooses otherwise, and how near they are.

    Args:
        victim: Who chooses.
        obs: What is to be changed least, shape (slots, *observation).
        reach: In whose norm, and within which range.
        start: Points at which it chooses otherwise, in the slots that are `found`, bool, shape (slots,).
        found: Those slots.
    """

    def __init__(self, victim: Target, obs: Tensor, reach: Ball, start: Tensor, found: Tensor) -> None:
        self.victim, self.obs, self.reach, self.point, self.found = victim, obs, reach, start, found
        self.spent = 0

    def crosses(self, point: Tensor) -> Tensor:
        """Where the victim chooses otherwise, bool, shape (slots,): a question a slot."""
        self.spent += 1
        return self.found & (self.victim.choices(point, only=self.found) != self.victim.labels)

    @property
    def distance(self) -> Tensor:
        """How far the points are away, as `eps` is, shape (slots,)."""
        return self.reach.size(self.point - self.obs)

    def offer(self, point: Tensor) -> Tensor:
        """Asks about points, and keeps those at which the victim still chooses otherwise; returns which."""
        point = self.reach.settle(point, self.obs)
        crossed = self.crosses(point)
        self.point = torch.where(rowwise(crossed, point), point, self.point)
        return crossed

    def shorten(self, halvings: int) -> None:
        """Halves the way between what is shown and the points, on the side where the victim chooses otherwise."""
        low, high = torch.zeros(len(self.obs)), torch.ones(len(self.obs))
        way = self.point - self.obs
        for _ in range(halvings):  # even where nothing was found: what is left to ask must not depend on the others
            middle = (low + high) / 2
            crossed = self.crosses(self.reach.settle(self.obs + rowwise(middle, way) * way, self.obs))
            low, high = torch.where(crossed, low, middle), torch.where(crossed, middle, high)
        shorter = self.reach.settle(self.obs + rowwise(high, way) * way, self.obs)
        self.point = torch.where(rowwise(self.found & (high < 1), way), shorter, self.point)


class DecisionAttack(Turning[DecisionConfig]):
    """Looks for the smallest perturbation by what the victim chooses; where it finds none, it does nothing."""

    reaches: ClassVar[tuple[str, ...]] = ("l2", "linf")
    config_type = DecisionConfig

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Finds a start, and comes nearer until all questions are asked."""
        search = Search(victim, obs, reach, *random_crossing(victim, obs, reach, draws, DirectionConfig()))
        self.approach(search, draws)  # even where nothing was found: what a slot draws must not depend on the others
        return torch.where(rowwise(search.found, obs), search.point, obs)

    @abstractmethod
    def approach(self, search: Search, draws: Draws) -> None:
        """Comes nearer."""


class Boundary(DecisionAttack):
    """A random walk along the boundary, and towards what is shown (Brendel et al. 2018, alg. 1)."""

    name = "boundary"
    title = "The boundary attack"
    reaches: ClassVar[tuple[str, ...]] = ("l2",)

    def approach(self, search: Search, draws: Draws) -> None:
        """Steps sideways at the same distance, then nearer, by lengths that follow how often that succeeds."""
        side, near = torch.full((len(search.obs),), 0.1), torch.full((len(search.obs),), 0.1)
        while search.spent + 2 <= self.config.queries:
            way = search.point - search.obs
            step = search.reach.spread(draws.normal(search.reach.entries))
            step = step - _dot(step, way) / _dot(way, way).clamp_min(_TINY) * way
            step = step * (_length(way) / _length(step)) * rowwise(side, way)
            around = way + step
            around = around * (_length(way) / _length(around))
            moved = search.offer(search.obs + around)
            side = (side * torch.where(moved, 1.1, 0.9)).clamp(1e-5, 1.0)
            nearer = search.offer(search.obs + (search.point - search.obs) * rowwise(1 - near, way))
            near = (near * torch.where(nearer, 1.1, 0.9)).clamp(1e-5, 0.5)


class HopSkipJump(DecisionAttack):
    """Estimates where the boundary leads by choices around it, jumps, and comes back (Chen et al. 2020, alg. 2)."""

    name = "hop-skip-jump"
    title = "HopSkipJump"

    def approach(self, search: Search, draws: Draws) -> None:
        """One jump after another, each shorter and with more probes than the last (sec. 4)."""
        # to within d^-1.5 of the way, so that probes of 1/d of it tell the boundary's sides apart (app. B)
        halvings = min(max(math.ceil(1.5 * math.log2(search.reach.entries)), 8), 24)
        search.shorten(halvings)
        for jump in itertools.count(1):
            probes = min(int(_PROBES * math.sqrt(jump)), self.config.queries - search.spent - halvings - _TRIES)
            if probes < 2:
                return
            nearest, distance = search.point, search.distance
            self._jump(search, self._direction(search, probes, draws), distance / math.sqrt(jump))
            search.shorten(halvings)
            search.point = torch.where(rowwise(search.distance < distance, nearest), search.point, nearest)

    def _direction(self, search: Search, probes: int, draws: Draws) -> Tensor:
        """The mean of random ways, each signed by what the victim chooses there, less their common part (eq. 16)."""
        reach = search.reach
        radius = search.distance * reach.radius_of(1.0, reach.entries) / reach.entries
        ways, signs = [], []
        for _ in range(probes):
            drawn = draws.normal(reach.entries)
            way = reach.spread(drawn / torch.linalg.vector_norm(drawn, dim=1, keepdim=True).clamp_min(_TINY))
            ways.append(way)
            signs.append(torch.where(search.crosses(search.point + rowwise(radius, way) * way), 1.0, -1.0))
        told = torch.stack(signs)
        common = told.mean(dim=0)
        told = torch.where(common.abs() < 1, told - common, told)
        total = torch.zeros_like(search.obs)
        for sign, way in zip(told, ways, strict=True):
            total = total + rowwise(sign, way) * way
        return total / reach.scale**2  # a slope, by the chain rule

    def _jump(self, search: Search, direction: Tensor, length: Tensor) -> None:
        """Goes along a direction as far as the victim still chooses otherwise, by halves of a length."""
        start, jumped = search.point, ~search.found
        whole = search.reach.radius_of(1.0, search.reach.entries)
        unit = search.reach.ascend(torch.zeros_like(start), direction, whole)
        for _ in range(_TRIES):
            tried = search.reach.settle(start + rowwise(length, start) * unit, search.obs)
            crossed = search.crosses(tried) & ~jumped
            search.point = torch.where(rowwise(crossed, tried), tried, search.point)
            jumped, length = jumped | crossed, length / 2


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return rowwise((one * other).flatten(1).sum(dim=1), one)


def _length(way: Tensor) -> Tensor:
    return rowwise(torch.linalg.vector_norm(way.flatten(1), dim=1).clamp_min(_TINY), way)
