"""Bounds of an actor to learn by: CROWN-IBP's, which give way to those of intervals (Zhang et al. 2020).

The former are never looser, and lead a network that was not trained for any to where intervals are tight; the latter
can be pressed further.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rlattack.defences.bounds import Interval
from rlattack.defences.certificates.crown import Traced, least, trace
from rlattack.defences.certificates.region import Region
from rlattack.training.hardening.actor import Actor
from rlattack.training.hardening.vicinity import Vicinity


@dataclass(frozen=True)
class Mixed:
    """What an actor says at least of everything in boxes, beta CROWN-IBP + (1 - beta) intervals; differentiable.

    Attributes:
        actor: Whose bounds they are.
        traced: The boxes on their way through it.
        beta: In [0, 1].
    """

    actor: Actor
    traced: Traced
    beta: float

    @classmethod
    def of(cls, actor: Actor, vicinity: Vicinity, seen: Tensor) -> "Mixed":
        """Those of boxes around what is seen, shape (n, *observation); beta falls from 1 to 0 as their size grows."""
        width = vicinity.radius.expand(1, *seen.shape[1:])
        region = Region(seen, width, torch.minimum(vicinity.low, seen), torch.maximum(vicinity.high, seen))
        return cls(actor, trace((*actor.layers, actor.last), region, "crown-ibp"), 1 - vicinity.share)

    def least(self, asked: Tensor) -> Tensor:
        """Lower bounds of linear functions of what the actor says, shape (n, questions).

        Args:
            asked: Weights, shape (n, questions, actions), or of every row alike (1, questions, actions).
        """
        loose = least(self.traced, asked, "ibp")
        return loose if self.beta == 0 else loose.lerp(least(self.traced, asked, "crown-ibp"), self.beta)

    def least_lead(self, action: Tensor) -> Tensor:
        """What `Actor.lead` of actions, int64, shape (n,), is at least, shape (n,)."""
        unit = self._unit
        leads = self.least(unit[action][:, None] - unit)
        return leads.scatter(1, action[:, None], torch.inf).amin(dim=1)

    def largest_divergence(self, clean: Tensor) -> Tensor:
        """What KL(clean || said) is at most, shape (n,), of what is said of the centre, shape (n, actions)."""
        unit = self._unit
        if self.actor.log_std is not None:
            lower, upper = self.least(torch.cat([unit, -unit])[None]).chunk(2, dim=1)
            return self.actor.divergence_within(clean, Interval(lower, -upper))
        leads = self.least((unit[:, None] - unit).flatten(0, 1)[None]).view(-1, *unit.shape)
        lower = -torch.logsumexp(-leads, dim=2)
        return self.actor.divergence_within(clean, Interval(lower, torch.zeros_like(lower)))

    @property
    def _unit(self) -> Tensor:
        weight = self.actor.last.weight
        return torch.eye(self.actor.last.out_features, dtype=weight.dtype, device=weight.device)
