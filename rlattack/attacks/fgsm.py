"""The fast gradient sign method on observations (Goodfellow et al. 2015, sec. 4; for policies Huang et al. 2017, sec. 3)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from rlattack.attacks.base import Attack
from rlattack.attacks.objective import Objective
from rlattack.attacks.streams import Streams
from rlattack.attacks.target import Target
from rlattack.budget import Ball, Norm

__all__ = ["FGSM", "FGSMConfig"]


@dataclass(frozen=True, kw_only=True)
class FGSMConfig:
    """Parameters of `fgsm`."""

    loss: Literal["ce", "margin"] = "ce"
    """Cross-entropy, or the margin between scores."""
    target: int | Literal["least"] | None = None
    """An action to push towards, or `least`, the least likely one; untargeted by default."""


class FGSM(Attack[FGSMConfig]):
    """One step of steepest ascent, as long as the budget: sign (linf), gradient (l2), most sensitive pixels (l1)."""

    name = "fgsm"
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2", "l1")
    config_type = FGSMConfig

    def check(self, actions: int) -> None:
        """See `Attack`."""
        Objective(self.config.loss, self.config.target).check(actions)

    def perturb(self, victim: Target, obs: Tensor, ball: Ball, rng: Streams) -> Tensor:
        """See `Attack`."""
        grad = Objective(self.config.loss, self.config.target).gradient(victim, obs)
        return ball.ascend(obs, grad, ball.radius)
