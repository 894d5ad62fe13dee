"""What an ensemble of attacks found of a victim: what each member leaves it, and what its gradients are worth."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["steps", "size", "black box", "random starts"]
_ENOUGH = 0.9
"""Part of what the weaker of two attacks gains that the stronger one must gain at least."""
_FLAT = 0.05
"""Part of the states in which a loss may have no slope."""


@dataclass(frozen=True)
class Member:
    """An attack of an ensemble, on the tuning episodes by which the strongest was chosen."""

    attack: str
    """As it would be typed."""
    returns: float
    """What is left to the victim, the mean of the episodes."""
    queries: float
    """Outputs of the victim that it asked for, a step."""
    gradients: float
    """Backward passes, a step."""
    learned_in: int = 0
    """Steps of the victim from which it learned before."""


@dataclass(frozen=True)
class Probe:
    """Two attacks in the same states, of which one must be stronger where gradients tell the truth."""

    kind: Kind
    """What the stronger one has more of, or what the weaker one does without gradients."""
    weaker: str
    stronger: str
    before: float
    """By how much the weaker one raises the loss, the mean over states."""
    after: float
    """The same of the stronger one."""
    most: float | None
    """Upper end of the 95 % interval of after / before; None where nothing was gained before."""

    @property
    def failed(self) -> bool:
        """Whether the stronger one gains measurably less."""
        return self.most is not None and self.most < _ENOUGH


@dataclass(frozen=True)
class Ensemble:
    """What was chosen, and by what."""

    plays: str
    """The member that is the attack from then on."""
    members: tuple[Member, ...]
    episodes: int
    """Tuning episodes of each member, the same ones."""
    probes: tuple[Probe, ...] = ()
    states: int = 0
    """Observations of tuning episodes in which gradients were probed."""
    flat: float = 0.0
    """Part of these in which the loss has no slope where an attack starts."""
    random: bool = False
    """Whether the victim is random in itself: then members by gradients take the mean of several draws."""

    @property
    def hidden(self) -> bool:
        """Whether too many states have no slope."""
        return self.flat > _FLAT
