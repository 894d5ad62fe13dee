"""Natural changes of what a victim sees: what a camera, a line or a sensor does to it without meaning any harm.

Each has a severity in a unit of its own, which is `eps`, and asks nothing. With `worst=true` it is a search: of a grid
of severities the one that takes the victim furthest from its own choice (Alcorn et al. 2019, who search a grid of poses
for each image). It is one for each step, and not one for all steps: that needs no episodes beforehand, shows what a
change can do that is not constant, and is read beside attacks without gradients at equal questions a step.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar

import torch
from torch import Tensor

from rlattack.arrays import IntArray
from rlattack.attacks.attack import ObservationAttack, Setting
from rlattack.attacks.kept import Kept
from rlattack.attacks.objective import Climb, Loss, Objective
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import CHANGES, Budget, Change
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.specs import Range

ALL = "natural:all"
"""In place of an attack: all natural changes that fit a game, each at its standard severities."""
NATURAL = (
    "rotate", "shift-x", "shift-y", "zoom", "brightness", "contrast", "tint", "blur", "jpeg", "salt-and-pepper",
    "occlusion", "delay", "frozen", "dropped", "blank", "missing", "stale", "bias", "gain", "action-slip",
    "action-delay",
)  # fmt: skip
"""Those."""


@dataclass(frozen=True, kw_only=True)
class NaturalConfig:
    """Parameters of natural changes."""

    reverse: bool = False
    """The other direction: clockwise, to the left, up, smaller, darker, flatter, weaker."""
    worst: bool = False
    """The severity of a grid that lowers the victim's margin most, in each step; asks the victim for each."""
    grid: Annotated[int, Range(least=2)] = 9
    """Severities of that grid, from one end of the range to the other."""


C = TypeVar("C", bound=Change)


class _Margin(Objective):
    """How far the victim is from its own choice; of continuous actions, the divergence."""

    by_default: ClassVar[Loss] = "margin"


class Natural(ObservationAttack[NaturalConfig, C]):
    """A change of one severity in every step, or the worst of a grid."""

    knowledge: ClassVar[Knowledge] = "none"
    config_type: ClassVar[type[Any]] = NaturalConfig

    def __init__(self, budget: Budget, config: NaturalConfig) -> None:
        super().__init__(budget, config)
        self._kept = Kept()

    @classmethod
    def knows(cls, config: NaturalConfig) -> Knowledge:
        """Outputs, where the worst is looked for."""
        return "scores" if config.worst else cls.knowledge

    def check(self, setting: Setting) -> None:
        """Checks that there is another direction where it is asked for."""
        if self.config.reverse and not CHANGES[self.reaches[0]].signed:
            raise InvalidInput(f"attack {self.name}: reverse: it has one direction alone")

    def restart(self, slots: IntArray) -> None:
        """Lets chance decide anew in these slots."""
        self._kept.restart(slots)

    def perturb(self, victim: Target, obs: Tensor, reach: C, draws: Draws) -> Tensor:
        """The largest severity, or the worst of the grid, as the reach takes it."""
        details = self._details(victim, reach, draws)
        most = torch.full((len(obs),), -reach.radius if self.config.reverse else reach.radius, device=obs.device)
        if not self.config.worst:
            return reach.wanted(most, details)
        climb = Climb(_Margin(), victim, obs, draws)
        worst, highest = most, torch.full_like(most, -torch.inf)
        for level in reach.levels(self.config.grid):
            severities = torch.full_like(most, level)
            loss = climb.rows(reach.settle(reach.wanted(severities, details), obs))
            worst, highest = torch.where(loss > highest, severities, worst), torch.maximum(loss, highest)
        return reach.wanted(worst, details)

    def _details(self, victim: Target, reach: C, draws: Draws) -> Tensor:
        """What chance decides in this step, shape (slots, numbers): anew, or once an episode."""
        drawn = draws.uniform(reach.numbers)
        return self._kept(drawn, victim.active) if reach.steady else drawn
