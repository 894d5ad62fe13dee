"""One perturbation for all that a victim sees (Moosavi-Dezfooli et al. 2017, eq. 1), learned before it plays.

It is found over tuning episodes by stochastic gradient ascent (Shafahi et al. 2020, alg. 2), or by adding up the
smallest steps that turn the victim (`rule=deepfool`; Moosavi-Dezfooli et al. 2017, alg. 1: they take one state after
another, here it is the mean of the steps of a batch, one state in each of the slots).
It is added to the whole stack of frames (UAP-S of Tekgul et al. 2022) or, in the `frame` model, is the same
in every frame (UAP-O): at play it asks nothing.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.attack import Setting
from rlattack.attacks.boundary import to_boundary
from rlattack.attacks.minimal import Turn
from rlattack.attacks.objective import GradientAttack, Objective
from rlattack.attacks.target import Target
from rlattack.attacks.tuning import STRIDE, States, Tuning
from rlattack.attacks.words import Fitted, Work
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import Categorical, kinds
from rlattack.specs import Count

_STEP, _WAY = 0.1, 4.0
"""Length of the first step of an ascent, as a share of the reach, and at least of all steps together."""
_TURNS, _CANDIDATES, _OVERSHOOT = 10, 10, 0.02
"""Steps at most by which a state is turned, other actions that are tried in each, and how far beyond the boundary one
goes: as in the code of Moosavi-Dezfooli et al. 2017."""


@dataclass(frozen=True, kw_only=True)
class UniversalConfig(Objective):
    """Parameters of `universal`."""

    rule: Literal["ascent", "deepfool"] = "ascent"
    """How it is found: up the loss, or by the smallest steps to where the victim would choose otherwise, of victims
    with actions to choose from, for which there is no loss to name."""
    states: States = 1500
    """Observations of tuning episodes that it learns from."""
    epochs: Count = 3
    """How often it goes through them."""

    def check(self, setting: Setting) -> None:
        """Checks the objective, and that there are boundaries where it goes to them.

        Raises:
            InvalidInput: A parameter that does not fit the policy, or the rule.
        """
        super().check(setting)
        if self.rule == "ascent":
            return
        if not isinstance(setting.actions, Categorical):
            raise InvalidInput(f"rule=deepfool: expected {kinds([Categorical])} actions; rule=ascent takes others")
        if self.loss is not None or self.eot is not None:
            raise InvalidInput("rule=deepfool goes to boundaries: loss= and eot= are for rule=ascent")


class Universal(GradientAttack[UniversalConfig]):
    """Adds the same perturbation to everything, the one that turned the victim most over tuning episodes."""

    name = "universal"
    title = "A universal perturbation"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    fitted = True
    config_type = UniversalConfig
    starts_clean = False  # but at a random perturbation, or by steps that are no slope of a loss

    def fit(self, tuning: Tuning) -> Fitted:
        """Goes through batches of states in turn, and moves the one perturbation by what each asks for."""
        victim, reach = tuning.victim, tuning.reach
        assert isinstance(reach, Ball), "declared in `reaches`"
        endless = torch.full_like(reach.low, torch.inf)
        around_0 = replace(reach, low=-endless, high=endless)  # perturbations, of whatever is perturbed
        batches = list(tuning.observations(-(-self.config.states // victim.slots)))
        rounds = self.config.epochs * len(batches)
        delta = torch.zeros_like(batches[0][:1])
        if self.config.rule == "ascent":
            delta = around_0.random_point(torch.zeros_like(batches[0]), tuning.draws)[:1]
        delta = _everywhere(delta, reach)
        for number in range(rounds):
            shown = batches[number % len(batches)]
            tuning.begin(shown)
            if self.config.rule == "ascent":
                length = max(_STEP, 2 * _WAY / rounds) * (1 - number / rounds) * reach.radius
                moved = around_0.ascend(delta, self._slope(tuning, shown, delta, reach), length)
            else:
                moved = delta + self._turning(victim, shown, delta, reach)
            delta = _everywhere(around_0.project(moved, torch.zeros_like(moved)), reach)
        changed = 0.0
        for shown in batches:
            tuning.begin(shown)
            received = _received(shown, delta, reach)
            changed += float(victim(received).actions.moved(victim.clean_output.actions).sum())
        states = sum(map(len, batches))
        return Fitted({"delta": delta[0].clone()}, {"states": states, "action_change": changed / states})

    def work(self, length: float) -> Work:
        """Steps of which some are looked at, and climbed in as often as there are epochs."""
        return Work(steps=STRIDE * self.config.states, gradients=self.config.epochs * self.config.states)

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Adds what was learned.

        Raises:
            InvalidInput: Nothing was learned yet.
        """
        return obs + self.known("delta")

    def _slope(self, tuning: Tuning, shown: Tensor, delta: Tensor, reach: Ball) -> Tensor:
        """Where the loss of a batch ascends, summed over it, shape (1, *observation)."""
        climb = self.climb(tuning.victim, shown, tuning.draws)
        return _summed(climb.gradient(_received(shown, delta, reach)).sum(dim=0, keepdim=True), reach)

    def _turning(self, victim: Target, shown: Tensor, delta: Tensor, reach: Ball) -> Tensor:
        """What turns the states of a batch that are not turned yet, their mean, shape (1, *observation)."""
        turn = Turn(victim, self.config.goal(victim, shown, self._leader), self.config.target is not None)
        total, searching = torch.zeros_like(shown), victim.active
        asked = torch.zeros_like(searching)
        for _ in range(_TURNS):
            point = _received(shown, delta + (1 + _OVERSHOOT) * total, reach)
            out = victim(point, only=searching)
            searching = searching & ~turn.done(out)
            if not searching.any():
                break
            asked |= searching
            step = to_boundary(turn, point, out, _CANDIDATES, searching, reach, partial(_summed, reach=reach))
            total = total + rowwise(searching, step) * _everywhere(step, reach)
        return (1 + _OVERSHOOT) * total.sum(dim=0, keepdim=True) / asked.sum().clamp_min(1)


def _received(shown: Tensor, delta: Tensor, reach: Ball) -> Tensor:
    return (shown + delta).clamp(reach.low, reach.high)


def _frames(perturbation: Tensor, reach: Ball) -> Tensor:
    """What may change of each stacked frame: one where all may at once; shape (n, frames, entries)."""
    return perturbation.view(len(perturbation), -1, reach.block)


def _everywhere(perturbation: Tensor, reach: Ball) -> Tensor:
    """What was done to the newest frame in all of them where it alone may change: each was the newest once."""
    return _frames(perturbation, reach)[:, -1:].expand_as(_frames(perturbation, reach)).reshape(perturbation.shape)


def _summed(slope: Tensor, reach: Ball) -> Tensor:
    """Slopes of frames that are all changed alike: their sum, in each."""
    frames = _frames(slope, reach)
    return frames.sum(dim=1, keepdim=True).expand_as(frames).reshape(slope.shape)
