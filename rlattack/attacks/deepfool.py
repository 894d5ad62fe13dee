"""DeepFool: the smallest change of what a victim sees that changes what it does (Moosavi-Dezfooli et al. 2016, alg. 2).

It has no size to keep: how large its perturbations are is the result. A size given for other attacks is ignored.
Beyond the paper, what the victim sees stays in the range of the game: entries at an end of it are moved no further.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.attack import AttackSpec, Config, ObservationAttack, Setting
from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import ILLEGAL, Actions, Categorical
from rlattack.policies.policy import Output


@dataclass(frozen=True, kw_only=True)
class DeepFoolConfig:
    """Parameters of `deepfool`, by default those of the paper and its authors' code."""

    steps: int = 50
    """Steps at most, each to where the victim would choose otherwise if it were linear."""
    overshoot: float = 0.02
    """By how much of its length a perturbation goes beyond the boundary."""
    candidates: int = 10
    """How many other actions are tried in each step, the best scored ones: one gradient each."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.candidates < 1:
            raise InvalidInput(f"deepfool: steps and candidates are at least 1, got {self.steps} and {self.candidates}")
        if not 0 <= self.overshoot < math.inf:
            raise InvalidInput(f"deepfool: overshoot is a number of at least 0, got {self.overshoot}")


class Minimal(ObservationAttack[Config, Ball]):
    """Looks for the smallest perturbation that changes the victim's choice, in place of keeping a size."""

    reaches: ClassVar[tuple[str, ...]] = ("l2", "linf")
    needs: ClassVar[frozenset[type[Actions]]] = frozenset({Categorical})
    sized = False

    @classmethod
    def control(cls) -> AttackSpec:
        """A random direction, as far as it takes."""
        return AttackSpec("direction")

    def check(self, setting: Setting) -> None:
        """Refuses a game in which nothing else can be done.

        Raises:
            InvalidInput: It has one action.
        """
        actions = setting.actions
        if isinstance(actions, Categorical) and actions.scores.shape[1] < 2:
            raise InvalidInput(f"expected a game with a choice of actions, got {actions.scores.shape[1]}")


class DeepFool(Minimal[DeepFoolConfig]):
    """Looks for the smallest perturbation that changes the victim's choice; where it finds none, it does nothing."""

    name = "deepfool"
    title = "DeepFool"
    config_type = DeepFoolConfig

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Adds up steps to the boundary until the victim, shown what it would receive, chooses otherwise."""
        adv, total, searching = obs, torch.zeros_like(obs), victim.active
        for step in range(self.config.steps + 1):
            out = victim(adv, only=searching)
            searching = searching & (out.actions.greedy == victim.labels)
            if step == self.config.steps or not searching.any():
                break
            total = total + self._to_boundary(victim, adv, out, searching, reach)
            moved = reach.settle(obs + (1 + self.config.overshoot) * total, obs)
            adv = torch.where(rowwise(searching, obs), moved, adv)
        return torch.where(rowwise(searching, obs), obs, adv)

    def _to_boundary(self, victim: Target, point: Tensor, out: Output, searching: Tensor, reach: Ball) -> Tensor:
        """The shortest step to where another action scores as high, if scores were linear (eq. 8, 9 and 11)."""
        assert isinstance(out.actions, Categorical), "declared in `needs`"
        scores, label = out.actions.scores, victim.labels[:, None]
        gaps = scores - scores.gather(1, label)
        others = gaps.scatter(1, label, -torch.inf).topk(min(self.config.candidates, scores.shape[1] - 1), dim=1)
        nearest, shortest = torch.full((victim.slots,), torch.inf), torch.zeros_like(point)
        for gap, other in zip(others.values.T, others.indices.T, strict=True):
            gap_to = partial(_gap, other=other[:, None], label=label)
            slope = _inwards(victim.gradient(point, gap_to, only=searching), point, reach)
            direction = reach.ascend(torch.zeros_like(point), slope, 1.0)
            gain = (slope * direction).flatten(1).sum(dim=1)  # of a step of length 1: the dual norm of the slope
            distance = torch.where((gain > 0) & (gap > ILLEGAL / 2), gap.abs() / gain, torch.inf)
            shortest = torch.where(rowwise(distance < nearest, point), rowwise(distance, point) * direction, shortest)
            nearest = torch.minimum(nearest, distance)
        return shortest


def _inwards(slope: Tensor, point: Tensor, reach: Ball) -> Tensor:
    """The slope without entries that it would move beyond an end of their range, where they are already."""
    outwards = ((slope > 0) & (point >= reach.high)) | ((slope < 0) & (point <= reach.low))
    return slope.masked_fill(outwards, 0)


def _gap(out: Output, other: Tensor, label: Tensor) -> Tensor:
    """How far the scores of other actions are above those of the labels, summed over the batch."""
    assert isinstance(out.actions, Categorical), "declared in `needs`"
    return (out.actions.scores.gather(1, other) - out.actions.scores.gather(1, label)).sum()
