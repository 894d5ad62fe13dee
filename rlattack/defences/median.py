"""A median filter over each picture (Xu et al. 2018, sec. III-B: spatial smoothing)."""

from dataclasses import dataclass
from typing import Annotated

import torch
from gymnasium.spaces import Box
from torch import Tensor
from torch.nn import functional

from rlattack.defences.front import Front
from rlattack.defences.pictures import images, shown, sides
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.policy import State
from rlattack.specs import Range

_NINE = 9
_EXCHANGES = (
    (1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3), (5, 8), (4, 7), (3, 6), (1, 4),
    (2, 5), (4, 7), (4, 2), (6, 4), (4, 2),
)  # fmt: skip
"""Comparisons after which the fifth of nine values is their median (Paeth 1990)."""


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
        squares = wide.unfold(2, side, 1).unfold(3, side, 1).flatten(4)
        return shown(_median(squares), self._space)


def _median(values: Tensor) -> Tensor:
    """The median along the last axis: of an even number, the mean of the two in the middle."""
    count = values.shape[-1]
    if count == _NINE:  # a tenth of the time, and among equals each has its part of the slope
        ranked = list(values.unbind(dim=-1))
        for low, high in _EXCHANGES:
            one, other = ranked[low], ranked[high]
            ranked[low], ranked[high] = torch.minimum(one, other), torch.maximum(one, other)
        return ranked[4]
    if count % 2:
        return values.median(dim=-1).values
    return values.topk(count // 2 + 1, dim=-1).values[..., -2:].mean(dim=-1)
