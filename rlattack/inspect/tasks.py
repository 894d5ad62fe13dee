"""Pictures with a right answer, which no game shows: squares to count, and digits to read."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rlattack.arrays import IntArray
from rlattack.errors import InvalidInput, MissingExtra

BOARD = 4
"""Cells a side of the board on which squares stand (Elsayed et al. 2019, sec. 4.1)."""
DIGITS = 10


@dataclass(frozen=True)
class Pictures:
    """Pictures and their classes.

    Attributes:
        pictures: From 0 (black) to 1, float32, shape (n, side, side).
        labels: Class of each, shape (n,).
    """

    pictures: Tensor
    labels: IntArray

    def __len__(self) -> int:
        return len(self.labels)


def squares(count: int, classes: int, side: int, rng: np.random.Generator) -> Pictures:
    """Boards with 1 to `classes` white squares in different cells, as often each; the class is the number less 1."""
    labels = rng.permutation(np.arange(count) % classes)
    boards = np.zeros((count, side, side), dtype=np.float32)
    cell = side // BOARD
    for board, label in zip(boards, labels, strict=True):
        for place in rng.permutation(BOARD * BOARD)[: label + 1]:
            top, left = cell * (place // BOARD), cell * (place % BOARD)
            board[top : top + cell - 1, left : left + cell - 1] = 1
    return Pictures(torch.as_tensor(boards), labels)


def digits(classes: int, side: int, fresh: int, rng: np.random.Generator) -> tuple[Pictures, Pictures]:
    """The digits of scikit-learn below `classes`, enlarged.

    Returns:
        Those to learn from, and `fresh` others, but no more than a third of all.

    Raises:
        MissingExtra: scikit-learn is not installed.
        InvalidInput: More than 10 classes.
    """
    if classes > DIGITS:
        raise InvalidInput(f"--classes: expected at most {DIGITS} of digits, got {classes}")
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtra('digits need scikit-learn: pip install "rlattack[analysis]"') from error
    images, labels = load_digits(return_X_y=True)
    order = rng.permutation(np.flatnonzero(labels < classes))
    small = torch.as_tensor(images[order].reshape(-1, 1, 8, 8).astype(np.float32) / 16)
    large = functional.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)[:, 0]
    apart = min(fresh, len(order) // 3)
    classes_of = labels[order].astype(np.int64)
    return Pictures(large[apart:], classes_of[apart:]), Pictures(large[:apart], classes_of[:apart])
