"""Regimes that change what a learner minimises; each writes its loss alone, of a network, a box and a batch."""

from typing import Generic, TypeVar

from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rlattack.training.hardening.actor import Actor
from rlattack.training.hardening.learners import HardenedDQN, HardenedPPO, Minibatch, Transitions
from rlattack.training.hardening.ramp import Ramped
from rlattack.training.hardening.regime import Ground, Regime
from rlattack.training.hardening.vicinity import Vicinity

Config = TypeVar("Config", bound=Ramped)


class LossRegime(Regime[Config], Generic[Config]):
    """A regime that is a loss; of the algorithms that it has it writes `policy`, of ppo, or `values`, of dqn."""

    def policy(self, actor: Actor, vicinity: Vicinity, batch: Minibatch) -> Tensor:
        """The loss of PPO's policy, a scalar.

        Args:
            actor: The policy's network.
            vicinity: What may be shown in place of what is seen, at the size of now.
            batch: Whose surrogate loss is the mean of `batch.surrogate(batch.log_prob)`.
        """
        raise NotImplementedError(f"{self.name} has no ppo")

    def values(self, actor: Actor, vicinity: Vicinity, batch: Transitions) -> Tensor:
        """The loss of DQN's values, a scalar.

        Args:
            actor: The network of values.
            vicinity: What may be shown in place of what is seen, at the size of now.
            batch: Whose plain loss is the mean of `batch.error(batch.chosen)`.
        """
        raise NotImplementedError(f"{self.name} has no dqn")

    def harden(self, model: BaseAlgorithm, ground: Ground) -> None:
        """Lets the learner minimise the regime's loss."""
        super().harden(model, ground)
        actor, budget = Actor.of(model), ground.budget
        assert isinstance(model, HardenedPPO | HardenedDQN)

        def near() -> Vicinity:
            return Vicinity.of(model, budget, self.config.share(model.done))

        if isinstance(model, HardenedPPO):
            model.objective = lambda batch: self.policy(actor, near(), batch)
        else:
            model.objective = lambda batch: self.values(actor, near(), batch)
