"""What attacks share that have no gradients: a number of questions a step, and the best point that was found so far."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.attack import AttackSpec
from rlattack.attacks.objective import Climb, GradientAttack, Loss, Objective
from rlattack.attacks.target import Knowledge, Target
from rlattack.attacks.words import Work
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.specs import Count


@dataclass(frozen=True, kw_only=True)
class QueryConfig(Objective):
    """What every attack of this kind takes beside its objective."""

    queries: Count = 200
    """Outputs of the victim that it asks for in a step, in each slot."""

    by_default: ClassVar[Loss] = "margin"


Config = TypeVar("Config", bound=QueryConfig)


class Best:
    """The best point so far of each slot, as its victim would receive it, and its loss.

    Args:
        climb: The loss.
        reach: What points may become.
        obs: Around what, shape (slots, *observation); one question is spent on it.
        point: Where the search starts; `obs` by default.
    """

    def __init__(self, climb: Climb, reach: Ball, obs: Tensor, point: Tensor | None = None) -> None:
        self._climb, self._reach, self._obs = climb, reach, obs
        self.point = obs if point is None else reach.settle(point, obs)
        self.loss = climb.rows(self.point)
        self.spent = 1

    def offer(self, point: Tensor) -> Tensor:
        """Asks about points, one a slot, and keeps those that are better; returns which, bool, shape (slots,)."""
        point = self._reach.settle(point, self._obs)
        loss = self._climb.rows(point)
        better = loss > self.loss
        self.point = torch.where(rowwise(better, point), point, self.point)
        self.loss = torch.where(better, loss, self.loss)
        self.spent += 1
        return better


class QueryAttack(GradientAttack[Config]):
    """Climbs its loss by outputs of the victim alone."""

    knowledge: ClassVar[Knowledge] = "scores"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    config_type: ClassVar[type[Any]] = QueryConfig
    starts_clean = False  # a flat start is no matter where nothing is differentiated

    @classmethod
    def control(cls) -> AttackSpec:
        """As many random points of the budget, of which the best is taken."""
        return AttackSpec("redraws")

    @classmethod
    def control_of(cls, parameters: Mapping[str, Any]) -> AttackSpec:
        """That, with as many questions about the same loss."""
        kept = {name: value for name, value in parameters.items() if name in ("queries", "loss", "target")}
        return AttackSpec("redraws", kept)

    @property
    def step_work(self) -> Work:
        """Its questions."""
        return Work(steps=1, queries=self.config.queries)

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Searches until all questions are asked."""
        return self.search(self.climb(victim, obs, draws), obs, reach, draws)

    @abstractmethod
    def search(self, climb: Climb, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Returns the points that were found.

        Args:
            climb: The loss.
            obs: Where to start, shape (slots, *observation).
            reach: What they may become.
            draws: Random numbers, a stream a slot.
        """


class Redraws(QueryAttack[QueryConfig]):
    """The best of as many random directions as questions: what a search must beat."""

    name = "redraws"
    title = "Redrawn noise"
    is_control = True
    config_type = QueryConfig

    def search(self, climb: Climb, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Draws, asks, keeps the better."""
        best = Best(climb, reach, obs, reach.random(obs, draws))
        while best.spent < self.config.queries:
            best.offer(reach.random(obs, draws))
        return best.point
