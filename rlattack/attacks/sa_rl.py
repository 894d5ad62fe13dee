"""SA-RL, the optimal adversary of what is seen, learned as a policy (Zhang et al. 2021, sec. 3.1).

The adversary is a player of another game: its action is the perturbation d in [-1, 1] of every entry, times eps, and it
is paid minus what the victim is.
"""

import math
from typing import ClassVar

from torch import Tensor

from rlattack.attacks.attack import Setting
from rlattack.attacks.learned import LearnedConfig, LearnedObservation
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import Ball
from rlattack.errors import InvalidInput


class SARL(LearnedObservation[LearnedConfig]):
    """Moves every entry by as much as a trained adversary says; asks the victim nothing."""

    name = "sa-rl"
    title = "A trained adversary (SA-RL)"
    knowledge: ClassVar[Knowledge] = "none"
    reaches: ClassVar[tuple[str, ...]] = ("linf",)

    def outputs(self, setting: Setting) -> int:
        """A number an entry."""
        return math.prod(setting.observation)

    def check(self, setting: Setting) -> None:
        """Refuses pictures, of which each pixel would be an action, and what `Learned` refuses.

        Raises:
            InvalidInput: What is seen is no row of numbers, or the adversary does not fit.
        """
        if len(setting.observation) != 1:
            raise InvalidInput(
                f"attack sa-rl: expected numbers in a row, this game shows {setting.observation}, too many to be an "
                "adversary's actions; use pa-ad, which learns directions"
            )
        super().check(setting)

    def moved(self, victim: Target, obs: Tensor, said: Tensor, reach: Ball) -> Tensor:
        """Moves each entry by its number of radii."""
        return obs + reach.radius * reach.scale * said
