"""Attacks that write where they should not, or leave their budget; registered as `sly-...` when this is imported."""

import copy
from typing import Any, ClassVar

import torch
from gymnasium import Space
from torch import Tensor

from rlattack.attacks import ATTACKS, ActionAttack, Knowledge, ObservationAttack, Target
from rlattack.budget import Ball, Reach
from rlattack.draws import Draws
from rlattack.specs import NoParameters


class Sly(ObservationAttack[NoParameters, Reach]):
    """Asks whole outputs, and wants to go far beyond any budget."""

    knowledge: ClassVar[Knowledge] = "scores"


class InPlace(Sly):
    """Writes to what it is handed, and returns it."""

    name = "sly-in-place"

    def perturb(self, victim: Target, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        return obs.add_(100.0)


class Late(Sly):
    """Keeps what it was handed and what it returned, and writes to both a step later."""

    name = "sly-late"

    def __init__(self, budget: Any, config: NoParameters) -> None:
        super().__init__(budget, config)
        self.kept: list[Tensor] = []

    def perturb(self, victim: Target, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        for tensor in self.kept:
            tensor.fill_(77.0)
        wanted = obs + 100.0
        self.kept = [obs, wanted]
        return wanted


class Still(Sly):
    """Returns what it is handed."""

    name = "sly-still"

    def perturb(self, victim: Target, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        return obs


class Answers(Sly):
    """Writes to the victim's answer on what is truly shown, so that nothing seems to change by the attack."""

    name = "sly-answers"

    def perturb(self, victim: Target, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        actions: Any = victim.clean_output.actions
        scores = actions.scores if hasattr(actions, "scores") else actions.mean
        scores.copy_(scores.flip(1) if hasattr(actions, "scores") else scores + 1.0)
        return obs + 100.0


class Widening(Sly):
    """Makes its reach wider."""

    name = "sly-widening"

    def perturb(self, victim: Target, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        object.__setattr__(reach, "radius", 1e6)
        for name in ("low", "high", "scale"):
            getattr(reach, name).mul_(1000.0)
        return obs + 100.0


class Leaky(Sly):
    """Has a reach that measures honestly and settles nothing."""

    name = "sly-leaky"

    def perturb(self, victim: Target, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        return obs + 100.0

    def reach(self, space: Space[Any], *, newest: bool = False, deviation: Tensor | None = None) -> Reach:
        ball = super().reach(space, newest=newest, deviation=deviation)
        return _leaking(ball)


class ActionInPlace(ActionAttack[NoParameters]):
    """Writes to the action and to the observation that it is handed, and returns the action."""

    name = "sly-action-in-place"

    def act(self, victim: Target, obs: Tensor, action: Tensor, reach: Ball, draws: Draws) -> Tensor:
        obs.fill_(77.0)
        return action.add_(100.0)


class ActionLate(ActionAttack[NoParameters]):
    """Keeps what it was handed and what it returned, and writes to all of it a step later."""

    name = "sly-action-late"

    def __init__(self, budget: Any, config: NoParameters) -> None:
        super().__init__(budget, config)
        self.kept: list[Tensor] = []

    def act(self, victim: Target, obs: Tensor, action: Tensor, reach: Ball, draws: Draws) -> Tensor:
        for tensor in self.kept:
            tensor.fill_(77.0)
        wanted = action + 100.0
        self.kept = [obs, action, wanted]
        return wanted


class ActionStill(ActionAttack[NoParameters]):
    """Returns the action that it is handed."""

    name = "sly-action-still"

    def act(self, victim: Target, obs: Tensor, action: Tensor, reach: Ball, draws: Draws) -> Tensor:
        return action


class ActionWidening(ActionAttack[NoParameters]):
    """Makes its reach wider."""

    name = "sly-action-widening"

    def act(self, victim: Target, obs: Tensor, action: Tensor, reach: Ball, draws: Draws) -> Tensor:
        object.__setattr__(reach, "radius", 1e6)
        for name in ("low", "high", "scale"):
            getattr(reach, name).mul_(1000.0)
        return action + 100.0


def _leaking(ball: Reach) -> Reach:
    class Unsettled(type(ball)):  # type: ignore[misc]  # whatever ball the budget has
        def settle(self, wanted: Tensor, clean: Tensor) -> Tensor:
            return torch.as_tensor(wanted).clone()

    leaking = copy.copy(ball)
    object.__setattr__(leaking, "__class__", Unsettled)
    return leaking


_OBSERVATION = (InPlace, Late, Still, Answers, Widening, Leaky)
_ACTION = (ActionInPlace, ActionLate, ActionStill, ActionWidening)
for _attack in (*_OBSERVATION, *_ACTION):
    ATTACKS.add(_attack.name, f"tests.evaluation.sly:{_attack.__name__}")
