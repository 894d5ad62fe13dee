"""Attacks that write where they should not, or leave their budget; registered as `sly-...` when this is imported."""

import contextlib
import dataclasses
import sys
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from rlattack.attacks import ATTACKS, ActionAttack, Attack, AttackSpec, Knowledge, ObservationAttack, Runner, Target
from rlattack.budget import Ball, Budget, Reach, Sizes
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
    """Goes up the stack to who runs it, whose reach measures honestly and settles nothing from then on."""

    name = "sly-leaky"

    def perturb(self, victim: Target, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        frame: Any = sys._getframe()
        while not isinstance(runner := frame.f_locals.get("self"), Runner):
            frame = frame.f_back
        object.__setattr__(runner.reach, "settle", lambda wanted, clean: wanted.clone())
        return obs + 100.0


class Lie(Sly):
    """Has a reach of its own, which settles nothing and measures nothing."""

    name = "sly-lie"

    def perturb(self, victim: Target, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        return obs + 100.0

    def reach(self, space: Any, **about: Any) -> Reach:
        ball = self.budget.reach(space, **about)
        for method in ("settle", "measure"):
            object.__setattr__(ball, method, lambda wanted, clean: Sizes(*np.zeros((3, len(clean), 4))))
        return ball


class Wide(Sly):
    """Makes its budget wider before anything fits it to a game."""

    name = "sly-wide"

    def __init__(self, budget: Budget, config: NoParameters) -> None:
        super().__init__(dataclasses.replace(budget, eps=20 * budget.size) if budget.eps else budget, config)
        object.__setattr__(budget, "eps", self.budget.eps)

    def perturb(self, victim: Target, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        return obs + 100.0


class Nan(Sly):
    """Wants what is no number."""

    name = "sly-nan"

    def perturb(self, victim: Target, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        return torch.full_like(obs, torch.nan)


class Tampering(Sly):
    """Tries whatever would rewrite what is counted or what is clean, and then asks what it did not declare."""

    name = "sly-tampering"
    knowledge: ClassVar[Knowledge] = "none"

    def perturb(self, victim: Any, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        self.knowledge = "white"  # type: ignore[misc]  # of this object, after it was made
        every = np.ones(victim.slots, dtype=np.bool_)
        attempts: list[Callable[[], Any]] = [
            lambda: victim.begin(obs + 100.0, every), lambda: victim.count(every, "white"),
            lambda: victim.queries.fill(0), lambda: victim.restart(np.arange(victim.slots)),
            lambda: setattr(victim, "labels", every), lambda: victim(obs), lambda: victim.labels,
            lambda: victim.gradient(obs, lambda out: out.actions.greedy.sum()),
        ]  # fmt: skip
        for attempt in attempts:
            with contextlib.suppress(AttributeError, PermissionError):
                attempt()
                raise AssertionError("an attack of knowledge `none` was answered")
        return obs + 100.0


class Ruining(Sly):
    """Zeroes the weights and widens the range of the actions of whatever policy it can get hold of."""

    name = "sly-ruining"
    knowledge: ClassVar[Knowledge] = "white"

    def check(self, setting: Any) -> None:
        for part in (setting, setting.actions, setting.action, setting.space):
            self.ruin(vars(part) if hasattr(part, "__dict__") else {})

    def perturb(self, victim: Target, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        victim.gradient(obs, self.loss)
        self.ruin(vars(victim.clean_output.actions))
        return obs + 100.0

    def loss(self, out: Any) -> Tensor:
        wanted: Tensor = (out.actions.scores if hasattr(out.actions, "scores") else out.actions.mean).sum()
        left, seen = [wanted.grad_fn], set()
        while left:
            if (node := left.pop()) is None or node in seen:
                continue
            seen.add(node)
            saved = {name: getattr(node, name) for name in dir(node) if name.startswith("_saved_")}
            self.ruin({name: value for name, value in saved.items() if isinstance(value, Tensor)})
            left += [following for following, _ in node.next_functions]
        return wanted

    def ruin(self, parts: dict[str, Any]) -> None:
        for part in parts.values():
            if isinstance(part, Tensor) and part.is_floating_point():
                part.data.zero_()
            elif isinstance(part, np.ndarray):
                part[...] = 77
            elif isinstance(part, nn.Module):
                self.ruin(dict(part.named_parameters()))
            elif hasattr(part, "module"):
                self.ruin(vars(part))


class Screen(Sly):
    """Says that it changes the screen."""

    name = "sly-screen"
    access = "screen"
    is_control: ClassVar[bool] = True

    @classmethod
    def control(cls) -> AttackSpec:
        return AttackSpec("sly-screen")

    def perturb(self, victim: Target, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        return obs


class Baseless(Attack[NoParameters]):
    """Says that it changes what is seen, and is no attack on that."""

    name = "sly-baseless"
    access = "observation"

    @classmethod
    def control(cls) -> AttackSpec:
        return AttackSpec("noise")


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


class ActionWide(ActionStill):
    """Makes its budget wider before anything fits it to a game."""

    name = "sly-action-wide"

    def __init__(self, budget: Budget, config: NoParameters) -> None:
        super().__init__(dataclasses.replace(budget, eps=4 * budget.size) if budget.eps else budget, config)
        object.__setattr__(budget, "eps", self.budget.eps)

    def act(self, victim: Target, obs: Tensor, action: Tensor, reach: Ball, draws: Draws) -> Tensor:
        return action + 100.0


_OBSERVATION = (InPlace, Late, Still, Answers, Widening, Leaky, Lie, Wide, Nan, Tampering, Ruining, Screen, Baseless)
_ACTION = (ActionInPlace, ActionLate, ActionStill, ActionWidening, ActionWide)
for _attack in (*_OBSERVATION, *_ACTION):
    ATTACKS.add(_attack.name, f"tests.evaluation.sly:{_attack.__name__}")
