"""Noise of the same size: the control that every attack is read against.

It goes as far as `fgsm` or `pixel` of its norm, in a random direction: random signs (linf), a scaled gaussian (l2),
random entries pushed to random ends of their range until the budget is spent (l1), random pixels at random ends (l0).
Of natural changes it is one of a random severity; of actions, a random direction as far as the budget goes.
"""

from typing import ClassVar

from gymnasium.spaces import Box
from torch import Tensor

from rlattack.attacks.action import ActionAttack
from rlattack.attacks.attack import ObservationAttack, Setting
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import KINDS, NORMS, Ball, Reach
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import Actions
from rlattack.specs import NoParameters

_ELSEWHERE = ("slip", "chance", "mix", "shared", "world")
"""Kinds of reach of what is not seen."""


class Noise(ObservationAttack[NoParameters, Reach]):
    """A random direction, as far as the budget goes; asks nothing of the victim."""

    name = "noise"
    knowledge: ClassVar[Knowledge] = "none"
    reaches: ClassVar[tuple[str, ...]] = tuple(kind for kind in KINDS if kind not in _ELSEWHERE)
    is_control: ClassVar[bool] = True

    def perturb(self, victim: Target, obs: Tensor, reach: Reach, draws: Draws) -> Tensor:
        """Goes as far as the reach, wherever."""
        return reach.random(obs, draws)


class ActionNoise(ActionAttack[NoParameters]):
    """A random direction from the chosen action, as far as the budget goes; of a slip or a delay a random severity."""

    name = "action-noise"
    title = "Another action"
    knowledge: ClassVar[Knowledge] = "none"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1", "slip", "delay", "chance", "mix", "shared")
    needs: ClassVar[frozenset[type[Actions]]] = frozenset()
    is_control: ClassVar[bool] = True

    def check(self, setting: Setting) -> None:
        """Refuses a ball around actions to choose from."""
        if self.budget.norm in NORMS and not isinstance(setting.space, Box):
            raise InvalidInput(f"attack {self.name}: expected continuous actions")

    def act(self, victim: Target, obs: Tensor, action: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Goes as far as the reach, wherever."""
        return reach.random(action, draws)
