"""JPEG compression of what is seen (Dziugaite et al. 2016; Guo et al. 2018, sec. 4), frame by frame."""

import io
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.spaces import Box
from PIL import Image
from torch import Tensor

from rlattack.defences.front import Front
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.policy import State
from rlattack.specs import Range

Frames = npt.NDArray[np.uint8]
_BLOCK = 8
"""Pixels a side of what JPEG transforms by itself."""
_HIGHEST = 65_500
"""Pixels that the encoder takes in a column."""


@dataclass(frozen=True, kw_only=True)
class JpegConfig:
    """Parameters of `jpeg`."""

    quality: Annotated[int, Range(least=1, most=100)] = 75
    """Of the encoder, 1 to 100."""


class Jpeg(Front[JpegConfig]):
    """Rounds each frame to bytes, encodes and decodes it; its gradient is taken to be the identity (BPDA)."""

    name: ClassVar[str] = "jpeg"
    takes = ("pictures",)
    packages: ClassVar[tuple[str, ...]] = ("pillow",)
    rounds: ClassVar[float] = 1.0
    config_type = JpegConfig

    def check(self, seat: Seat) -> None:
        """Refuses what is no stack of grey frames of bytes."""
        super().check(seat)
        space = seat.observation
        if not isinstance(space, Box) or len(space.shape) != 3 or space.dtype != np.uint8:
            raise InvalidInput(
                f"defence jpeg: expected stacked frames of bytes (frames, height, width), {seat.name} sees {space}"
            )

    def seen(self, obs: Tensor, draws: Draws | None, memory: State = None) -> Tensor:
        """Every frame as it comes back from the encoder."""
        frames = obs.round().clamp(0, 255).byte().numpy(force=True).reshape(-1, *obs.shape[-2:])
        height, width = (-(-side // _BLOCK) * _BLOCK for side in frames.shape[1:])
        rest = height - frames.shape[1], width - frames.shape[2]
        whole = np.pad(frames, ((0, 0), (0, rest[0]), (0, rest[1])), mode="edge")  # as the encoder does itself
        most = _HIGHEST // height
        parts = [self._compressed(whole[first : first + most]) for first in range(0, len(whole), most)]
        back = np.concatenate(parts)[:, : frames.shape[1], : frames.shape[2]].astype(np.float32)
        return torch.as_tensor(back, device=obs.device).view(obs.shape)

    def _compressed(self, frames: Frames) -> Frames:
        """Frames of whole blocks below each other as one picture: blocks know nothing of their neighbours."""
        file = io.BytesIO()
        Image.fromarray(frames.reshape(-1, frames.shape[2])).save(file, format="JPEG", quality=self.config.quality)
        return np.asarray(Image.open(file)).reshape(frames.shape)
