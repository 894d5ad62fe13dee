"""What a gradient attack climbs: the victim's loss at its own clean choice, or at a target action."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from rlattack.attacks.base import Attack
from rlattack.attacks.target import Target, scores
from rlattack.errors import InvalidInput
from rlattack.policies.base import ILLEGAL
from rlattack.policies.gaussian import AnyOutput, AnyPolicy, GaussianOutput, GaussianPolicy

__all__ = ["GradientAttack", "Objective"]


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

    def check(self, policy: AnyPolicy) -> None:
        """Checks the parameters against the policy.

        Raises:
            InvalidInput: No such action, no other action than one, or a loss that continuous actions do not have.
        """
        if isinstance(policy, GaussianPolicy):
            if self.target is not None or self.loss not in (None, "kl"):
                raise InvalidInput("continuous actions take loss=kl and no target: the victim is pushed from its mean")
            return
        if policy.actions < 2:
            raise InvalidInput(f"expected a game with a choice of actions, got {policy.actions}")
        if isinstance(self.target, int) and not 0 <= self.target < policy.actions:
            raise InvalidInput(f"target: expected an action 0 to {policy.actions - 1} or 'least', got {self.target}")
        if self.target is not None and self.loss == "kl":
            raise InvalidInput("loss=kl has no target: it leads away from the whole clean distribution")

    def flat_at_clean(self, policy: AnyPolicy) -> bool:
        """Whether the loss has no slope at the clean observation, where it is least."""
        return self.loss == "kl" or isinstance(policy, GaussianPolicy)

    def gradient(self, victim: Target, point: Tensor) -> Tensor:
        """Ascent direction at `point`, shape (slots, *observation)."""
        return victim.gradient(point, lambda out: self.rows(victim, out).sum())

    def rows(self, victim: Target, out: AnyOutput) -> Tensor:
        """The loss of each row, shape (slots,)."""
        if isinstance(out, GaussianOutput) or self.loss == "kl":
            clean = victim.clean_output
            return out.divergence(clean)  # type: ignore[arg-type]  # of one policy, so of one kind
        goal = self._goal(victim)
        if self.loss == "margin":
            own = out.scores.gather(1, goal[:, None]).squeeze(1)
            away = out.scores.scatter(1, goal[:, None], -torch.inf).amax(dim=1) - own
        else:
            away = F.cross_entropy(out.scores, goal, reduction="none")
        return away if self.target is None else -away

    def _goal(self, victim: Target) -> Tensor:
        if self.target is None:
            return victim.labels
        if self.target == "least":
            likely = scores(victim.clean_output)
            return likely.masked_fill(likely <= ILLEGAL, torch.inf).argmin(dim=1)
        return torch.full((victim.slots,), self.target)


Config = TypeVar("Config", bound=Objective)


class GradientAttack(Attack[Config]):
    """An attack whose parameters say what it climbs."""

    config_type: ClassVar[type[Any]] = Objective

    @property
    def starts_clean(self) -> bool:
        """Whether its first gradient is at the clean observation."""
        return True

    def check(self, policy: AnyPolicy) -> None:
        """See `Attack`."""
        self.config.check(policy)
        if self.starts_clean and self.config.flat_at_clean(policy):
            raise InvalidInput(
                f"attack {self.name}: the divergence from the clean actions has no slope where the attack starts; "
                "use pgd, which starts at random"
            )
