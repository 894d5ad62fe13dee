"""The trigger of a backdoor: a plain square in a corner, by which a poisoned agent was trained to act (TrojDRL).

Kiourti et al. 2020, sec. III. An agent that was not poisoned has no reason to heed it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from torch import Tensor

from rlattack.attacks.attack import AttackSpec, ObservationAttack, Setting
from rlattack.attacks.target import Target
from rlattack.attacks.words import Knowledge
from rlattack.budget import Patch
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.specs import Range


@dataclass(frozen=True, kw_only=True)
class TriggerConfig:
    """Parameters of `trigger`."""

    row: Annotated[int, Range(least=0)] = 0
    """Its first row."""
    column: Annotated[int, Range(least=0)] = 0
    """Its first column."""
    value: Annotated[float, Range(least=0, most=1)] = 1.0
    """What it holds, as a share of the range of a pixel."""


class Trigger(ObservationAttack[TriggerConfig, Patch]):
    """Covers a square with one grey, in all frames: what a backdoor waits for; eps is its side in pixels."""

    name = "trigger"
    title = "A trigger"
    knowledge: ClassVar[Knowledge] = "none"
    reaches: ClassVar[tuple[str, ...]] = ("patch",)
    standard = (8.0,)
    config_type = TriggerConfig

    def check(self, setting: Setting) -> None:
        """Refuses a square that is not wholly in the picture.

        Raises:
            InvalidInput: It is not.
        """
        reach = Patch(self.budget.size, setting.space)
        last = reach.height - reach.side, reach.width - reach.side
        if self.config.row > last[0] or self.config.column > last[1]:
            raise InvalidInput(
                f"attack trigger: row and column of a square of {reach.side} pixels are 0 to {last[0]} and 0 to "
                f"{last[1]}, got {self.config.row} and {self.config.column}"
            )

    def perturb(self, victim: Target, obs: Tensor, reach: Patch, draws: Draws) -> Tensor:
        """Covers the square."""
        return self.covered(obs, reach)

    def covered(self, obs: Tensor, reach: Patch) -> Tensor:
        """Observations with the square in place, shape (n, *observation); those that are given are changed."""
        low, high = float(reach.low.min()), float(reach.high.max())
        rows, columns = (slice(one, one + reach.side) for one in (self.config.row, self.config.column))
        pixels = obs[..., rows, columns] if reach.stacked else obs[:, rows, columns]
        pixels.fill_(low + (high - low) * self.config.value)
        return obs

    @classmethod
    def control(cls) -> AttackSpec:
        """A square of noise."""
        return AttackSpec("random-patch")

    @classmethod
    def control_of(cls, parameters: Mapping[str, Any]) -> AttackSpec:
        """One at the same place."""
        return AttackSpec("random-patch", {name: parameters.get(name, 0) for name in ("row", "column")})
