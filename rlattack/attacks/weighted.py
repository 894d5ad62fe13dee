"""The smallest change as a trade: its size plus a weight times how far the victim is from another choice.

The smallest weight at which the choice changes is looked for in each slot by tenfold and halved steps (Carlini and
Wagner 2017, sec. V; the line search of Szegedy et al. 2014, sec. 4.1).
"""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

import torch
from torch import Tensor

from rlattack.attacks.aim import Aim
from rlattack.attacks.minimal import Minimal, Rows, Smallest, Turn
from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.policies.policy import Output
from rlattack.specs import Count, NotNegative, Positive, Range


@dataclass(frozen=True, kw_only=True)
class WeightedConfig(Aim):
    """The parameters of attacks that trade size for another choice."""

    steps: Count = 50
    """Gradients for each weight."""
    searches: Count = 6
    """Weights that are tried."""
    weight: Positive = 1e-3
    """The first of them, in units of the space squared by score."""
    halvings: Annotated[int, Range(least=0)] = 5
    """How often, beyond the papers, the way to what was found is halved in the end."""


@dataclass(frozen=True, kw_only=True)
class HingedConfig(WeightedConfig):
    """Those of attacks that need scores to be apart, and have steps of a length."""

    step: Positive = 0.01
    """Length of the first steps, where the range of what is seen is 1."""
    confidence: NotNegative = 0.0
    """By how much the score of another action must be above; kappa in the papers."""


@dataclass(frozen=True)
class Trade:
    """What is minimised at one weight.

    Attributes:
        turn: What is to become of the choice.
        obs: The observations of the step, shape (slots, *observation).
        reach: In which perturbations are measured.
        weight: Of the loss beside the size, shape (slots,).
        searching: The slots that count.
        best: The smallest perturbations so far, of all weights.
        confidence: By how much scores must be apart where the choice counts as changed.
    """

    turn: Turn
    obs: Tensor
    reach: Ball
    weight: Tensor
    searching: Tensor
    best: Smallest
    confidence: float = 0.0

    def slope(self, point: Tensor, rows: Rows) -> tuple[Tensor, Tensor, Output]:
        """Gradient of weighted losses in units of the space, shape (slots, *observation), the losses, the output."""
        grad, loss, out = self.turn.slope(point, lambda out: self.weight * rows(out), self.searching)
        return self.reach.only_free(grad * self.reach.scale), loss, out

    def delta(self, point: Tensor) -> Tensor:
        """Perturbations in units of the space, shape (slots, *observation)."""
        return (point - self.obs) / self.reach.scale

    def hinge(self, out: Output) -> Tensor:
        """How far scores are from being so far apart, at least 0, shape (slots,) (f6 of Carlini and Wagner 2017)."""
        return (self.turn.gap(out) + self.confidence).clamp_min(0)

    def offer(self, shown: Tensor, out: Output) -> Tensor:
        """Takes settled points with the output there, where that is enough; says where it is."""
        enough = self.enough(out) & self.searching
        self.best.offer(shown, enough)
        return enough

    def enough(self, out: Output) -> Tensor:
        """Where the choice has changed, and scores are so far apart, bool, shape (slots,)."""
        return self.turn.done(out) & (self.turn.gap(out) <= -self.confidence)


Config = TypeVar("Config", bound=WeightedConfig)


class Weighted(Minimal[Config]):
    """Looks for the smallest perturbation by the smallest weight that is enough; an attack writes how it minimises."""

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Minimises at each weight, and keeps the smallest perturbation of all."""
        out, best = victim(obs), Smallest(obs, reach)
        turn = self.turn(victim, obs)
        best.offer(obs, turn.done(out))
        searching = victim.active & ~best.found
        weight = torch.full((len(obs),), self.config.weight)
        low, high = torch.zeros_like(weight), torch.full_like(weight, torch.inf)
        trade = Trade(turn, obs, reach, weight, searching, best, getattr(self.config, "confidence", 0.0))
        for _ in range(self.config.searches if searching.any() else 0):
            enough = self.minimise(replace(trade, weight=weight))
            low, high = torch.where(enough, low, weight), torch.where(enough, weight, high)
            weight = torch.where(high.isinf(), 10 * weight, (low + high) / 2)
        return best.shortened(victim, trade.enough, searching, self.config.halvings)

    @abstractmethod
    def minimise(self, trade: Trade) -> Tensor:
        """Offers what it finds at one weight; says where the choice changed, bool, shape (slots,)."""
