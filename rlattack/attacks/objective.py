"""What a gradient attack climbs: the victim's loss at its own clean choice, or at a target action."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from rlattack.attacks.attack import ObservationAttack, Setting, Unfit
from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import ILLEGAL, Actions, Categorical
from rlattack.policies.policy import Output


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A loss to ascend, summed over the batch; the parameters that every gradient attack has.

    Untargeted: away from the victim's greedy action on the clean observation (Huang et al. 2017, sec. 3), or from its
    whole distribution there (Zhang et al. 2020, sec. 3.3).
    """

    loss: Literal["ce", "margin", "kl"] | None = None
    """`ce`, the default: cross-entropy of the action distribution. `margin`: the best other score minus the label's
    (Carlini and Wagner 2017, f6), whose gradient does not vanish when the victim is certain. `kl`: divergence from the
    clean distribution, the only one for continuous actions; it is flat at the clean observation."""
    target: int | Literal["least"] | None = None
    """An action to push towards, or `least`, the clean distribution's least likely one; untargeted by default."""

    def check(self, actions: Actions) -> None:
        """Checks the parameters against the actions of a policy.

        Raises:
            InvalidInput: No such action, no other action than one, or a loss that continuous actions do not have.
        """
        if not isinstance(actions, Categorical):
            if self.target is not None or self.loss not in (None, "kl"):
                raise InvalidInput("continuous actions take loss=kl and no target: the victim is pushed from its mean")
            return
        count = actions.scores.shape[1]
        if count < 2:
            raise InvalidInput(f"expected a game with a choice of actions, got {count}")
        if isinstance(self.target, int) and not 0 <= self.target < count:
            raise InvalidInput(f"target: expected an action 0 to {count - 1} or 'least', got {self.target}")
        if self.target is not None and self.loss == "kl":
            raise InvalidInput("loss=kl has no target: it leads away from the whole clean distribution")

    def diverges(self, actions: Actions) -> bool:
        """Whether the loss is the divergence from the clean actions, which has no slope there, where it is least."""
        return self.loss == "kl" or not isinstance(actions, Categorical)

    def gradient(self, victim: Target, point: Tensor) -> Tensor:
        """Ascent direction at `point`, shape (slots, *observation)."""
        return victim.gradient(point, lambda out: self.rows(victim, out).sum())

    def rows(self, victim: Target, out: Output) -> Tensor:
        """The loss of each row, shape (slots,)."""
        actions = out.actions
        if self.loss == "kl" or not isinstance(actions, Categorical):
            return actions.divergence(victim.clean_output.actions)
        goal = self._goal(victim)
        if self.loss == "margin":
            own = actions.scores.gather(1, goal[:, None]).squeeze(1)
            away = actions.scores.scatter(1, goal[:, None], -torch.inf).amax(dim=1) - own
        else:
            away = F.cross_entropy(actions.scores, goal, reduction="none")
        return away if self.target is None else -away

    def _goal(self, victim: Target) -> Tensor:
        if self.target is None:
            return victim.labels
        if self.target == "least":
            clean = victim.clean_output.actions
            assert isinstance(clean, Categorical)  # `check` refuses a target for others
            return clean.scores.masked_fill(clean.scores <= ILLEGAL, torch.inf).argmin(dim=1)
        return torch.full((victim.slots,), self.target)


Config = TypeVar("Config", bound=Objective)


class GradientAttack(ObservationAttack[Config, Ball]):
    """An attack whose parameters say what it climbs."""

    config_type: ClassVar[type[Any]] = Objective

    @property
    def starts_clean(self) -> bool:
        """Whether its first gradient is at the clean observation."""
        return True

    def check(self, setting: Setting) -> None:
        """Checks what it climbs, and that there is a slope where it starts."""
        self.config.check(setting.actions)
        if self.starts_clean and self.config.diverges(setting.actions):
            raise Unfit(
                f"attack {self.name}: the divergence from the clean actions has no slope where the attack starts"
            )
