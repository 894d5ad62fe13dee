"""One perturbation for all that a victim sees (Moosavi-Dezfooli et al. 2017, eq. 1), learned before it plays.

It is found by stochastic gradient ascent over tuning episodes (Shafahi et al. 2020, alg. 2), and is what Tekgul et al.
2022 add to the whole stack of frames (UAP-S) or, in the `frame` model, to every frame (UAP-O): at play it asks nothing.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.attacks.attack import Fitted, Tuning
from rlattack.attacks.objective import GradientAttack, Objective
from rlattack.attacks.target import Target
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
        assert isinstance(tuning.reach, Ball), "declared in `reaches`"
        batches = list(tuning.observations(-(-self.config.states // tuning.victim.slots)))
        climb = _Climb(self.config, tuning, tuning.reach)
        delta = climb.start(batches[0], tuning.draws)
        rounds = self.config.epochs * len(batches)
        first = max(_STEP, 2 * _WAY / rounds)
        for number in range(rounds):
            delta = climb.step(delta, batches[number % len(batches)], first * (1 - number / rounds))
        changed = sum(climb.changed(delta, batch) for batch in batches)
        states = sum(map(len, batches))
        return Fitted({"delta": delta[0].clone()}, {"states": states, "action_change": changed / states})

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Adds what was learned.

        Raises:
            InvalidInput: Nothing was learned yet.
        """
        if "delta" not in self.learned.tensors:
            raise InvalidInput("attack universal learns on tuning episodes first: play it by `rlattack.evaluate`")
        return obs + self.learned.tensors["delta"]


class _Climb:
    """Ascends the loss of a victim at observations that all have the same perturbation, shape (1, *observation)."""

    def __init__(self, objective: Objective, tuning: Tuning, reach: Ball) -> None:
        self.objective, self.tuning, self.victim, self.reach = objective, tuning, tuning.victim, reach
        endless = torch.full_like(reach.low, torch.inf)
        self.perturbations = replace(reach, low=-endless, high=endless)  # around 0, of whatever is perturbed

    def start(self, like: Tensor, draws: Draws) -> Tensor:
        """A random perturbation within the reach."""
        return self._spread(self.perturbations.random_point(torch.zeros_like(like), draws)[:1])

    def step(self, delta: Tensor, shown: Tensor, length: float) -> Tensor:
        """A step up the loss of a batch, `length` times the reach long, and back into the reach."""
        grad = self.objective.gradient(self.victim, self._received(delta, shown)).sum(dim=0, keepdim=True)
        shared = grad.view(1, -1, self.reach.entries).sum(dim=1).repeat(1, grad[0].numel() // self.reach.entries)
        moved = self.perturbations.ascend(delta, shared.view_as(delta), length * self.reach.radius)
        return self._spread(self.perturbations.project(moved, torch.zeros_like(moved)))

    def changed(self, delta: Tensor, shown: Tensor) -> float:
        """How many of a batch it makes the victim do something else."""
        received = self._received(delta, shown)
        return float(self.victim(received).actions.moved(self.victim.clean_output.actions).sum())

    def _received(self, delta: Tensor, shown: Tensor) -> Tensor:
        self.tuning.begin(shown)
        received = shown + delta
        return received.clamp(self.reach.low, self.reach.high)

    def _spread(self, delta: Tensor) -> Tensor:
        """The same in all stacked frames where only the newest may change: each was the newest once."""
        entries = self.reach.entries
        return delta.flatten(1)[:, -entries:].repeat(1, delta[0].numel() // entries).view_as(delta)
