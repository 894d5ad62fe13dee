"""Natural changes of images: an attack chooses how severe the change of a whole image is, and no pixel of it."""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box
from torch import Tensor
from torch.nn import functional

from rlattack.arrays import rowwise
from rlattack.budget.frames import channels_first
from rlattack.budget.reach import TOLERANCE, Reach, Sizes, finite
from rlattack.draws import Draws
from rlattack.errors import BudgetError


class Change(Reach):
    """What images become by one change, of a severity from `-radius` to `radius`; a change is a subclass.

    What an attack wants is one severity a row, shape (n,), and `settle` applies the change to the clean images.
    `measure` trusts no tensor: it applies the change once more, to the judge's own copy, at the severities settled
    last, and what is another image than that is out of reach.

    Args:
        radius: The largest severity.
        space: One observation: stacked frames, oldest first, or one image in colours, channels first or last.
        grid: Whether what comes out is rounded to whole bytes.
        newest: Whether the newest of stacked frames alone may change; no change can do that yet.

    Raises:
        BudgetError: A severity out of range, or observations that are no images.
    """

    unit: ClassVar[str]
    """What severities are counted in, in the plural."""
    most: ClassVar[float]
    """The largest severity that means anything."""

    def __init__(self, radius: float, space: Space[Any], *, grid: bool = False, newest: bool = False) -> None:
        if not 0 < radius <= self.most:
            raise BudgetError(f"--eps: a {self.kind} is above 0 and at most {self.most:g} {self.unit}, got {radius:g}")
        if not isinstance(space, Box) or not (channels_first(space) or is_colour(space)):
            raise BudgetError(f"a {self.kind} is for images, this game shows {space}")
        if newest:
            raise BudgetError(f"--model frame: a {self.kind} changes all stacked frames alike; use --model stack")
        if grid and space.dtype != np.uint8:
            raise BudgetError(f"--grid is for byte observations, this game shows {space.dtype}")
        self.radius, self.grid = radius, grid
        self._stacked = channels_first(space)
        self._low, self._high = (torch.as_tensor(end.astype(np.float32))[None] for end in (space.low, space.high))
        self._allowed = TOLERANCE * float(self._high.max() - self._low.min())
        self._severities = torch.empty(0)

    @abstractmethod
    def apply(self, images: Tensor, severities: Tensor) -> Tensor:
        """Images by that change, a new tensor of shape (n, channels, height, width), float32.

        Args:
            images: Of that shape, in the game's own range.
            severities: A number an image, shape (n,).
        """

    def settle(self, wanted: Tensor, clean: Tensor) -> Tensor:
        """The clean images, changed as severely as was wanted and is allowed.

        Args:
            wanted: Severities, shape (n,).
            clean: Images, shape (n, *observation).
        """
        if wanted.shape != clean.shape[:1]:
            raise ValueError(f"expected one severity of a {self.kind} a row, got shape {tuple(wanted.shape)}")
        self._severities = finite(wanted, torch.zeros_like(wanted)).clamp(-self.radius, self.radius)
        return self._changed(clean)

    def measure(self, received: Tensor, clean: Tensor) -> Sizes:
        """Severities, and whether what was received is the clean image at that severity."""
        clean = clean.float()
        changed = (received != clean).flatten(1).any(dim=1)
        sizes, same = torch.zeros(len(clean)), ~changed
        if changed.any() and self._severities.shape == clean.shape[:1]:
            sizes = torch.where(changed, self._severities.abs(), 0.0)
            same |= (received - self._changed(clean)).abs().flatten(1).amax(dim=1) <= self._allowed
        legal = same & (sizes <= self.radius * (1 + TOLERANCE) + TOLERANCE)
        values = sizes[:, None].double().numpy(force=True)
        return Sizes(values, legal.numpy(force=True), changed.numpy(force=True))

    def random(self, clean: Tensor, draws: Draws) -> Tensor:
        """Severities drawn uniformly from the range, shape (n,)."""
        return (2 * draws.uniform(1)[:, 0] - 1) * self.radius

    def _changed(self, clean: Tensor) -> Tensor:
        images = clean if self._stacked else clean.movedim(-1, 1)
        found = self.apply(images, self._severities)
        found = (found if self._stacked else found.movedim(1, -1)).clamp(self._low, self._high)
        nothing = rowwise(self._severities == 0, clean)  # which float rounding makes a hair of
        return torch.where(nothing, clean, found.round() if self.grid else found)


class Rotation(Change):
    """Turns images counter-clockwise about their centre, in degrees; bilinear, and beyond an edge its pixels go on."""

    kind = "rotation"
    names = ("rotation",)
    unit = "degrees"
    most = 180.0

    def apply(self, images: Tensor, severities: Tensor) -> Tensor:
        """Images by those angles."""
        angle, ratio = severities.deg2rad(), images.shape[-1] / images.shape[-2]
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        # from where each pixel is taken, in coordinates of -1 to 1 a side, y down
        back = torch.stack([cos, -sin / ratio, zero, sin * ratio, cos, zero], dim=1).view(-1, 2, 3)
        places = functional.affine_grid(back, list(images.shape), align_corners=False)
        return functional.grid_sample(images, places, padding_mode="border", align_corners=False)


CHANGES: dict[str, type[Change]] = {change.kind: change for change in (Rotation,)}
"""Natural changes by their kind of reach."""


def is_colour(space: Box) -> bool:
    """Whether observations are one picture with its colours last, (height, width, colours)."""
    return len(space.shape) == 3 and space.shape[2] < min(space.shape[:2])
