"""Natural changes of what a victim does: an actuator that slips, or is late."""

from typing import ClassVar

import torch
from torch import Tensor

from rlattack.attacks.action import ActionAttack
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import Change
from rlattack.draws import Draws
from rlattack.policies.distributions import Actions
from rlattack.specs import NoParameters


class NaturalAction(ActionAttack[NoParameters]):
    """A change of one severity in every step, of actions of every kind."""

    knowledge: ClassVar[Knowledge] = "none"
    needs: ClassVar[frozenset[type[Actions]]] = frozenset()

    def act(  # type: ignore[override]  # declared in `reaches`: never a ball
        self, victim: Target, obs: Tensor, action: Tensor, reach: Change, draws: Draws
    ) -> Tensor:
        """The largest severity."""
        return reach.wanted(torch.full((len(obs),), reach.radius, device=obs.device), draws.uniform(reach.numbers))


class ActionSlip(NaturalAction):
    """Does a random action in place of the chosen one in eps per cent of the steps."""

    name = "action-slip"
    title = "A slip of actions"
    reaches: ClassVar[tuple[str, ...]] = ("slip",)
    standard = (5.0, 20.0)


class ActionDelay(NaturalAction):
    """Does what the victim chose eps steps ago."""

    name = "action-delay"
    title = "A delay of actions"
    reaches: ClassVar[tuple[str, ...]] = ("delay",)
    standard = (1.0, 3.0)
