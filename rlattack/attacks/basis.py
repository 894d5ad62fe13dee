"""A few smooth or flat pictures, by which what is seen, or a perturbation of it, is described by as many numbers."""

import functools
import itertools
import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import FloatArray
from rlattack.errors import InvalidInput

Basis = Literal["dct", "tiles"]
"""`dct`: waves of the lowest frequencies (Guo et al. 2019, "Low Frequency Adversarial Perturbation"). `tiles`: squares
of equal values, of every frame."""

_MOST = 1024
"""Pictures beyond which a description is none by a few numbers."""


def tiles(shape: tuple[int, ...], count: int) -> tuple[int, ...]:
    """In how many tiles each axis is cut: the two longest alike, the rest wholly; at most `count` in all.

    Raises:
        InvalidInput: The rest alone has more.
    """
    across = sorted(sorted(range(len(shape)), key=lambda axis: -shape[axis])[:2])
    rest = math.prod(size for axis, size in enumerate(shape) if axis not in across)
    side = math.isqrt(count // rest)
    if side < 1:
        raise InvalidInput(f"coefficients: expected at least {rest}, one a frame, for basis=tiles, got {count}")
    return tuple(min(side, size) if axis in across else size for axis, size in enumerate(shape))


def make_basis(name: Basis, shape: tuple[int, ...], count: int) -> Tensor:
    """The pictures, each of length 1, at right angles to each other.

    Args:
        name: Their kind.
        shape: Of a picture, such as (frames, height, width).
        count: At most so many.

    Returns:
        Shape (pictures, entries), float32.

    Raises:
        InvalidInput: More pictures than entries or than 1,024, or tiles that are fewer than the frames.
    """
    if not 1 <= count <= min(_MOST, math.prod(shape)):
        raise InvalidInput(f"coefficients: expected 1 to {min(_MOST, math.prod(shape))}, got {count}")
    return torch.as_tensor(_pictures(name, shape, count))


@functools.lru_cache(maxsize=4)
def _pictures(name: Basis, shape: tuple[int, ...], count: int) -> FloatArray:
    if name == "tiles":
        cut = tiles(shape, count)
        axes = [_flat(size, parts) for size, parts in zip(shape, cut, strict=True)]
        chosen = list(itertools.product(*map(range, cut)))
    else:
        axes = [_waves(size, min(size, count)) for size in shape]
        numbers = itertools.product(*(range(len(axis)) for axis in axes))
        chosen = sorted(numbers, key=lambda number: (sum(one * one for one in number), number))[:count]
    rows = [functools.reduce(np.multiply.outer, [axis[k] for axis, k in zip(axes, one, strict=True)]) for one in chosen]
    return np.stack(rows).reshape(len(rows), -1).astype(np.float32)


def _waves(size: int, count: int) -> FloatArray:
    """The first rows of the discrete cosine transform (DCT-II), shape (count, size)."""
    waves = np.cos(np.pi * np.outer(np.arange(count), np.arange(size) + 0.5) / size)
    found: FloatArray = waves / np.linalg.norm(waves, axis=1, keepdims=True)
    return found


def _flat(size: int, parts: int) -> FloatArray:
    """Rows that are 1 on one part of an axis, shape (parts, size), of length 1."""
    part = np.arange(size) * parts // size
    rows = (part == np.arange(parts)[:, None]).astype(np.float64)
    found: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found
