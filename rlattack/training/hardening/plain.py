"""No defence: the twin that is trained as the others are, beside which what a defence costs is read."""

from collections.abc import Sequence
from typing import ClassVar

from rlattack.specs import NoParameters
from rlattack.training.hardening.regime import Ground, Regime


class Plain(Regime[NoParameters]):
    """Learns as it would without a defence: the undefended twin of the others."""

    name = "none"
    algorithms: ClassVar[tuple[str, ...]] = ("ppo", "dqn")
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1", "l0")
    sized: ClassVar[bool] = False

    def kinds(self, ground: Ground) -> Sequence[str]:
        """Nothing."""
        return ()
