"""What a gradient attack climbs: the victim's loss at its own clean choice, or at a target action."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from rlattack.attacks.attack import ObservationAttack, Setting, Unfit
from rlattack.attacks.target import Estimate, Target
from rlattack.budget import Ball
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import ILLEGAL, Actions, Categorical
from rlattack.policies.policy import Output


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A loss to ascend, summed over the batch; the parameters that every gradient attack has.

    Untargeted: away from the victim's greedy action on the clean observation (Huang et al. 2017, sec. 3), or from its
    whole distribution there (Zhang et al. 2020, sec. 3.3), or down its own critic.
    """

    loss: Literal["ce", "margin", "mad", "value", "q"] | None = None
    """`ce`, the default: cross-entropy of the action distribution. `margin`: the best other score minus the label's
    (Carlini and Wagner 2017, f6), whose gradient does not vanish when the victim is certain. `mad`, the default for
    continuous actions: divergence KL(clean || perturbed) of the distributions, the squared way of actions that are
    certain (Zhang et al. 2020, sec. 3.3); it is flat at the clean observation. `value`: minus the victim's own value of
    what it sees (the critic attack of Zhang et al. 2020's code). `q`, for continuous actions: minus its own critic's
    value, at the clean observation, of the action that it would take (Pattanaik et al. 2018, sec. 3)."""
    target: int | Literal["least"] | None = None
    """An action to push towards, or `least`, the clean distribution's least likely one; untargeted by default."""

    @property
    def judged_by(self) -> Estimate | None:
        """What the victim's own critic is asked for; None where it is not asked."""
        return self.loss if self.loss == "value" or self.loss == "q" else None

    def check(self, setting: Setting) -> None:
        """Checks the parameters against a policy.

        Raises:
            InvalidInput: No such action, no other action than one, a loss that its actions do not have, or a critic
                that it does not have.
        """
        if isinstance(setting.actions, Categorical):
            self._check_choice(setting.actions.scores.shape[1])
        elif self.target is not None or self.loss in ("ce", "margin"):
            raise InvalidInput("continuous actions take loss=mad, value or q, and no target")
        if self.judged_by is not None and self.judged_by not in setting.estimates:
            judged = "what it sees" if self.judged_by == "value" else "what it does"
            raise InvalidInput(
                f"loss={self.loss} lowers what the victim's critic says of {judged}, and this victim has none that can "
                "be asked; use loss=mad"
            )

    def _check_choice(self, count: int) -> None:
        if count < 2:
            raise InvalidInput(f"expected a game with a choice of actions, got {count}")
        if isinstance(self.target, int) and not 0 <= self.target < count:
            raise InvalidInput(f"target: expected an action 0 to {count - 1} or 'least', got {self.target}")
        if self.target is not None and self.loss not in (None, "ce", "margin"):
            raise InvalidInput(f"loss={self.loss} has no target; loss=ce and loss=margin have")
        if self.loss == "q":
            raise InvalidInput("loss=q is for continuous actions; use loss=margin, whose scores may be Q values")

    def diverges(self, actions: Actions) -> bool:
        """Whether the loss is the divergence from the clean actions, which has no slope there, where it is least."""
        return self.loss == "mad" or (self.loss is None and not isinstance(actions, Categorical))

    def gradient(self, victim: Target, point: Tensor) -> Tensor:
        """Ascent direction at `point`, shape (slots, *observation)."""
        if self.judged_by is not None:
            return -victim.estimate_gradient(self.judged_by, point)
        return victim.gradient(point, lambda out: self._loss(victim, out).sum())

    def rows(self, victim: Target, point: Tensor) -> Tensor:
        """The loss of each row at `point`, shape (slots,): a query."""
        if self.judged_by is not None:
            return -victim.estimate(self.judged_by, point)
        return self._loss(victim, victim(point))

    def _loss(self, victim: Target, out: Output) -> Tensor:
        actions = out.actions
        if self.loss == "mad" or not isinstance(actions, Categorical):
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
    def asks_critic(self) -> bool:
        """Whether its loss is what the victim's own critic says."""
        return self.config.judged_by is not None or super().asks_critic

    @property
    def starts_clean(self) -> bool:
        """Whether its first gradient is at the clean observation."""
        return True

    def check(self, setting: Setting) -> None:
        """Checks what it climbs, and that there is a slope where it starts."""
        self.config.check(setting)
        if self.starts_clean and self.config.diverges(setting.actions):
            start = "; random_start=true starts elsewhere" if hasattr(self.config, "random_start") else ""
            raise Unfit(
                f"attack {self.name}: the divergence from the clean actions has no slope where the attack starts{start}"
            )
