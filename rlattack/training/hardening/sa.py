"""State-adversarial regularisation: SA-PPO and SA-DQN (Zhang et al. 2020, sec. 3.2 and 3.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rlattack.specs import Count, NotNegative
from rlattack.training.hardening.actor import Actor
from rlattack.training.hardening.learners import HardenedDQN, HardenedPPO, Minibatch, Transitions
from rlattack.training.hardening.ramp import Ramped
from rlattack.training.hardening.regime import Ground, Regime
from rlattack.training.hardening.search import ascend, langevin
from rlattack.training.hardening.vicinity import Vicinity


@dataclass(frozen=True, kw_only=True)
class SAConfig(Ramped):
    """Parameters of `sa`."""

    kappa: NotNegative = 0.3
    """Weight of the regulariser."""
    solver: Literal["sgld", "convex"] = "sgld"
    """Finds the worst change by gradients, or bounds what it does by intervals."""
    steps: Count = 10
    """Of sgld."""
    temperature: NotNegative = 1e-5
    """Of the noise in sgld."""
    margin: NotNegative = 1.0
    """Of dqn: by how much the best value is to lead over others, up to which it is pressed for."""


class SA(Regime[SAConfig]):
    """Adds how far the policy can be moved within the box: SA-PPO, SA-DQN (Zhang et al. 2020, eq. 5 and 7)."""

    name = "sa"
    algorithms: ClassVar[tuple[str, ...]] = ("ppo", "dqn")
    config_type: ClassVar[type[Any]] = SAConfig

    def objective(self, model: BaseAlgorithm, ground: Ground) -> Callable[[Any], Tensor]:
        """The loss of the learner, and the regulariser."""
        actor = Actor.of(model)
        if isinstance(model, HardenedDQN):
            return lambda batch: batch.error(batch.chosen).mean() + self._values(model, actor, ground, batch)
        assert isinstance(model, HardenedPPO)
        return lambda batch: batch.surrogate(batch.log_prob).mean() + self._policy(model, actor, ground, batch)

    def _policy(self, model: HardenedPPO, actor: Actor, ground: Ground, batch: Minibatch) -> Tensor:
        """Kappa times the mean over states of the largest divergence from the policy at the clean state."""
        vicinity, seen = Vicinity.of(model, ground.budget, self.config.share(model.done)), batch.seen
        clean = actor(seen)
        if self.config.solver == "convex":
            return self.config.kappa * actor.largest_divergence(clean, vicinity.box(seen)).mean()
        fixed = clean.detach()
        worst = langevin(
            lambda point: actor.divergence(fixed, actor(point)), seen, vicinity, self.config.steps,
            self.config.temperature,
        )  # fmt: skip
        return self.config.kappa * actor.divergence(clean, actor(worst)).mean()

    def _values(self, model: HardenedDQN, actor: Actor, ground: Ground, batch: Transitions) -> Tensor:
        """Kappa times the mean over states of how far another value can come above the best one's, down to -margin."""
        vicinity = Vicinity.of(model, ground.budget, self.config.share(model.done))
        best = batch.q.detach().argmax(dim=1)
        if self.config.solver == "convex":
            lead = actor.least_lead(vicinity.box(batch.seen), best)
        else:
            worst = ascend(lambda point: -actor.lead(point, best), batch.seen, vicinity, self.config.steps)
            lead = actor.lead(worst, best)
        return self.config.kappa * (-lead).clamp(min=-self.config.margin).mean()
