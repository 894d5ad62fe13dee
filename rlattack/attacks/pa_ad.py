"""PA-AD: a director learned in the space of the victim's decisions, and an actor by gradients (Sun et al. 2022).

The director is a player of another game: its action is a direction in what the victim decides by, and it is paid minus
what the victim is. Theirs is one of probabilities to choose by; here it is one of the scores behind them, whose slope
does not vanish where the victim is sure. Both sum to 0, so n - 1 numbers say a direction of n (sec. 4.1).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from rlattack.attacks.attack import Setting
from rlattack.attacks.director import lead, led, outputs
from rlattack.attacks.learned import LearnedConfig, LearnedObservation
from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.specs import Count


@dataclass(frozen=True, kw_only=True)
class PAADConfig(LearnedConfig):
    """Parameters of `pa-ad`."""

    steps: Count = 1
    """Gradient steps of the actor: FGSM of one, PGD of several."""


class PAAD(LearnedObservation[PAADConfig]):
    """Moves what is seen so that the victim's decision goes where a trained director says."""

    name = "pa-ad"
    title = "A trained director (PA-AD)"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    config_type: ClassVar[type[Any]] = PAADConfig

    def outputs(self, setting: Setting) -> int:
        """The dimensions of a direction."""
        return outputs(setting.actions)

    def check(self, setting: Setting) -> None:
        """Notes whether a direction has an entry more than it is said by, and what `Learned` refuses."""
        self._whole = outputs(setting.actions) == led(setting.actions).shape[1]
        super().check(setting)

    def moved(self, victim: Target, obs: Tensor, said: Tensor, reach: Ball) -> Tensor:
        """Follows the slope of the victim's decision along the direction."""
        wanted = said if self._whole else torch.cat([said, -said.sum(dim=1, keepdim=True)], dim=1)
        return lead(victim, obs, wanted, reach, self.config.steps)
