"""What chance decides for an attack when an episode begins, and what stays so until its end."""

import torch
from torch import Tensor

from rlattack.arrays import IntArray, rowwise
from rlattack.attacks.schedule import among


class Kept:
    """Numbers that were drawn for each slot in the first step of its episode that was attacked."""

    def __init__(self) -> None:
        self._numbers: Tensor | None = None
        self._fresh: set[int] = set()

    def restart(self, slots: IntArray) -> None:
        """Lets chance decide anew in these slots."""
        self._fresh |= set(map(int, slots))

    def __call__(self, drawn: Tensor, active: Tensor) -> Tensor:
        """The numbers of this step, shape (slots, ...): those drawn now in active slots whose episode is new."""
        kept = drawn if self._numbers is None else self._numbers
        due = active & among(len(drawn), self._fresh)
        self._fresh -= set(due.nonzero()[:, 0].tolist())
        self._numbers = torch.where(rowwise(due, drawn), drawn, kept)
        return self._numbers
