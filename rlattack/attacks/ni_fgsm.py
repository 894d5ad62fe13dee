"""The Nesterov iterative fast gradient sign method, NI-FGSM (Lin et al. 2020, eq. 6 to 8)."""

from torch import Tensor

from rlattack.attacks.mim import MIM
from rlattack.budget import Ball


class NIFGSM(MIM):
    """Ascends as `mim` does, by gradients where the momentum would lead, so that it slows down before a maximum."""

    name = "ni-fgsm"
    title = "NI-FGSM"

    def _seen(self, adv: Tensor, momentum: Tensor, step: float, reach: Ball) -> Tensor:
        """A step of the momentum ahead, which may be outside of the budget."""
        return adv + step * self.config.decay * momentum * reach.scale
