"""Projected gradient descent on observations (Madry et al. 2018, sec. 2.1)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from rlattack.attacks.base import Attack
from rlattack.attacks.objective import Objective
from rlattack.attacks.streams import Streams
from rlattack.attacks.target import Target
from rlattack.budget import Ball, Norm
from rlattack.errors import InvalidInput

__all__ = ["PGD", "PGDConfig"]


@dataclass(frozen=True, kw_only=True)
class PGDConfig:
    """Parameters of `pgd`."""

    steps: int = 10
    """Gradient steps an observation and restart, at least 1."""
    step: float | None = None
    """Length of a step in units of eps; by default 2.5 * eps / steps."""
    random_start: bool = True
    """Starts from a random point of the budget instead of the clean observation."""
    restarts: int = 1
    """Runs; the point of highest loss is kept."""
    loss: Literal["ce", "margin"] = "ce"
    """Cross-entropy, or the margin between scores."""
    target: int | Literal["least"] | None = None
    """An action to push towards, or `least`, the least likely one; untargeted by default."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            InvalidInput: No steps, no restarts, a step that goes nowhere, or restarts that all start alike.
        """
        if self.steps < 1 or self.restarts < 1:
            raise InvalidInput(f"pgd: steps and restarts are at least 1, got {self.steps} and {self.restarts}")
        if self.step is not None and not self.step > 0:
            raise InvalidInput(f"pgd: step is above 0, got {self.step}")
        if self.restarts > 1 and not self.random_start:
            raise InvalidInput("pgd: restarts need random_start=true, else all start alike")


class PGD(Attack[PGDConfig]):
    """Ascends the victim's loss inside the budget, `steps` times."""

    name = "pgd"
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2", "l1")
    config_type = PGDConfig

    def check(self, actions: int) -> None:
        """See `Attack`."""
        self._objective.check(actions)

    @property
    def _objective(self) -> Objective:
        return Objective(self.config.loss, self.config.target)

    def perturb(self, victim: Target, obs: Tensor, ball: Ball, rng: Streams) -> Tensor:
        """See `Attack`."""
        best = self._ascend(victim, obs, ball, rng)
        if self.config.restarts == 1:
            return best
        highest = self._objective.rows(victim, victim(best))
        for _ in range(self.config.restarts - 1):
            adv = self._ascend(victim, obs, ball, rng)
            loss = self._objective.rows(victim, victim(adv))
            better = loss > highest
            best = torch.where(better.view(-1, *[1] * (obs.ndim - 1)), adv, best)
            highest = torch.maximum(loss, highest)
        return best

    def _ascend(self, victim: Target, obs: Tensor, ball: Ball, rng: Streams) -> Tensor:
        eps, config = self.budget.eps, self.config
        length = (2.5 * eps / config.steps if config.step is None else config.step) / eps * ball.radius
        adv = self._random_point(obs, ball, rng) if config.random_start else obs
        for _ in range(config.steps):
            grad = self._objective.gradient(victim, adv)
            adv = ball.project(ball.ascend(adv, grad, length), obs)
        return adv

    @staticmethod
    def _random_point(obs: Tensor, ball: Ball, rng: Streams) -> Tensor:
        shape = obs.shape[1:]
        if ball.norm == "linf":
            return ball.spread(rng.uniform(*shape), obs, obs)
        direction = rng.normal(*shape) if ball.norm == "l2" else rng.laplace(*shape)
        return ball.spread(rng.uniform(1), direction, obs)
