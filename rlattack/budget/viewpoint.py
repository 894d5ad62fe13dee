"""Where a camera stands: pictures turned, shifted and zoomed; beyond an edge its pixels go on."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from rlattack.budget.change import Change


class Rotation(Change):
    """Turns images counter-clockwise about their centre, in degrees; bilinear, and beyond an edge its pixels go on."""

    kind = "rotation"
    unit = "degrees"
    most = 180.0
    pictures = True

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """Images by those angles."""
        angle, ratio = severities.deg2rad(), shown.shape[-1] / shown.shape[-2]
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        # from where each pixel is taken, in coordinates of -1 to 1 a side, y down
        return _taken(shown, torch.stack([cos, -sin / ratio, zero, sin * ratio, cos, zero], dim=1))


class Zoom(Change):
    """Enlarges images about their centre by per cents, or makes them smaller; bilinear."""

    kind = "zoom"
    unit = "per cent"
    most = 90.0
    pictures = True

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """Images by those factors."""
        back, zero = 1 / (1 + severities / 100), torch.zeros_like(severities)
        return _taken(shown, torch.stack([back, zero, zero, zero, back, zero], dim=1))


class _Shift(Change):
    unit = "pixels"
    most = 1000.0
    pictures = True
    axis: ClassVar[int]
    """Along which it is, of (n, channels, height, width)."""

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """Images so many pixels on; between two pixels their mean, in that share."""
        length = shown.shape[self.axis]
        places = torch.arange(length, device=shown.device) - severities[:, None]
        first = places.floor()
        shape = [len(shown), 1, 1, 1]
        shape[self.axis] = length
        near, far = (
            shown.gather(self.axis, (first + one).clamp(0, length - 1).long().view(shape).expand_as(shown))
            for one in (0, 1)
        )
        return near + (places - first).view(shape) * (far - near)


class ShiftX(_Shift):
    """Shifts images to the right, in pixels."""

    kind = "shift-x"
    axis = 3


class ShiftY(_Shift):
    """Shifts images down, in pixels."""

    kind = "shift-y"
    axis = 2


def _taken(images: Tensor, back: Tensor) -> Tensor:
    """Images of which each pixel is taken from where an affine map, shape (n, 6), leads, in -1 to 1 a side."""
    places = functional.affine_grid(back.view(-1, 2, 3), list(images.shape), align_corners=False)
    return functional.grid_sample(images, places, padding_mode="border", align_corners=False)
