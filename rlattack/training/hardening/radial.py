"""RADIAL: the worst of the loss within bounds beside the loss itself (Oikarinen et al. 2021, sec. 4)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from rlattack.specs import Range
from rlattack.training.hardening.actor import Actor
from rlattack.training.hardening.learners import Minibatch, Transitions
from rlattack.training.hardening.loss import LossRegime
from rlattack.training.hardening.ramp import Ramped
from rlattack.training.hardening.vicinity import Vicinity


@dataclass(frozen=True, kw_only=True)
class RadialConfig(Ramped):
    """Parameters of `radial`."""

    kappa: Annotated[float, Range(least=0, most=1)] = 0.5
    """Weight of the loss itself; the rest is that of the worst within bounds. 0.8 of dqn in the paper."""


class Radial(LossRegime[RadialConfig]):
    """Mixes the loss with what it is at worst within interval bounds: RADIAL-PPO and -DQN (Oikarinen et al. 2021)."""

    name = "radial"
    algorithms: ClassVar[tuple[str, ...]] = ("ppo", "dqn")
    config_type: ClassVar[type[Any]] = RadialConfig

    def policy(self, actor: Actor, vicinity: Vicinity, batch: Minibatch) -> Tensor:
        """Adds PPO's loss where good actions are as unlikely, and bad ones as likely, as they can become (eq. 8)."""
        found, kappa = actor.log_prob_bounds(vicinity.box(batch.seen), batch.action), self.config.kappa
        worst = batch.surrogate(torch.where(batch.advantages >= 0, found.lower, found.upper))
        return kappa * batch.surrogate(batch.log_prob).mean() + (1 - kappa) * worst.mean()

    def values(self, actor: Actor, vicinity: Vicinity, batch: Transitions) -> Tensor:
        """Adds how far bounds of worse actions' values reach above those of what was done (their second approach)."""
        found, own, kappa = actor.bounds(vicinity.box(batch.seen)), batch.action[:, None], self.config.kappa
        worse = (batch.q.gather(1, own) - batch.q).clamp(min=0).detach()
        overlap = (found.upper - found.lower.gather(1, own) + worse / 2).clamp(min=0)
        return kappa * batch.error(batch.chosen).mean() + (1 - kappa) * (worse * overlap).sum(dim=1).mean()
