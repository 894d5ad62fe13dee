"""Which pixels of a square a patch covers: all, a disc, or those that a file of the user's says."""

import io
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rlattack.arrays import Array, BoolArray
from rlattack.errors import InvalidInput
from rlattack.policies.archive import read_file

Shape = Literal["square", "disc"]


def shape_mask(shape: Shape, side: int) -> Tensor:
    """A shape that fills a square, bool, (side, side): pixels whose middle it covers.

    >>> shape_mask("disc", 4).int().tolist()
    [[0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 0]]
    """
    way = torch.arange(side) + 0.5 - side / 2
    inside = way.square()[:, None] + way.square() <= (side / 2) ** 2
    return torch.ones_like(inside) if shape == "square" else inside


def file_mask(path: str, side: int) -> Tensor:
    """A shape from a file, without its margins and stretched to a square, bool, (side, side).

    Raises:
        InvalidInput: It holds no shape.
        RefusedFile: It cannot be read.
    """
    shape = read_mask(path)
    rows, columns = (np.arange(side) * size // side for size in shape.shape)
    return torch.as_tensor(np.ascontiguousarray(shape[rows][:, columns]))


def read_mask(path: str) -> BoolArray:
    """The shape in a file, without its margins: what is not transparent in a picture, else what is not dark in it.

    Args:
        path: A picture, or an array of numpy with two axes, whose larger half counts.

    Raises:
        InvalidInput: It is neither, or nothing is covered.
        RefusedFile: It cannot be read.
    """
    raw = io.BytesIO(read_file(Path(path).expanduser()))
    try:
        values: Array = np.load(raw, allow_pickle=False) if path.endswith(".npy") else _picture(raw)
        numbers = values.astype(np.float64)
    except Exception as error:  # whatever a damaged file raises
        raise InvalidInput(f"mask {path}: expected a picture or a .npy file of numbers, got neither") from error
    if numbers.ndim != 2 or not np.isfinite(numbers).all() or not numbers.max(initial=0) > 0:
        raise InvalidInput(f"mask {path}: expected a shape of two axes that covers something, got {values.shape}")
    covered = numbers >= numbers.max() / 2
    (rows, columns) = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    found: BoolArray = covered[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return found


def _picture(raw: io.BytesIO) -> Array:
    with Image.open(raw) as picture:
        return np.asarray(picture.getchannel("A") if "A" in picture.getbands() else picture.convert("L"))
