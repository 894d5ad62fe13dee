"""Total variation minimised (Rudin, Osher and Fatemi 1992), as a defence by Guo et al. 2018, sec. 4.

Solved by the dual projection of Chambolle 2004, theorem 3.1. Guo et al. drop pixels at random before; this does not.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor
from torch.nn import functional

from rlattack.defences.front import Front
from rlattack.defences.pictures import images, shown
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.policy import State
from rlattack.specs import Range

_STEP = 0.25
"""Of the projection: it converges in practice up to 1/4 (Chambolle 2004, sec. 3)."""
_TINY = 1e-12
"""Below a squared slope, so that its root has a slope at 0."""


@dataclass(frozen=True, kw_only=True)
class TvConfig:
    """Parameters of `tv`."""

    weight: Annotated[float, Range(above=0, most=1)] = 0.02
    """Of the total variation beside half the squared distance, of pixels over their range: by how much a small spot
    fades."""
    iterations: Annotated[int, Range(least=1, most=1000)] = 10
    """Steps of the projection."""


class Tv(Front[TvConfig]):
    """Smooths each frame but keeps its edges, by least total variation; attacks go through all iterations."""

    name = "tv"
    takes = ("pictures",)
    sloped = True
    config_type = TvConfig

    def check(self, seat: Seat) -> None:
        """Refuses pixels without a range."""
        super().check(seat)
        space = seat.observation
        assert isinstance(space, Box), "checked above"
        self._space, low, high = space, float(space.low.min()), float(space.high.max())
        if not np.isfinite([low, high]).all():
            raise InvalidInput(f"defence tv: expected pixels that have a range, {seat.name} sees {space}")
        self._weight = self.config.weight * (high - low)

    def seen(self, obs: Tensor, draws: Draws | None, memory: State = None) -> Tensor:
        """The picture whose total variation, times the weight, plus half its squared distance is least."""
        found = images(obs, self._space)
        down, across = torch.zeros_like(found), torch.zeros_like(found)
        for _ in range(self.config.iterations):
            rest = _divergence(down, across) - found / self._weight
            slope_down, slope_across = _slopes(rest)
            length = 1 + _STEP * (slope_down.square() + slope_across.square() + _TINY).sqrt()
            down, across = (down + _STEP * slope_down) / length, (across + _STEP * slope_across) / length
        return shown(found - self._weight * _divergence(down, across), self._space)


def _slopes(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Differences to the next pixel down and across, 0 at the last one."""
    down = functional.pad(picture[..., 1:, :] - picture[..., :-1, :], (0, 0, 0, 1))
    return down, functional.pad(picture[..., 1:] - picture[..., :-1], (0, 1))


def _divergence(down: Tensor, across: Tensor) -> Tensor:
    """Minus the adjoint of `_slopes`."""
    down, across = functional.pad(down[..., :-1, :], (0, 0, 1, 1)), functional.pad(across[..., :-1], (1, 1))
    return (down[..., 1:, :] - down[..., :-1, :]) + (across[..., 1:] - across[..., :-1])
