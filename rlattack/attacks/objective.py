"""What a gradient attack climbs: the victim's loss at its own clean choice, or at a target action."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from rlattack.attacks.base import Attack
from rlattack.attacks.target import Target
from rlattack.errors import InvalidInput
from rlattack.policies.base import Output

__all__ = ["GradientAttack", "Objective"]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A loss to ascend, summed over the batch; the parameters that every gradient attack has.

    Untargeted: away from the victim's greedy action on the clean observation (Huang et al. 2017, sec. 3).
    """

    loss: Literal["ce", "margin"] = "ce"
    """`ce`: cross-entropy of the action distribution. `margin`: the best other score minus the label's (Carlini and
    Wagner 2017, f6), whose gradient does not vanish when the victim is certain."""
    target: int | Literal["least"] | None = None
    """An action to push towards, or `least`, the clean distribution's least likely one; untargeted by default."""

    def check(self, actions: int) -> None:
        """Checks the parameters against the number of actions.

        Raises:
            InvalidInput: No such action, or no other action than one.
        """
        if actions < 2:
            raise InvalidInput(f"expected a game with a choice of actions, got {actions}")
        if isinstance(self.target, int) and not 0 <= self.target < actions:
            raise InvalidInput(f"target: expected an action 0 to {actions - 1} or 'least', got {self.target}")

    def gradient(self, victim: Target, point: Tensor) -> Tensor:
        """Ascent direction at `point`, shape (slots, *observation)."""
        return victim.gradient(point, lambda out: self.rows(victim, out).sum())

    def rows(self, victim: Target, out: Output) -> Tensor:
        """The loss of each row, shape (slots,)."""
        goal = self._goal(victim)
        if self.loss == "ce":
            away = F.cross_entropy(out.scores, goal, reduction="none")
        else:
            own = out.scores.gather(1, goal[:, None]).squeeze(1)
            away = out.scores.scatter(1, goal[:, None], -torch.inf).amax(dim=1) - own
        return away if self.target is None else -away

    def _goal(self, victim: Target) -> Tensor:
        if self.target is None:
            return victim.labels
        if self.target == "least":
            return victim.clean_output.scores.argmin(dim=1)
        return torch.full((victim.slots,), self.target)


Config = TypeVar("Config", bound=Objective)


class GradientAttack(Attack[Config]):
    """An attack whose parameters say what it climbs."""

    config_type: ClassVar[type[Any]] = Objective

    def check(self, actions: int) -> None:
        """See `Attack`."""
        self.config.check(actions)
