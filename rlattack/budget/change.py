"""Natural changes of what is seen or done: an attack chooses how severe a change is, and nothing else of it."""

import copy
import math
from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from torch import Tensor

from rlattack.arrays import BoolArray, IntArray, rowwise
from rlattack.budget.frames import channels_first, is_stack
from rlattack.budget.past import Past
from rlattack.budget.reach import TOLERANCE, Reach, Sizes, finite
from rlattack.draws import Draws
from rlattack.errors import BudgetError

_COLOURS = 3


class Change(Reach):
    """What things become by one change, of a severity up to `radius` (from `-radius` where it is signed).

    What an attack wants is one severity a row, shape (n,), or, of a change of which chance decides more, shape
    (n, 1 + numbers): the severity, and numbers from 0 to 1 that say where or which way. `settle` makes the change.
    `measure` trusts no tensor: it makes the change once more, of the judge's own copy, by what was settled last, and
    what is another thing than that is out of reach. What needs the past has it from `see`: the judge from what it saw.

    Args:
        radius: The largest severity.
        space: One thing: stacked frames, oldest first, a picture in colours, numbers, or an action.
        grid: Whether what comes out is rounded to whole bytes.
        newest: Whether the newest of stacked frames alone changes.
        free: Numbers of the entries that may change; None for all.
        scale: What severities are counted in, as it broadcasts over things, of a change that is `in_space`.
        stand_in: What is in place of a value that is missing.

    Raises:
        BudgetError: A severity out of range, or things that cannot be changed so.
    """

    unit: ClassVar[str]
    """What severities are counted in, in the plural."""
    most: ClassVar[float]
    """The largest severity that means anything."""
    signed: ClassVar[bool] = True
    """Whether there is the other direction too."""
    whole: ClassVar[bool] = False
    """Whether severities are whole numbers."""
    pictures: ClassVar[bool] = False
    """Whether it is of pictures alone."""
    steady: ClassVar[bool] = False
    """Whether what chance decides is decided once an episode."""
    remembers: ClassVar[bool] = False
    """Whether it is made of what was before; what it gives is then a copy of what was shown, to the bit."""
    in_space: ClassVar[bool] = False
    """Whether severities are in units of the budget's space."""

    def __init_subclass__(cls) -> None:
        """A change measures one size: its severity, under its own name."""
        if "kind" in vars(cls):
            cls.names = (cls.kind,)

    def __init__(
        self, radius: float, space: Space[Any], *, grid: bool = False, newest: bool = False,
        free: Tensor | None = None, scale: Tensor | None = None, stand_in: float = 0.0,
    ) -> None:  # fmt: skip
        if not 0 < radius <= self.most:
            raise BudgetError(f"--eps: {self.kind} is above 0 and at most {self.most:g} {self.unit}, got {radius:g}")
        if self.whole and radius != int(radius):
            raise BudgetError(
                f"--eps: {self.kind} is a whole number of {self.unit}, got {radius:g}; beside others, eps= after "
                "the name gives an attack a size of its own"
            )
        self.radius, self.grid = float(radius), grid
        self._newest, self._scale, self._free, self._stand_in = newest, scale, None, stand_in
        self._lay(space)
        if grid and space.dtype != np.uint8:
            raise BudgetError(f"--grid is for byte observations, this game shows {space.dtype}")
        if free is not None:
            self._free = torch.isin(torch.arange(math.prod(space.shape or (1,))), free)[None]
        self._past = Past(int(radius) if self.whole else 0)
        self._settled: list[Tensor] = [torch.empty(0)]  # a list, since the judge's copy shares it

    def _lay(self, space: Space[Any]) -> None:
        """Holds the ends of the range, and how pictures lie."""
        if self.pictures and not is_picture(space):
            raise BudgetError(f"{self.kind} is for images, this game shows {shape_words(space)}")
        if not isinstance(space, Box | Discrete | MultiDiscrete):
            raise BudgetError(f"{self.kind} is for numbers and images, this game has {space}")
        self.low, self.high = ends(space)
        self._picture, self._stacked, self._colours, self._pixels, self._side = False, True, False, 0, 0
        if isinstance(space, Box) and is_picture(space):
            self._picture, self._stacked = True, channels_first(space)
            height, width, channels = space.shape if not self._stacked else (*space.shape[1:], space.shape[0])
            self._pixels, self._side = height * width, min(height, width)
            self._colours = channels == _COLOURS and not is_stack(space)
        if self._newest:
            self.low, self.high = self.low[:, -1:], self.high[:, -1:]
        span = float(self.high.max()) - float(self.low.min())
        self._allowed = TOLERANCE * span if math.isfinite(span) else None

    @abstractmethod
    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """Things by that change, a new tensor of their shape.

        Args:
            shown: Shape (n, *thing), in the game's own range; pictures as (n, channels, height, width).
            severities: A number a row, shape (n,).
            details: What chance decides, from 0 to 1, shape (n, numbers).
        """

    @property
    def numbers(self) -> int:
        """How many numbers beside its severity say what a change is."""
        return 0

    def settle(self, wanted: Tensor, clean: Tensor) -> Tensor:
        """The clean things, changed as severely as was wanted and is allowed.

        Args:
            wanted: Severities, shape (n,), or with what chance decides, shape (n, 1 + numbers).
            clean: Things, shape (n, *thing).
        """
        shape = (len(clean), 1 + self.numbers) if self.numbers else (len(clean),)
        if wanted.shape != shape:
            raise ValueError(f"expected one severity of {self.kind} a row, {shape}, got shape {tuple(wanted.shape)}")
        wanted = finite(wanted, torch.zeros_like(wanted)).reshape(len(clean), -1)
        severities = wanted[:, :1].clamp(-self.radius if self.signed else 0.0, self.radius)
        severities = severities.round() if self.whole else severities
        self._settled[0] = torch.cat([severities, wanted[:, 1:].clamp(0, 1)], dim=1)
        if not self._newest:
            return self._changed(clean)
        return torch.cat([clean[:, :-1], self._changed(clean[:, -1:])], dim=1)

    def measure(self, received: Tensor, clean: Tensor) -> Sizes:
        """Severities, and whether what was received is the clean thing at that severity."""
        clean, (settled,) = clean.to(received), self._settled
        changed = _rows(received != clean).any(dim=1)
        sizes, same = torch.zeros(len(clean), device=clean.device), ~changed
        if changed.any() and len(settled) == len(clean):
            sizes = torch.where(changed, settled[:, 0].abs(), 0.0)
            same |= self._is_near(received, self._changed(clean))
        legal = same & (sizes <= self.radius * (1 + TOLERANCE) + TOLERANCE)
        values = sizes[:, None].double().numpy(force=True)
        return Sizes(values, legal.numpy(force=True), changed.numpy(force=True))

    def random(self, clean: Tensor, draws: Draws) -> Tensor:
        """Severities drawn uniformly from the range, and whatever else chance decides, as `settle` takes them."""
        drawn = draws.uniform(1 + self.numbers)
        severities = (2 * drawn[:, 0] - 1) * self.radius if self.signed else drawn[:, 0] * self.radius
        return self.wanted(severities, drawn[:, 1:])

    def wanted(self, severities: Tensor, details: Tensor) -> Tensor:
        """Severities, shape (n,), with what chance decides, shape (n, numbers), as `settle` takes both."""
        return torch.cat([severities[:, None], details], dim=1) if self.numbers else severities

    def levels(self, count: int) -> list[float]:
        """About so many severities all over the range, each once."""
        found = np.linspace(-self.radius if self.signed else 0.0, self.radius, count)
        return sorted({float(round(one) if self.whole else one) for one in found})

    def see(self, shown: Tensor, received: Tensor, acting: BoolArray) -> None:
        """Keeps what was shown and received in a step, where that is needed."""
        if self.remembers:
            shown, received = (self._laid(one[:, -1:] if self._newest else one) for one in (shown, received))
            self._past.see(shown, received, acting)

    def restart(self, slots: IntArray) -> None:
        """Forgets the episodes that ended in these slots."""
        self._past.restart(slots)

    def judged(self) -> Self:
        """The same for the judge: told what was settled, with a memory of its own."""
        own = copy.copy(self)
        own._past = copy.deepcopy(self._past)
        return own

    def newest_only(self) -> Self:
        """The same for stacks of the newest frame alone."""
        own = copy.copy(self)
        own._newest = False
        return own

    def _changed(self, clean: Tensor) -> Tensor:
        settled = self._settled[0].to(clean.device)
        found = self.apply(self._laid(clean), settled[:, 0], settled[:, 1:])
        found = found if self._stacked else found.movedim(1, -1)
        if not self.remembers:
            found = found.clamp(self.low, self.high)
        found = found.round() if self.grid else found
        kept = rowwise(settled[:, 0] == 0, clean)  # which float rounding makes a hair of
        return torch.where(kept if self._free is None else kept | ~self._free, clean, found)

    def _laid(self, things: Tensor) -> Tensor:
        return things if self._stacked else things.movedim(-1, 1)

    def _is_near(self, received: Tensor, expected: Tensor) -> Tensor:
        """Whether rows are what was expected, but for rounding of what is computed."""
        if self.remembers:
            return _rows(received == expected).all(dim=1)
        allowed = self._allowed if self._allowed is not None else TOLERANCE * expected.abs().clamp(min=1)
        return _rows((received - expected).abs() <= allowed).all(dim=1)


def is_colour(space: Box) -> bool:
    """Whether observations are one picture with its colours last, (height, width, colours)."""
    return len(space.shape) == 3 and space.shape[2] < min(space.shape[:2])


def is_picture(space: Space[Any]) -> bool:
    """Whether observations are stacked frames or one picture."""
    return isinstance(space, Box) and (channels_first(space) or is_colour(space))


def shape_words(space: Space[Any]) -> str:
    """What a space shows, for messages, without all its ends."""
    return f"numbers of shape {space.shape}" if isinstance(space, Box) else str(space)


def ends(space: Box | Discrete | MultiDiscrete) -> tuple[Tensor, Tensor]:
    """The least and the largest value of each entry of a thing, with an axis for the batch."""
    if isinstance(space, Box):
        low, high = (torch.as_tensor(end.astype(np.float32))[None] for end in (space.low, space.high))
        return low, high
    most = torch.as_tensor(np.asarray(space.n if isinstance(space, Discrete) else space.nvec)) - 1
    most = most[None]
    return torch.zeros_like(most), most


def _rows(things: Tensor) -> Tensor:
    """Things as rows of entries, shape (n, entries)."""
    return things.reshape(len(things), -1)
