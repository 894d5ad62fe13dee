"""One perturbation for all that a victim sees (Moosavi-Dezfooli et al. 2017, eq. 1), learned before it plays.

It is found by stochastic gradient ascent over tuning episodes (Shafahi et al. 2020, alg. 2), and is what Tekgul et al.
2022 add to the whole stack of frames (UAP-S) or, in the `frame` model, to every frame (UAP-O): at play it asks nothing.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.attacks.attack import Fitted
from rlattack.attacks.objective import GradientAttack, Objective
from rlattack.attacks.target import Target
from rlattack.attacks.tuning import Tuning
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.errors import InvalidInput

_STEP, _WAY = 0.1, 4.0
"""Length of the first step, as a share of the reach, and at least of all steps together."""


@dataclass(frozen=True, kw_only=True)
class UniversalConfig(Objective):
    """Parameters of `universal`."""

    states: int = 1500
    """Observations of tuning episodes that it learns from."""
    epochs: int = 3
    """How often it goes through them."""

    def __post_init__(self) -> None:
        if self.states < 1 or self.epochs < 1:
            raise InvalidInput(f"universal: states and epochs are at least 1, got {self.states} and {self.epochs}")


class Universal(GradientAttack[UniversalConfig]):
    """Adds the same perturbation to everything, the one that raised the victim's loss most over tuning episodes."""

    name = "universal"
    title = "A universal perturbation"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    fitted = True
    config_type = UniversalConfig
    starts_clean = False  # but at a random perturbation

    def fit(self, tuning: Tuning) -> Fitted:
        """Ascends the loss of batches of states in turn, by steps whose length falls to 0."""
        victim, reach = tuning.victim, tuning.reach
        assert isinstance(reach, Ball), "declared in `reaches`"
        endless = torch.full_like(reach.low, torch.inf)
        around_0 = replace(reach, low=-endless, high=endless)  # perturbations, of whatever is perturbed
        batches = list(tuning.observations(-(-self.config.states // victim.slots)))

        def received(shown: Tensor) -> Tensor:
            tuning.begin(shown)
            return (shown + delta).clamp(reach.low, reach.high)

        point = around_0.random_point(torch.zeros_like(batches[0]), tuning.draws)[:1]
        delta = _everywhere(_frames(point, reach)[:, -1], point)
        rounds = self.config.epochs * len(batches)
        first = max(_STEP, 2 * _WAY / rounds)
        for number in range(rounds):
            shown = batches[number % len(batches)]
            climb = self.climb(victim, shown, tuning.draws)
            grad = climb.gradient(received(shown)).sum(dim=0, keepdim=True)
            slope = _everywhere(_frames(grad, reach).sum(dim=1), grad)
            moved = around_0.ascend(delta, slope, first * (1 - number / rounds) * reach.radius)
            point = around_0.project(moved, torch.zeros_like(moved))
            delta = _everywhere(_frames(point, reach)[:, -1], point)
        changed = sum(
            float(victim(received(shown)).actions.moved(victim.clean_output.actions).sum()) for shown in batches
        )
        states = sum(map(len, batches))
        return Fitted({"delta": delta[0].clone()}, {"states": states, "action_change": changed / states})

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Adds what was learned.

        Raises:
            InvalidInput: Nothing was learned yet.
        """
        return obs + self.known("delta")


def _frames(perturbation: Tensor, reach: Ball) -> Tensor:
    """What may change of each stacked frame: one where all may at once; shape (1, frames, entries)."""
    return perturbation.view(1, -1, reach.block)


def _everywhere(frame: Tensor, like: Tensor) -> Tensor:
    """The same in all stacked frames where only the newest may change: each was the newest once."""
    return frame.repeat(1, like.numel() // frame.numel()).view_as(like)
