"""A square on the screen that changes what the victim does, whatever is shown elsewhere (Brown et al. 2017, sec. 2).

What it holds is learned on tuning episodes, in expectation over states and, where asked for, over small shifts; at play
it is the same in every step, in all frames, and asks nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from rlattack.attacks.attack import AttackSpec, Fitted, Setting
from rlattack.attacks.objective import LossAttack, Objective
from rlattack.attacks.target import Target
from rlattack.attacks.tuning import Tuning
from rlattack.budget import Patch
from rlattack.draws import Draws
from rlattack.errors import InvalidInput

_LOOKS = 8
"""Batches of states by which a place is searched for."""
_STEP = 0.25
"""Length of the first step, as a share of the range of a pixel; it falls to 0."""


@dataclass(frozen=True, kw_only=True)
class PatchConfig(Objective):
    """Parameters of `patch` and of its control."""

    place: Literal["corner", "centre", "search"] = "search"
    """Where it is: at the upper left, where games keep the score, in the middle, or where the slopes of the loss are
    steepest over tuning states."""
    row: int | None = None
    """Its first row, in place of `place`; with `column`."""
    column: int | None = None
    """Its first column."""
    shift: int = 0
    """Pixels by which it may be shifted each way as it learns, so that it works a little off its place too."""
    states: int = 1500
    """Observations of tuning episodes that it learns from."""
    epochs: int = 3
    """How often it goes through them."""

    def check(self, setting: Setting) -> None:
        """Checks the objective, and the numbers."""
        super().check(setting)
        if self.states < 1 or self.epochs < 1 or self.shift < 0:
            raise InvalidInput(
                "patch: states and epochs are at least 1, shift at least 0, got "
                f"{self.states}, {self.epochs} and {self.shift}"
            )
        if (self.row is None) != (self.column is None):
            raise InvalidInput("patch: row= and column= say together where it begins")


class PatchAttack(LossAttack[PatchConfig, Patch]):
    """Covers a square with what raised the victim's loss most over tuning episodes."""

    name = "patch"
    title = "A patch"
    reaches: ClassVar[tuple[str, ...]] = ("patch",)
    fitted = True
    config_type = PatchConfig
    starts_clean = False  # but under a grey square

    @classmethod
    def control(cls) -> AttackSpec:
        """A square of noise that stays."""
        return AttackSpec("random-patch")

    @classmethod
    def control_of(cls, parameters: Mapping[str, Any]) -> AttackSpec:
        """One at the same place."""
        return AttackSpec("random-patch", dict(parameters))

    def fit(self, tuning: Tuning) -> Fitted:
        """Finds a place, and ascends the loss of batches of states in turn, by steps whose length falls to 0."""
        reach = _patch(tuning)
        batches = list(tuning.observations(-(-self.config.states // tuning.victim.slots)))
        place = self._place(reach, tuning, batches)
        values = self._learn(reach, tuning, batches, place)
        facts = {"states": sum(map(len, batches)), "row": place[0], "column": place[1]}
        return Fitted({"values": values, "place": torch.as_tensor(place)}, facts)

    def perturb(self, victim: Target, obs: Tensor, reach: Patch, draws: Draws) -> Tensor:
        """Covers the square.

        Raises:
            InvalidInput: Nothing was learned yet.
        """
        return _covered(obs, self.known("values"), self.learned.tensors["place"].tolist(), reach)

    def _learn(self, reach: Patch, tuning: Tuning, batches: Sequence[Tensor], place: tuple[int, int]) -> Tensor:
        """What the square holds, shape (1, side, side) over all frames, or (side, side, colours)."""
        low, high = float(reach.low.min()), float(reach.high.max())
        values = torch.full(_shape(reach, batches[0]), (low + high) / 2)
        rounds = self.config.epochs * len(batches)
        for number in range(rounds):
            shown, now = batches[number % len(batches)], self._shifted(reach, place, tuning.draws)
            tuning.begin(shown)
            slope = self.climb(tuning.victim, shown, tuning.draws).gradient(_covered(shown, values, now, reach))
            window = _window(slope.sum(dim=0), now, reach)
            window = window.sum(dim=0, keepdim=True) if reach.stacked else window
            values = (values + window.sign() * (high - low) * _STEP * (1 - number / rounds)).clamp(low, high)
        return values

    def _place(self, reach: Patch, tuning: Tuning, batches: Sequence[Tensor]) -> tuple[int, int]:
        config, side = self.config, reach.side
        if config.row is not None and config.column is not None:
            if not (0 <= config.row <= reach.height - side and 0 <= config.column <= reach.width - side):
                raise InvalidInput(
                    f"patch: row and column of a patch of {side} pixels are 0 to {reach.height - side} and 0 to "
                    f"{reach.width - side}, got {config.row} and {config.column}"
                )
            return config.row, config.column
        if config.place == "corner":
            return 0, 0
        if config.place == "centre":
            return (reach.height - side) // 2, (reach.width - side) // 2
        total = torch.zeros(reach.height, reach.width)
        for shown in batches[:_LOOKS]:
            tuning.begin(shown)
            slope = self.climb(tuning.victim, shown, tuning.draws).gradient(shown).abs()
            total = total + slope.sum(dim=(0, 1) if reach.stacked else (0, 3))
        sums = functional.avg_pool2d(total[None], side, stride=1)[0]
        best = int(sums.argmax())
        return best // sums.shape[1], best % sums.shape[1]

    def _shifted(self, reach: Patch, place: tuple[int, int], draws: Draws) -> tuple[int, int]:
        """A place near by, inside of the picture."""
        if not self.config.shift:
            return place
        way = (draws.uniform(2)[0] * (2 * self.config.shift + 1)).floor().long() - self.config.shift
        row, column = (first + int(one) for first, one in zip(place, way, strict=True))
        return min(max(row, 0), reach.height - reach.side), min(max(column, 0), reach.width - reach.side)


class RandomPatch(PatchAttack):
    """Covers the same square with noise, the same in every step: the control of a patch."""

    name = "random-patch"
    title = "A patch of noise"
    is_control = True

    def _learn(self, reach: Patch, tuning: Tuning, batches: Sequence[Tensor], place: tuple[int, int]) -> Tensor:
        """Draws what the square holds."""
        low, high = float(reach.low.min()), float(reach.high.max())
        return low + (high - low) * tuning.draws.uniform(*_shape(reach, batches[0]))[0]


def _patch(tuning: Tuning) -> Patch:
    assert isinstance(tuning.reach, Patch), "declared in `reaches`"
    return tuning.reach


def _shape(reach: Patch, obs: Tensor) -> tuple[int, int, int]:
    return (1, reach.side, reach.side) if reach.stacked else (reach.side, reach.side, obs.shape[-1])


def _slices(place: Sequence[int], reach: Patch) -> tuple[slice, slice]:
    (row, column), side = place, reach.side
    return slice(row, row + side), slice(column, column + side)


def _window(picture: Tensor, place: Sequence[int], reach: Patch) -> Tensor:
    """The square of one observation's entries."""
    rows, columns = _slices(place, reach)
    return picture[:, rows, columns] if reach.stacked else picture[rows, columns]


def _covered(obs: Tensor, values: Tensor, place: Sequence[int], reach: Patch) -> Tensor:
    """Observations with the square in place."""
    covered, (rows, columns) = obs.clone(), _slices(place, reach)
    if reach.stacked:
        covered[:, :, rows, columns] = values
    else:
        covered[:, rows, columns] = values
    return covered
