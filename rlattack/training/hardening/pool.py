"""A pool of adversarial examples, which is renewed bit by bit and mixed into what is learned (Szegedy et al. 2014)."""

import torch
from torch import Tensor

from rlattack.budget import Budget
from rlattack.training.hardening.actor import Actor, taken
from rlattack.training.hardening.learners import HardenedPPO
from rlattack.training.hardening.search import ascend
from rlattack.training.hardening.vicinity import Vicinity

_RENEWED = 0.1
"""Share of the pool that a rollout renews."""


class Pool:
    """Examples of what a learner sees, or of its last hidden layer, each with what was said of where it came from.

    A run that goes on from a checkpoint fills it anew.

    Args:
        model: The learner.
        actor: Its network.
        budget: How far an example may lie from where it came from; in standard deviations of each unit, in a hidden
            layer.
        size: How many are kept; the oldest make way.
        steps: Gradient steps to an example.
        hidden: Whether they are of the last hidden layer.
    """

    def __init__(
        self, model: HardenedPPO, actor: Actor, budget: Budget, size: int, steps: int, *, hidden: bool
    ) -> None:  # fmt: skip
        self._model, self._actor, self._budget, self._steps, self._hidden = model, actor, budget, steps, hidden
        self._size = size
        self.points, self.said = torch.empty(0), torch.empty(0)

    def renew(self) -> None:
        """Finds examples at states of the rollout against the learner as it is now."""
        kept = self._model.rollout_buffer.observations.reshape(-1, *(self._model.observation_space.shape or ()))
        seen = torch.as_tensor(kept, device=self._model.device)
        chosen = torch.randperm(len(seen))[: max(1, round(_RENEWED * self._size))]
        clean = taken(self._model, seen[chosen.to(seen.device)])
        with torch.no_grad():
            at = self._actor.hidden(clean) if self._hidden else clean
            said = self._say(at)
        around = _units(at, self._budget.size) if self._hidden else Vicinity.of(self._model, self._budget)
        points = ascend(lambda point: self._actor.divergence(said, self._say(point)), at, around, self._steps)
        old = (self.points, self.said) if len(self.points) else (points[:0], said[:0])
        self.points, self.said = (
            torch.cat(pair)[-self._size :].detach() for pair in zip(old, (points, said), strict=True)
        )

    def loss(self, count: int) -> Tensor:
        """How far what is said now of as many examples is from what was said of where they came from, a scalar."""
        drawn = torch.randint(len(self.points), (count,)).to(self.points.device)
        return self._actor.divergence(self.said[drawn], self._say(self.points[drawn])).mean()

    def _say(self, point: Tensor) -> Tensor:
        said: Tensor = self._actor.last(point) if self._hidden else self._actor(point)
        return said


def _units(at: Tensor, eps: float) -> Vicinity:
    """The box of `eps` standard deviations of each unit."""
    radius = eps * at.std(dim=0, keepdim=True)
    ends = torch.full_like(radius, torch.inf)
    return Vicinity(radius, -ends, ends)
