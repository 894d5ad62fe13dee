"""A square on the screen that changes what the victim does, whatever is shown elsewhere (Brown et al. 2017, sec. 2).

What it holds is learned on tuning episodes, in expectation over states and, where asked for, over small shifts or all
places; at play it is the same in every step of an episode, in all frames, and asks nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from rlattack.arrays import IntArray
from rlattack.attacks.attack import AttackSpec, Setting
from rlattack.attacks.kept import Kept
from rlattack.attacks.mask import Shape, file_mask, read_mask, shape_mask
from rlattack.attacks.objective import LossAttack, Objective
from rlattack.attacks.target import Target
from rlattack.attacks.tuning import STRIDE, States, Tuning
from rlattack.attacks.words import Fitted, Work
from rlattack.budget import Budget, Patch
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.specs import Count, Range

_LOOKS = 8
"""Batches of states by which a place is searched for."""
_NOISE = 0.1
"""Share of the range of a pixel by which all are moved where a loss has no slope in what is shown."""
_STEP = 0.25
"""Length of the first step, as a share of the range of a pixel; it falls to 0."""


@dataclass(frozen=True, kw_only=True)
class PatchConfig(Objective):
    """Parameters of `patch`, of `sticker` and of their control."""

    place: Literal["corner", "centre", "search", "anywhere"] = "search"
    """Where it is: at the upper left, where games keep the score, in the middle, where the slopes of the loss are
    steepest over tuning states, or anywhere, in another place in every episode; then it learns in all places."""
    row: int | None = None
    """Its first row, in place of `place`; with `column`."""
    column: int | None = None
    """Its first column."""
    shift: Annotated[int, Range(least=0)] = 0
    """Pixels by which it may be shifted each way as it learns, so that it works a little off its place too."""
    shape: Shape = "square"
    """What of the square it covers."""
    mask: str = ""
    """A file that says what it covers, in place of `shape`: a picture (what is not transparent or, without that, not
    dark) or a .npy array, stretched to the square."""
    states: States = 1500
    """Observations of tuning episodes that it learns from."""
    epochs: Count = 3
    """How often it goes through them."""

    @property
    def roams(self) -> bool:
        """Whether it is in another place in every episode."""
        return self.place == "anywhere" and self.row is None

    def check(self, setting: Setting) -> None:
        """Checks the objective, the numbers and the file."""
        super().check(setting)
        if (self.row is None) != (self.column is None):
            raise InvalidInput("patch: row= and column= say together where it begins")
        if self.roams and self.shift:
            raise InvalidInput("patch: place=anywhere is every place; shift= is for a place of its own")
        if self.mask:
            read_mask(self.mask)


class PatchAttack(LossAttack[PatchConfig, Patch]):
    """Covers a square with what raised the victim's loss most over tuning episodes."""

    name = "patch"
    title = "A patch"
    reaches: ClassVar[tuple[str, ...]] = ("patch",)
    fitted = True
    files: ClassVar[tuple[str, ...]] = ("mask",)
    config_type = PatchConfig
    starts_clean = False  # but under a grey square

    def __init__(self, budget: Budget, config: PatchConfig) -> None:
        super().__init__(budget, config)
        self._kept = Kept()
        self._flat = False

    def check(self, setting: Setting) -> None:
        """Checks what it climbs, and that it is inside of the picture where its place is given.

        Raises:
            RlattackError: A parameter that does not fit.
        """
        super().check(setting)
        self._flat = self.config.diverges(setting.actions)
        row, column = self.config.row, self.config.column
        if row is None or column is None:
            return
        last = _last(reach := Patch(self.budget.size, setting.space)).tolist()
        if not (0 <= row <= last[0] and 0 <= column <= last[1]):
            raise InvalidInput(
                f"attack {self.name}: row and column of a patch of {reach.side} pixels are 0 to {last[0]} and 0 to "
                f"{last[1]}, got {row} and {column}"
            )

    @classmethod
    def control(cls) -> AttackSpec:
        """A square of noise that stays."""
        return AttackSpec("random-patch")

    @classmethod
    def control_of(cls, parameters: Mapping[str, Any]) -> AttackSpec:
        """One at the same place, of the same shape."""
        return AttackSpec("random-patch", dict(parameters))

    def restart(self, slots: IntArray) -> None:
        """Lets chance say anew where it is in these slots."""
        self._kept.restart(slots)

    def fit(self, tuning: Tuning) -> Fitted:
        """Finds a place, and ascends the loss of batches of states in turn, by steps whose length falls to 0."""
        reach, mask = _patch(tuning), self._mask(_patch(tuning))
        batches = list(tuning.observations(-(-self.config.states // tuning.victim.slots)))
        place = self._place(reach, tuning, batches, mask)
        values = self._learn(reach, tuning, batches, place, mask)
        facts = {"states": sum(map(len, batches))}
        if not self.config.roams:
            facts |= {"row": place[0], "column": place[1]}
        return Fitted({"values": values, "place": torch.as_tensor(place), "mask": mask}, facts)

    def work(self, length: float) -> Work:
        """Steps of which some are looked at, and climbed in as often as there are epochs."""
        return Work(steps=STRIDE * self.config.states, gradients=self.config.epochs * self.config.states)

    def perturb(self, victim: Target, obs: Tensor, reach: Patch, draws: Draws) -> Tensor:
        """Covers what it covers.

        Raises:
            InvalidInput: Nothing was learned yet.
        """
        values, learned = self.known("values"), self.learned.tensors
        places = learned["place"].expand(len(obs), 2)
        if self.config.roams:
            places = _anywhere(reach, self._kept(draws.uniform(2), victim.active))
        return _covered(obs, values, places, learned["mask"], reach)

    def _mask(self, reach: Patch) -> Tensor:
        """What of the square is covered, bool, (side, side)."""
        side = reach.side
        return file_mask(self.config.mask, side) if self.config.mask else shape_mask(self.config.shape, side)

    def _learn(
        self, reach: Patch, tuning: Tuning, batches: Sequence[Tensor], place: tuple[int, int], mask: Tensor
    ) -> Tensor:
        """What the square holds, shape (1, side, side) over all frames, or (side, side, colours)."""
        low, high = float(reach.low.min()), float(reach.high.max())
        values = torch.full(_shape(reach, batches[0]), (low + high) / 2)
        rounds = self.config.epochs * len(batches)
        for number in range(rounds):
            shown = batches[number % len(batches)]
            places = self._places(reach, place, tuning.draws).expand(len(shown), 2)
            tuning.begin(shown)
            point = _covered(shown, values, places, mask, reach)
            slope = self.climb(tuning.victim, shown, tuning.draws).gradient(point)
            window = _windows(slope, places, reach).sum(dim=0)
            window = window.sum(dim=0, keepdim=True) if reach.stacked else window
            values = (values + window.sign() * (high - low) * _STEP * (1 - number / rounds)).clamp(low, high)
        return values

    def _place(self, reach: Patch, tuning: Tuning, batches: Sequence[Tensor], mask: Tensor) -> tuple[int, int]:
        config, side = self.config, reach.side
        if config.row is not None and config.column is not None:
            return config.row, config.column
        if config.place in ("corner", "anywhere"):
            return 0, 0
        if config.place == "centre":
            return (reach.height - side) // 2, (reach.width - side) // 2
        total = torch.zeros(reach.height, reach.width)
        for shown in batches[:_LOOKS]:
            tuning.begin(shown)
            point = _noisy(shown, reach, tuning.draws) if self._flat else shown
            slope = self.climb(tuning.victim, shown, tuning.draws).gradient(point).abs()
            total = total + slope.sum(dim=(0, 1) if reach.stacked else (0, 3))
        sums = functional.conv2d(total[None, None], mask.float()[None, None])[0, 0]
        best = int(sums.argmax())
        return best // sums.shape[1], best % sums.shape[1]

    def _places(self, reach: Patch, place: tuple[int, int], draws: Draws) -> Tensor:
        """Where it is as it learns, shape (slots, 2): anywhere, or shifted a little, inside of the picture."""
        if self.config.roams:
            return _anywhere(reach, draws.uniform(2))
        at = torch.as_tensor(place)[None]
        if not self.config.shift:
            return at
        way = (draws.uniform(2) * (2 * self.config.shift + 1)).floor().long() - self.config.shift
        return torch.minimum((at + way).clamp_min(0), _last(reach))


class RandomPatch(PatchAttack):
    """Covers the same with noise, the same in every step: the control of a patch."""

    name = "random-patch"
    title = "A patch of noise"
    is_control = True

    def _learn(
        self, reach: Patch, tuning: Tuning, batches: Sequence[Tensor], place: tuple[int, int], mask: Tensor
    ) -> Tensor:
        """Draws what the square holds."""
        low, high = float(reach.low.min()), float(reach.high.max())
        return low + (high - low) * tuning.draws.uniform(*_shape(reach, batches[0]))[0]


def _patch(tuning: Tuning) -> Patch:
    assert isinstance(tuning.reach, Patch), "declared in `reaches`"
    return tuning.reach


def _noisy(obs: Tensor, reach: Patch, draws: Draws) -> Tensor:
    """Pictures near those that are shown."""
    way = _NOISE * (2 * draws.uniform(*obs.shape[1:]) - 1) * (reach.high - reach.low)
    return (obs + way).clamp(reach.low, reach.high)


def _shape(reach: Patch, obs: Tensor) -> tuple[int, int, int]:
    return (1, reach.side, reach.side) if reach.stacked else (reach.side, reach.side, obs.shape[-1])


def _last(reach: Patch) -> Tensor:
    """The last row and column at which a square may begin."""
    return torch.as_tensor([reach.height - reach.side, reach.width - reach.side])


def _anywhere(reach: Patch, drawn: Tensor) -> Tensor:
    """Where squares begin, (slots, 2), of numbers in [0, 1)."""
    return torch.minimum((drawn * (_last(reach) + 1)).floor().long(), _last(reach))


def _windows(pictures: Tensor, places: Tensor, reach: Patch) -> Tensor:
    """The squares of pictures, shape (slots, frames, side, side) or (slots, side, side, colours)."""
    side = torch.arange(reach.side)
    slots = torch.arange(len(pictures))[:, None, None]
    rows, columns = (places[:, 0, None] + side)[:, :, None], (places[:, 1, None] + side)[:, None, :]
    return pictures[slots, :, rows, columns].movedim(3, 1) if reach.stacked else pictures[slots, rows, columns]


def _covered(obs: Tensor, values: Tensor, places: Tensor, mask: Tensor, reach: Patch) -> Tensor:
    """Observations with what is covered in place."""
    down = torch.arange(reach.height) - places[:, 0, None]
    right = torch.arange(reach.width) - places[:, 1, None]
    last = reach.side - 1
    row, column = down.clamp(0, last)[:, :, None], right.clamp(0, last)[:, None, :]
    within = ((down >= 0) & (down <= last))[:, :, None] & ((right >= 0) & (right <= last))[:, None, :]
    covers = within & mask[row, column]
    if reach.stacked:
        return torch.where(covers[:, None], values[0][row, column][:, None], obs)
    return torch.where(covers[..., None], values[row, column], obs)
