"""Consistent adversarial robustness: CAR-DQN (Li et al. 2024, sec. 4.3) and CAR-PPO (Li et al. 2025)."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from rlattack.specs import Count, Positive
from rlattack.training.hardening.actor import Actor
from rlattack.training.hardening.learners import Minibatch, Transitions
from rlattack.training.hardening.loss import LossRegime
from rlattack.training.hardening.ramp import Ramped
from rlattack.training.hardening.search import ascend
from rlattack.training.hardening.vicinity import Vicinity


@dataclass(frozen=True, kw_only=True)
class CARConfig(Ramped):
    """Parameters of `car`."""

    temperature: Positive = 1.0
    """Lambda of the paper: small, and only the worst states of a batch count; large, and all count alike."""
    solver: Literal["pgd", "convex"] = "pgd"
    """Finds the worst loss in a box by gradients, or bounds it by intervals."""
    steps: Count = 10
    """Of pgd."""


class CAR(LossRegime[CARConfig]):
    """Minimises the worst loss of each state in its box, worst states most: CAR-DQN and CAR-PPO (Li et al. 2024)."""

    name = "car"
    algorithms: ClassVar[tuple[str, ...]] = ("ppo", "dqn")
    config_type: ClassVar[type[Any]] = CARConfig

    def policy(self, actor: Actor, vicinity: Vicinity, batch: Minibatch) -> Tensor:
        """PPO's loss of each state at its worst."""

        def rows(point: Tensor) -> Tensor:
            return batch.surrogate(actor.log_prob(actor(point), batch.action))

        if self.config.solver == "pgd":
            return softly(rows(ascend(rows, batch.seen, vicinity, self.config.steps)), self.config.temperature)
        found = actor.log_prob_bounds(vicinity.box(batch.seen), batch.action)
        worst = batch.surrogate(torch.where(batch.advantages >= 0, found.lower, found.upper))
        return softly(worst, self.config.temperature)

    def values(self, actor: Actor, vicinity: Vicinity, batch: Transitions) -> Tensor:
        """The error of the value of what was done, of each state at its worst."""
        own = batch.action[:, None]

        def rows(point: Tensor) -> Tensor:
            return batch.error(actor(point).gather(1, own).squeeze(1))

        if self.config.solver == "pgd":
            return softly(rows(ascend(rows, batch.seen, vicinity, self.config.steps)), self.config.temperature)
        found = actor.bounds(vicinity.box(batch.seen))
        lower, upper = (batch.error(end.gather(1, own).squeeze(1)) for end in (found.lower, found.upper))
        return softly(torch.maximum(lower, upper), self.config.temperature)


def softly(rows: Tensor, temperature: float) -> Tensor:
    """The mean of losses with weights that grow exponentially with them (Li et al. 2024, eq. 8), a scalar.

    Args:
        rows: Shape (n,).
        temperature: Lambda.
    """
    return ((rows.detach() / temperature).softmax(dim=0) * rows).sum()
