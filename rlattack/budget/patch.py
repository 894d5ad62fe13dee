"""Patches: a square of a picture that may hold anything, at one place in all of its frames or colours."""

from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.budget.change import is_colour, shape_words
from rlattack.budget.frames import channels_first
from rlattack.budget.reach import Reach, Sizes, finite
from rlattack.draws import Draws
from rlattack.errors import BudgetError


class Patch(Reach):
    """What pictures become when a square of them is covered.

    Args:
        side: The square's side, in pixels.
        space: One observation: stacked frames, oldest first, or one picture in colours, (height, width, channels).
        grid: Whether what covers it is rounded to whole bytes.
        newest: Whether the newest of stacked frames alone may change; no patch can do that yet.

    Raises:
        BudgetError: A side that does not fit, or observations that are no pictures.
    """

    kind = "patch"
    names: ClassVar[tuple[str, ...]] = ("patch",)

    def __init__(self, side: float, space: Space[Any], *, grid: bool = False, newest: bool = False) -> None:
        if not isinstance(space, Box) or not (channels_first(space) or is_colour(space)):
            raise BudgetError(f"a patch is for pictures, this game shows {shape_words(space)}")
        self.stacked = channels_first(space)
        self.height, self.width = space.shape[1:] if self.stacked else space.shape[:2]
        if side != int(side) or not 1 <= side <= min(self.height, self.width):
            raise BudgetError(
                f"--eps: the side of a patch is a whole number of pixels, 1 to {min(self.height, self.width)}, got "
                f"{side:g}"
            )
        if newest:
            raise BudgetError("--model frame: a patch covers all stacked frames alike; use --model stack")
        if grid and space.dtype != np.uint8:
            raise BudgetError(f"--grid is for byte observations, this game shows {space.dtype}")
        self.radius, self.grid = side, grid
        self.low, self.high = (torch.as_tensor(end.astype(np.float32))[None] for end in (space.low, space.high))

    @property
    def side(self) -> int:
        """The square's side, in pixels."""
        return int(self.radius)

    def settle(self, wanted: Tensor, clean: Tensor) -> Tensor:
        """What is wanted within the square that begins where the changes do; clean elsewhere."""
        point = finite(wanted, clean).clamp(self.low, self.high)
        point = point.round() if self.grid else point
        top, _, left, _ = self._box(point != clean)
        return torch.where(self.inside(top, left), point, clean)

    def measure(self, received: Tensor, clean: Tensor) -> Sizes:
        """The side of the smallest square, along rows and columns, that holds all changes."""
        clean = clean.float()
        other = received != clean
        top, bottom, left, right = self._box(other)
        changed = other.flatten(1).any(dim=1)
        side = torch.maximum(bottom - top, right - left) + 1
        side = torch.where(changed, side, 0)
        valid = ((received >= self.low) & (received <= self.high) | ~other).flatten(1).all(dim=1)
        legal = valid & (side <= self.side)
        values = side[:, None].double().numpy(force=True)
        return Sizes(values, legal.numpy(force=True), changed.numpy(force=True))

    def random(self, clean: Tensor, draws: Draws) -> Tensor:
        """A square of noise somewhere, as a picture."""
        corner = draws.uniform(2)
        top = (corner[:, 0] * (self.height - self.side + 1)).floor().long()
        left = (corner[:, 1] * (self.width - self.side + 1)).floor().long()
        noise = self.low + (self.high - self.low) * draws.uniform(*clean.shape[1:])
        return torch.where(self.inside(top, left), noise, clean)

    def inside(self, top: Tensor, left: Tensor) -> Tensor:
        """Which pixels the squares with these corners cover, bool, as observations broadcast, shape (n, ...)."""
        rows, columns = torch.arange(self.height), torch.arange(self.width)
        down = (rows >= top[:, None]) & (rows < top[:, None] + self.side)
        right = (columns >= left[:, None]) & (columns < left[:, None] + self.side)
        square = down[:, :, None] & right[:, None, :]
        return square[:, None] if self.stacked else square[..., None]

    def _box(self, other: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The first and the last row and column in which something is changed, shape (n,) each; zeros for nothing."""
        flat = other.any(dim=1 if self.stacked else 3)
        return *_ends(flat.any(dim=2)), *_ends(flat.any(dim=1))


def _ends(hit: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last place of each row that is hit."""
    count = hit.shape[1]
    return hit.int().argmax(dim=1), torch.where(hit.any(dim=1), count - 1 - hit.flip(1).int().argmax(dim=1), 0)
