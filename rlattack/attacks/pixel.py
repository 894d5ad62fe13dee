"""A few pixels of the newest frame, chosen by the first-order gain of setting each to an end of its range.

The gain of a pixel is its slope times the way to that end (the saliency of Papernot et al. 2016 on one channel, at full
amplitude); the k largest are set. Sets as few pixels as Qu et al. 2020 without their queries.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from rlattack.attacks.base import Attack
from rlattack.attacks.objective import Objective
from rlattack.attacks.streams import Streams
from rlattack.attacks.target import Target
from rlattack.budget import Ball, Norm

__all__ = ["Pixel", "PixelConfig"]


@dataclass(frozen=True, kw_only=True)
class PixelConfig:
    """Parameters of `pixel`."""

    loss: Literal["ce", "margin"] = "ce"
    """Cross-entropy, or the margin between scores."""
    target: int | Literal["least"] | None = None
    """An action to push towards, or `least`, the least likely one; untargeted by default."""


class Pixel(Attack[PixelConfig]):
    """Sets the k pixels of highest first-order gain to black or white; one gradient a step."""

    name = "pixel"
    norms: ClassVar[tuple[Norm, ...]] = ("l0",)
    config_type = PixelConfig

    def check(self, actions: int) -> None:
        """See `Attack`."""
        Objective(self.config.loss, self.config.target).check(actions)

    def perturb(self, victim: Target, obs: Tensor, ball: Ball, rng: Streams) -> Tensor:
        """See `Attack`."""
        grad = Objective(self.config.loss, self.config.target).gradient(victim, obs)
        return ball.ascend(obs, grad, ball.radius)
