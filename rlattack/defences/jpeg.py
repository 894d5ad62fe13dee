"""JPEG compression of what is seen (Dziugaite et al. 2016; Guo et al. 2018, sec. 4), frame by frame."""

import io
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from gymnasium.spaces import Box
from PIL import Image
from torch import Tensor

from rlattack.defences.front import Front
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat

__all__ = ["Jpeg", "JpegConfig"]


@dataclass(frozen=True, kw_only=True)
class JpegConfig:
    """Parameters of `jpeg`."""

    quality: int = 75
    """Of the encoder, 1 to 100."""

    def __post_init__(self) -> None:
        """Checks the range.

        Raises:
            InvalidInput: Outside 1 to 100.
        """
        if not 1 <= self.quality <= 100:
            raise InvalidInput(f"defence jpeg: quality is 1 to 100, got {self.quality}")


class Jpeg(Front[JpegConfig]):
    """Rounds each frame to bytes, encodes and decodes it; its gradient is taken to be the identity (BPDA)."""

    name: ClassVar[str] = "jpeg"
    config_type = JpegConfig

    def check(self, seat: Seat) -> None:
        """Refuses what is no stack of grey frames of bytes."""
        space = seat.observation
        if not isinstance(space, Box) or len(space.shape) != 3 or space.dtype != np.uint8:
            raise InvalidInput(
                f"defence jpeg: expected stacked frames of bytes (frames, height, width), {seat.name} sees {space}"
            )

    def seen(self, obs: Tensor, draws: Draws | None) -> Tensor:
        """Every frame as it comes back from the encoder."""
        frames = obs.round().clamp(0, 255).byte().numpy(force=True).reshape(-1, *obs.shape[-2:])
        back = np.stack([self._compressed(frame) for frame in frames])
        return torch.from_numpy(back).view(obs.shape).to(obs.device, torch.float32)

    def _compressed(self, frame: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, format="JPEG", quality=self.config.quality)
        return np.asarray(Image.open(file))
