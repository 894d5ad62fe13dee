"""State-adversarial regularisation: SA-PPO and SA-DQN (Zhang et al. 2020, sec. 3.2 and 3.3)."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from rlattack.specs import Count, NotNegative
from rlattack.training.hardening.actor import Actor
from rlattack.training.hardening.learners import Minibatch, Transitions
from rlattack.training.hardening.loss import LossRegime
from rlattack.training.hardening.mixed import Mixed
from rlattack.training.hardening.ramp import Ramped
from rlattack.training.hardening.search import ascend, langevin
from rlattack.training.hardening.vicinity import Vicinity


@dataclass(frozen=True, kw_only=True)
class SAConfig(Ramped):
    """Parameters of `sa`."""

    kappa: NotNegative = 0.3
    """Weight of the regulariser."""
    solver: Literal["sgld", "convex", "crown-ibp"] = "sgld"
    """Finds the worst change by gradients, or bounds what it does: convex by intervals alone, crown-ibp by CROWN-IBP,
    which gives way to intervals as the size grows, as Zhang et al. have it. That costs ten times as much as convex; of
    pictures 7 times for dqn, and 25 times for ppo of six actions."""
    steps: Count = 10
    """Of sgld."""
    temperature: NotNegative = 1e-5
    """Of the noise in sgld."""
    margin: NotNegative = 1.0
    """Of dqn: by how much the best value is to lead over others, up to which it is pressed for."""


class SA(LossRegime[SAConfig]):
    """Adds how far the policy can be moved within the box: SA-PPO, SA-DQN (Zhang et al. 2020, eq. 5 and 7)."""

    name = "sa"
    algorithms: ClassVar[tuple[str, ...]] = ("ppo", "dqn")
    config_type: ClassVar[type[Any]] = SAConfig

    def policy(self, actor: Actor, vicinity: Vicinity, batch: Minibatch) -> Tensor:
        """Adds the mean over states of the largest divergence from the policy at the clean state."""
        config, seen, clean = self.config, batch.seen, actor(batch.seen)
        if config.solver == "crown-ibp":
            far = Mixed.of(actor, vicinity, seen).largest_divergence(clean)
        elif config.solver == "convex":
            far = actor.largest_divergence(clean, vicinity.box(seen))
        else:
            fixed = clean.detach()
            worst = langevin(
                lambda point: actor.divergence(fixed, actor(point)), seen, vicinity, config.steps, config.temperature
            )
            far = actor.divergence(clean, actor(worst))
        return batch.surrogate(batch.log_prob).mean() + config.kappa * far.mean()

    def values(self, actor: Actor, vicinity: Vicinity, batch: Transitions) -> Tensor:
        """Adds the mean over states of how far another value can come above the best one's, down to -margin."""
        config, best = self.config, batch.q.detach().argmax(dim=1)
        if config.solver == "crown-ibp":
            lead = Mixed.of(actor, vicinity, batch.seen).least_lead(best)
        elif config.solver == "convex":
            lead = actor.least_lead(vicinity.box(batch.seen), best)
        else:
            worst = ascend(lambda point: -actor.lead(point, best), batch.seen, vicinity, config.steps)
            lead = actor.lead(worst, best)
        return batch.error(batch.chosen).mean() + config.kappa * (-lead).clamp(min=-config.margin).mean()
