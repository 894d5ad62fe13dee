"""Ascent of a loss within a reach, several times: what attacks by many gradient steps share."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.objective import Climb, GradientAttack, Objective
from rlattack.attacks.target import Target
from rlattack.attacks.words import Work
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.specs import Count, Positive


@dataclass(frozen=True, kw_only=True)
class AscentConfig(Objective):
    """The parameters of attacks by many gradient steps."""

    steps: Count = 10
    """Gradient steps an observation and restart."""
    random_start: bool = True
    """Starts from a random point of the budget instead of the clean observation."""
    restarts: Count = 1
    """Runs; the point of highest loss is kept."""

    def __post_init__(self) -> None:
        if self.restarts > 1 and not self.random_start:
            raise InvalidInput("restarts need random_start=true, else all start alike")


@dataclass(frozen=True, kw_only=True)
class SteppedConfig(AscentConfig):
    """Parameters of attacks whose steps have one length."""

    step: Positive | None = None
    """Length of a step, per entry as eps is; by default 2.5 * eps / steps."""


Config = TypeVar("Config", bound=AscentConfig)


class Ascent(GradientAttack[Config]):
    """Ascends the victim's loss inside the budget; an attack writes how."""

    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")

    @property
    def starts_clean(self) -> bool:
        """Whether its first gradient is at the clean observation, where a divergence has no slope."""
        return not self.config.random_start

    @property
    def step_work(self) -> Work:
        """The slopes of every run."""
        return Work(steps=1, gradients=self.config.steps * self.config.restarts)

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Runs as often as it may, and keeps the point of highest loss in each slot."""
        climb = self.climb(victim, obs, draws)
        best = self._run(climb, obs, reach, draws)
        if self.config.restarts == 1:
            return best
        best, highest = self._received(climb, obs, reach, best)
        for _ in range(self.config.restarts - 1):
            adv, loss = self._received(climb, obs, reach, self._run(climb, obs, reach, draws))
            best = torch.where(rowwise(loss > highest, obs), adv, best)
            highest = torch.maximum(loss, highest)
        return best

    @abstractmethod
    def ascend(self, climb: Climb, obs: Tensor, start: Tensor, reach: Ball) -> Tensor:
        """One run from a point of the reach around `obs`, shape (slots, *observation) both."""

    def _run(self, climb: Climb, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        start = reach.random_point(obs, draws) if self.config.random_start else obs
        return self.ascend(climb, obs, start, reach)

    def _received(self, climb: Climb, obs: Tensor, reach: Ball, adv: Tensor) -> tuple[Tensor, Tensor]:
        """The point as the victim will receive it, and its loss, so that runs are compared by what counts."""
        adv = reach.settle(adv, obs)
        return adv, climb.rows(adv)
