"""JSMA, the Jacobian-based saliency map attack (Papernot et al. 2016, alg. 2): few pixels, each set wholly.

Saliency is that of probabilities (eq. 8). They sum to one, so that the target gains what the other actions lose: the
map is the square of one gradient, and its best pair the two steepest pixels. Beyond the paper a pixel may go to either
end of its range (as in Wiyatno and Xu 2018) and counts by its way there; without a target, pixels are set that lower
the probability of the victim's own choice most.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.aim import Aim, scores_of
from rlattack.attacks.minimal import Minimal
from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.policies.policy import Output
from rlattack.specs import Count, Fraction


@dataclass(frozen=True, kw_only=True)
class JSMAConfig(Aim):
    """Parameters of `jsma`, by default those of the paper."""

    pixels: Count = 2
    """Pixels that are set in a step: one gradient."""
    share: Fraction = 0.145
    """Share of the pixels that are set at most; Upsilon in the paper."""


class JSMA(Minimal[JSMAConfig]):
    """Sets pixels of the newest frame, those of highest saliency first, until the victim chooses otherwise."""

    name = "jsma"
    title = "JSMA"
    reaches: ClassVar[tuple[str, ...]] = ("l0",)
    config_type = JSMAConfig

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Goes on in each slot until it is enough; nothing is changed where it never is."""
        adv, searching = obs, victim.active
        out = victim(adv, only=searching)
        turn = self.turn(victim, obs)
        sign = 1 if turn.targeted else -1

        def rows(out: Output) -> Tensor:
            """Log-odds: their slope is that of the probability but for its length, and vanishes nowhere."""
            own = turn.goal[:, None]
            others = scores_of(out).scatter(1, own, -torch.inf).logsumexp(dim=1)
            return sign * (scores_of(out).gather(1, own).squeeze(1) - others)

        most = max(1, int(self.config.share * reach.entries) // self.config.pixels)
        for _ in range(most):
            searching = searching & ~turn.done(out)
            if not searching.any():
                return adv
            slope, _, _ = turn.slope(adv, rows, searching)
            slope = slope.masked_fill(adv != obs, 0)  # what is set stays
            moved = reach.settle(reach.ascend(adv, slope, min(self.config.pixels, reach.entries)), obs)
            adv = torch.where(rowwise(searching, obs), moved, adv)
            out = victim(adv, only=searching)
        return torch.where(rowwise(searching & ~turn.done(out), obs), obs, adv)
