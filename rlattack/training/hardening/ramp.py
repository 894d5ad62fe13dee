"""How the size that is to be stood grows while a learner learns."""

from dataclasses import dataclass
from typing import Annotated

from rlattack.errors import InvalidInput
from rlattack.specs import Range

_BEND, _POWER = 0.25, 4
_ROUNDED = 1e-6
"""By how much shares that are 1 together may miss it."""


@dataclass(frozen=True, kw_only=True)
class Ramped:
    """Parameters of regimes whose size grows while they learn.

    Shares are those of all steps: a run that --resume makes longer goes on at the size that a run of that length has
    there, which is less.

    Raises:
        InvalidInput: The run would end before the size is whole.
    """

    start: Annotated[float, Range(least=0, below=1)] = 0.0
    """Share of the run before the size grows."""
    ramp: Annotated[float, Range(least=0, most=1)] = 0.75
    """Share of the run in which it does; 0 for at once."""
    smooth: bool = False
    """Grows by the fourth power in the first quarter and linearly from there on, without a bend, as Zhang et al. 2020
    have it for SA-DQN; else linearly throughout."""

    def __post_init__(self) -> None:
        if self.start + self.ramp > 1 + _ROUNDED:
            raise InvalidInput(
                f"expected start and ramp, shares of the run, of at most 1 together, got {self.start:g} and "
                f"{self.ramp:g}, by which it would end before it meets the whole --eps; choose a ramp of at most "
                f"{1 - self.start:g}"
            )

    def share(self, done: float) -> float:
        """The share of its size that an attack has at a share of the run: 0 before `start`, 1 after `ramp` more."""
        if done < self.start:
            return 0.0
        part = 1.0 if self.ramp == 0 else min(1.0, (done - self.start) / self.ramp)
        if not self.smooth:
            return part
        slope = _POWER * _BEND ** (_POWER - 1)
        begun = part**_POWER if part < _BEND else _BEND**_POWER + slope * (part - _BEND)
        return begun / (_BEND**_POWER + slope * (1 - _BEND))
