"""An attack of a user's own, as its package brings it: `tests.kit.own_attack:Flip`."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from rlattack.attacks import Knowledge, ObservationAttack, Target
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.specs import NoParameters


class Flip(ObservationAttack[NoParameters, Ball]):
    """Shows the other side of the coin (`coins`), as far as the reach goes; asks nothing."""

    name = "flip"
    knowledge: ClassVar[Knowledge] = "none"
    config_type: ClassVar[type[Any]] = NoParameters

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Moves the coin across 0."""
        return torch.stack([obs[:, 0], -obs[:, 1]], dim=1)
