"""Bilevel adversarially robust policy optimisation: BAR-PPO (Li et al. 2026)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from torch import Tensor

from rlattack.specs import Count, NotNegative, Range
from rlattack.training.hardening.actor import Actor
from rlattack.training.hardening.learners import Minibatch
from rlattack.training.hardening.loss import LossRegime
from rlattack.training.hardening.ramp import Ramped
from rlattack.training.hardening.search import langevin
from rlattack.training.hardening.vicinity import Vicinity


@dataclass(frozen=True, kw_only=True)
class BARConfig(Ramped):
    """Parameters of `bar`."""

    kappa: Annotated[float, Range(least=0, most=1)] = 0.5
    """Weight of the loss under the adversary; the rest is that of clean states."""
    steps: Count = 10
    """Of the inner adversary."""
    temperature: NotNegative = 1e-5
    """Of the noise in its steps."""


class BAR(LossRegime[BARConfig]):
    """Minimises PPO's loss where an inner adversary moved the policy furthest: BAR-PPO (Li et al. 2026).

    That adversary raises the divergence from the policy at the clean state and knows nothing of advantages: it is not
    the strongest one, under which, they find, policies stay where they are.
    """

    name = "bar"
    config_type: ClassVar[type[Any]] = BARConfig

    def policy(self, actor: Actor, vicinity: Vicinity, batch: Minibatch) -> Tensor:
        """PPO's loss at both."""
        clean, config = actor(batch.seen).detach(), self.config
        moved = langevin(
            lambda point: actor.divergence(clean, actor(point)), batch.seen, vicinity, config.steps, config.temperature
        )
        attacked = batch.surrogate(actor.log_prob(actor(moved), batch.action)).mean()
        return (1 - config.kappa) * batch.surrogate(batch.log_prob).mean() + config.kappa * attacked
