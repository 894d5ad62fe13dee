"""What a camera and its line do to pictures: blur, compression, broken pixels, something before the lens."""

import io
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import Space
from PIL import Image
from torch import Tensor
from torch.nn import functional

from rlattack.arrays import rowwise
from rlattack.budget.change import Change
from rlattack.errors import BudgetError


class Blur(Change):
    """Blurs images by a Gaussian, whose standard deviation is the severity, in pixels."""

    kind = "blur"
    unit = "pixels"
    most = 20.0
    signed = False
    pictures = True

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """Images out of focus."""
        reach = math.ceil(3 * self.radius)
        away = torch.arange(-reach, reach + 1, device=shown.device)
        weights = (-0.5 * (away / severities.double().clamp(min=1e-3)[:, None]).square()).exp()
        weights = (weights / weights.sum(dim=1, keepdim=True)).float()  # the same, whatever place a row has
        across = _weighted(functional.pad(shown, (reach, reach, 0, 0), mode="replicate"), weights, 3)
        return _weighted(functional.pad(across, (0, 0, reach, reach), mode="replicate"), weights, 2)


class JpegLoss(Change):
    """Encodes and decodes each frame, or the picture in its colours, at a quality of 100 minus the severity."""

    kind = "jpeg"
    unit = "per cent of the quality"
    most = 99.0
    signed = False
    pictures = True

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """Images as they come back from the encoder."""
        low, span = float(self.low.min()), float(self.high.max()) - float(self.low.min())
        pixels = ((shown - low) * (255 / span)).round().clamp(0, 255).byte().numpy(force=True)
        back = np.empty_like(pixels)
        for row, loss in enumerate(severities.tolist()):
            quality = max(1, round(100 - loss))
            if self._colours:
                back[row] = _coded(pixels[row].transpose(1, 2, 0), quality).transpose(2, 0, 1)
            else:
                back[row] = [_coded(frame, quality) for frame in pixels[row]]
        return torch.as_tensor(back.astype(np.float32), device=shown.device) * (span / 255) + low


class SaltAndPepper(Change):
    """Makes pixels black or white, as many of either, in all frames and colours: a share in per cent, at random."""

    kind = "salt-and-pepper"
    unit = "per cent"
    most = 100.0
    signed = False
    pictures = True

    @property
    def numbers(self) -> int:
        """One a pixel."""
        return self._pixels

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """Images with such pixels."""
        drawn = details.view(len(shown), 1, *shown.shape[2:])
        share = rowwise(severities, shown) / 200
        low, high = float(self.low.min()), float(self.high.max())
        return torch.where(drawn < share, low, torch.where(drawn >= 1 - share, high, shown))


class Occlusion(Change):
    """Puts a black square of so many pixels a side before all frames, at one random place an episode."""

    kind = "occlusion"
    unit = "pixels"
    most = 1000.0
    signed = False
    whole = True
    steady = True
    pictures = True

    def _lay(self, space: Space[Any]) -> None:
        """Refuses a square that is larger than the picture."""
        super()._lay(space)
        if self.radius > self._side:
            raise BudgetError(
                f"--eps: {self.kind} is above 0 and at most {self._side} {self.unit} here, got {self.radius:g}"
            )

    @property
    def numbers(self) -> int:
        """Where it begins, from the top and from the left."""
        return 2

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """Images behind it."""
        rows, columns = (
            _within(length, severities, place)
            for length, place in zip(shown.shape[2:], details.unbind(dim=1), strict=True)
        )
        return torch.where(rows[:, None, :, None] & columns[:, None, None, :], float(self.low.min()), shown)


def _within(length: int, side: Tensor, place: Tensor) -> Tensor:
    """Which of so many pixels a side covers that begins at a place from 0 to 1, bool, shape (n, length)."""
    first = (place * (length - side + 1)).floor().minimum(length - side)[:, None]
    pixels = torch.arange(length, device=side.device)
    return (pixels >= first) & (pixels < first + side[:, None])


def _weighted(padded: Tensor, weights: Tensor, axis: int) -> Tensor:
    """Sums along an axis of pixels that lie beside each other, by weights of each row, shape (n, taps)."""
    length = padded.shape[axis] - weights.shape[1] + 1
    total = torch.zeros_like(padded.narrow(axis, 0, length))
    for place, weight in enumerate(weights.unbind(dim=1)):
        total = total + rowwise(weight, padded) * padded.narrow(axis, place, length)
    return total


def _coded(picture: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    """A grey frame or a picture in three colours after JPEG."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=quality)
    return np.asarray(Image.open(file))
