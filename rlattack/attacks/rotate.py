"""A camera that is not level: all that is seen is turned by the same angle (Engstrom et al. 2019, sec. 3).

For policies, Korkmaz 2023 showed how little of such a change they bear, by one that knows nothing of them.
"""

from typing import ClassVar

import torch
from torch import Tensor

from rlattack.attacks.attack import ObservationAttack
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import Rotation
from rlattack.draws import Draws
from rlattack.specs import NoParameters


class Rotate(ObservationAttack[NoParameters, Rotation]):
    """Turns what the victim sees by eps degrees, counter-clockwise and the same in every step."""

    name = "rotate"
    knowledge: ClassVar[Knowledge] = "none"
    reaches: ClassVar[tuple[str, ...]] = ("rotation",)

    def perturb(self, victim: Target, obs: Tensor, reach: Rotation, draws: Draws) -> Tensor:
        """The largest angle."""
        return torch.full((len(obs),), reach.radius)
