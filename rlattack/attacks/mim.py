"""The momentum iterative method, MI-FGSM (Dong et al. 2018, eq. 6 and 7), and where it looks.

Gradients count by their mean absolute entry, as in the authors' code; the paper writes their l1 norm, which is that
times the number of entries and changes nothing but how far `ni-fgsm` looks ahead.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rlattack.attacks.ascent import Ascent, SteppedConfig
from rlattack.attacks.objective import Climb
from rlattack.budget import Ball
from rlattack.specs import NotNegative

_TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True, kw_only=True)
class MIMConfig(SteppedConfig):
    """Parameters of `mim` and `ni-fgsm`, by default those of the papers: steps of eps / steps from the clean point."""

    random_start: bool = False
    step: float | None = None
    """Length of a step, per entry as eps is; by default eps / steps."""
    decay: NotNegative = 1.0
    """Share of the gradients before that counts in a step, mu in the paper; 0 forgets them."""


class MIM(Ascent[MIMConfig]):
    """Ascends the victim's loss along the sum of the gradients so far, which leads out of poor local maxima."""

    name = "mim"
    title = "MIM"
    config_type = MIMConfig

    def ascend(self, climb: Climb, obs: Tensor, start: Tensor, reach: Ball) -> Tensor:
        """Adds each gradient to those before, steps along the sum and projects."""
        config, adv, project = self.config, start, reach.around(obs)
        size = self.budget.size
        step = size / config.steps if config.step is None else config.step
        momentum = torch.zeros_like(obs)
        for _ in range(config.steps):
            slope = reach.only_free(climb.gradient(self._seen(adv, momentum, step, reach)) * reach.scale)
            momentum = config.decay * momentum + slope / _mean(slope)
            adv = project(reach.ascend(adv, momentum / reach.scale, step / size * reach.radius))
        return adv

    def _seen(self, adv: Tensor, momentum: Tensor, step: float, reach: Ball) -> Tensor:
        """Where the gradient is taken."""
        return adv


def _mean(slope: Tensor) -> Tensor:
    """The mean absolute entry of each row, as it broadcasts."""
    return slope.abs().mean(dim=tuple(range(1, slope.ndim)), keepdim=True).clamp_min(_TINY)
