"""What a gradient attack climbs: the victim's loss at its own clean choice, or at a target action."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from rlattack.attacks.target import Target
from rlattack.errors import InvalidInput
from rlattack.policies.base import Output

__all__ = ["Objective"]


@dataclass(frozen=True)
class Objective:
    """A loss to ascend, summed over the batch.

    Untargeted: away from the victim's greedy action on the clean observation (Huang et al. 2017). Targeted: towards an action.

    Attributes:
        loss: `ce`: cross-entropy of the action distribution. `margin`: the best other score minus the label's (Carlini &
            Wagner 2017, f6), whose gradient does not vanish when the victim is certain.
        target: None for untargeted, an action number, or `least`: the clean distribution's least likely action.
    """

    loss: Literal["ce", "margin"] = "ce"
    target: int | Literal["least"] | None = None

    def check(self, actions: int) -> None:
        """Checks the target against the game.

        Raises:
            InvalidInput: No such action.
        """
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
        scores = victim.clean_output.scores
        return scores.argmin(dim=1) if self.target == "least" else torch.full_like(scores.argmin(dim=1), self.target)
