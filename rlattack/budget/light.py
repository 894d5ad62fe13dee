"""The light in which a screen stands and how it is set: brightness, contrast, colour."""

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.budget.change import Change

_LEVELS = 255
"""Steps from black to white."""


class Brightness(Change):
    """Adds grey levels to all pixels, of 255 from black to white."""

    kind = "brightness"
    unit = "grey levels"
    most = 255.0
    pictures = True

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """Images lighter by so much."""
        level = (float(self.high.max()) - float(self.low.min())) / _LEVELS
        return shown + rowwise(severities, shown) * level


class Contrast(Change):
    """Moves all pixels away from the mean of their picture, by per cents of what they are away (Hendrycks 2019)."""

    kind = "contrast"
    unit = "per cent"
    most = 100.0
    pictures = True

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """Images of more contrast, or less."""
        middle = shown.mean(dim=(2, 3), keepdim=True)
        return middle + (shown - middle) * (1 + rowwise(severities, shown) / 100)


class Tint(Change):
    """Makes the first of three colours stronger by per cents and the last weaker; of grey frames it is a gamma.

    A gamma of g per cent is the exponent 1 + g/100 of values from black, 0, to white, 1; the other way its reciprocal.
    """

    kind = "tint"
    unit = "per cent"
    most = 100.0
    pictures = True

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """Images in other colours."""
        low, high = float(self.low.min()), float(self.high.max())
        share = severities / 100
        if not self._colours:
            power = torch.where(share < 0, 1 / (1 - share), 1 + share)
            return low + (high - low) * ((shown - low) / (high - low)).clamp(0, 1).pow(rowwise(power, shown))
        gains = torch.ones(len(shown), shown.shape[1], device=shown.device)
        gains[:, 0], gains[:, -1] = 1 + share, 1 - share
        return low + (shown - low) * gains[:, :, None, None]
