"""A median filter over each picture (Xu et al. 2018, sec. III-B: spatial smoothing)."""

import itertools
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from gymnasium.spaces import Box
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from rlattack.defences.front import Front
from rlattack.defences.pictures import images, shown, sides
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.policy import State
from rlattack.specs import Range


@dataclass(frozen=True, kw_only=True)
class MedianConfig:
    """Parameters of `median`."""

    window: Annotated[int, Range(least=2, most=1000)] = 3
    """Pixels a side of the square of which each pixel becomes the median."""


class Median(Front[MedianConfig]):
    """Makes each pixel the median of those around it, frame by frame; attacks go down the filter's own slope."""

    name = "median"
    takes = ("pictures",)
    sloped = True
    config_type = MedianConfig

    def check(self, seat: Seat) -> None:
        """Refuses a window that is larger than the picture."""
        super().check(seat)
        assert isinstance(seat.observation, Box), "checked above"
        self._space = seat.observation
        if self.config.window > min(sides(self._space)):
            height, width = sides(self._space)
            raise InvalidInput(
                f"defence median: window: expected at most the picture, {height} x {width} pixels, got "
                f"{self.config.window}"
            )

    def seen(self, obs: Tensor, draws: Draws | None, memory: State = None) -> Tensor:
        """The median of each square; beyond its edge a picture is mirrored, as in the authors' code."""
        side, found = self.config.window, images(obs, self._space)
        before, after = side // 2, (side - 1) // 2
        wide = functional.pad(found, (before, after, before, after), mode="reflect")
        if side % 2:
            medians: Tensor = _Odd.apply(wide, side)  # type: ignore[no-untyped-call]  # torch's own
            return shown(medians, self._space)
        return shown(_of_square(wide, side), self._space)


_THREE = 3


class _Odd(torch.autograd.Function):
    """Medians of squares of an odd side, whose slope those share that are equal to them.

    By autograd a gradient through comparisons takes ten times as long.
    """

    @staticmethod
    def forward(ctx: Any, wide: Tensor, side: int) -> Tensor:
        """Medians of every square, shape (n, channels, height, width), of a wider picture."""
        found = _of_nine(wide) if side == _THREE else _of_square(wide, side)
        ctx.save_for_backward(wide, found)
        ctx.side = side
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        """Back to the pixels of each square that are its median."""
        wide, found = ctx.saved_tensors
        height, width = found.shape[-2:]
        places = [
            (..., slice(down, down + height), slice(across, across + width))
            for down, across in itertools.product(range(ctx.side), repeat=2)
        ]
        count = torch.zeros_like(found)
        for place in places:
            count += wide[place] == found
        share, back = slope / count, torch.zeros_like(wide)
        for place in places:
            back[place] += share * (wide[place] == found)
        return back, None


def _of_nine(wide: Tensor) -> Tensor:
    """Medians of squares of 3: columns in order first, which neighbours share (Paeth 1990)."""
    columns = wide[..., :-2, :], wide[..., 1:-1, :], wide[..., 2:, :]
    low, middle, high = _low(*columns), _middle(*columns), _high(*columns)
    return _middle(_high(*_beside(low)), _middle(*_beside(middle)), _low(*_beside(high)))


def _beside(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return rows[..., :-2], rows[..., 1:-1], rows[..., 2:]


def _low(one: Tensor, other: Tensor, third: Tensor) -> Tensor:
    return torch.minimum(torch.minimum(one, other), third)


def _high(one: Tensor, other: Tensor, third: Tensor) -> Tensor:
    return torch.maximum(torch.maximum(one, other), third)


def _middle(one: Tensor, other: Tensor, third: Tensor) -> Tensor:
    return torch.maximum(torch.minimum(one, other), torch.minimum(torch.maximum(one, other), third))


def _of_square(wide: Tensor, side: int) -> Tensor:
    """Medians of squares of any side: of an even number of pixels, the mean of the two in the middle."""
    values = wide.unfold(2, side, 1).unfold(3, side, 1).flatten(4)
    count = side * side
    if count % 2:
        return values.median(dim=-1).values
    return values.topk(count // 2 + 1, dim=-1).values[..., -2:].mean(dim=-1)
