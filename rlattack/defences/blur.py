"""A Gaussian filter over each picture: linear spatial smoothing (beside the median of Xu et al. 2018, sec. III-B)."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from gymnasium.spaces import Box
from torch import Tensor
from torch.nn import functional

from rlattack.defences.front import Front
from rlattack.defences.pictures import images, shown
from rlattack.draws import Draws
from rlattack.games.game import Seat
from rlattack.policies.policy import State
from rlattack.specs import Range


@dataclass(frozen=True, kw_only=True)
class BlurConfig:
    """Parameters of `blur`."""

    sigma: Annotated[float, Range(above=0, most=20)] = 1.0
    """Standard deviation of the Gaussian, in pixels."""


class Blur(Front[BlurConfig]):
    """Averages each pixel with those around it by a Gaussian, frame by frame; attacks go through it."""

    name = "blur"
    takes = ("pictures",)
    sloped = True
    config_type = BlurConfig

    def check(self, seat: Seat) -> None:
        """Takes the shape of the picture."""
        super().check(seat)
        assert isinstance(seat.observation, Box), "checked above"
        self._space = seat.observation
        reach = math.ceil(3 * self.config.sigma)
        weights = (-0.5 * (torch.arange(-reach, reach + 1) / self.config.sigma).square()).exp()
        self._weights = weights / weights.sum()

    def seen(self, obs: Tensor, draws: Draws | None, memory: State = None) -> Tensor:
        """The Gaussian mean around each pixel; the edge goes on beyond it."""
        found = images(obs, self._space)
        n, channels, height, width = found.shape
        frames, reach = found.reshape(n * channels, 1, height, width), len(self._weights) // 2
        across = functional.pad(frames, (reach, reach, 0, 0), mode="replicate")
        across = functional.conv2d(across, self._weights.view(1, 1, 1, -1))
        down = functional.pad(across, (0, 0, reach, reach), mode="replicate")
        down = functional.conv2d(down, self._weights.view(1, 1, -1, 1))
        return shown(down.view(n, channels, height, width), self._space)
