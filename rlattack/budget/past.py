"""What a seat was shown, and what it received, in the steps before: what changes of time are made of."""

import torch
from torch import Tensor

from rlattack.arrays import BoolArray, IntArray, rowwise


class Past:
    """The last steps of each slot's episode, copied: whoever holds one holds it alone.

    Args:
        depth: How many steps back what was shown is kept.
    """

    def __init__(self, depth: int) -> None:
        self._depth = max(depth, 1)
        self._count = torch.zeros(0, dtype=torch.int64)
        self._shown = self._received = torch.empty(0)

    def see(self, shown: Tensor, received: Tensor, acting: BoolArray) -> None:
        """Keeps a step of the slots that acted in it, shape (slots, *thing) both."""
        rows = torch.as_tensor(acting, device=shown.device)
        self._open(shown)
        slots = torch.arange(len(shown), device=shown.device)
        place = self._count % self._depth
        self._shown[slots, place] = torch.where(rowwise(rows, shown), shown, self._shown[slots, place])
        self._received = torch.where(rowwise(rows, received), received, self._received)
        self._count = self._count + rows

    def restart(self, slots: IntArray) -> None:
        """Forgets the episodes that ended in these slots."""
        for slot in map(int, slots):
            if slot < len(self._count):
                self._count[slot], self._received[slot] = 0, 0

    def received(self, now: Tensor) -> Tensor:
        """What was received in the step before, zeros in the first, shape (slots, *thing)."""
        self._open(now)
        return self._received

    def shown(self, steps: Tensor, now: Tensor) -> Tensor:
        """What was shown so many steps ago, whole numbers up to the depth, shape (slots,); the first where it began."""
        self._open(now)
        back = torch.minimum(steps.long(), self._count)
        slots = torch.arange(len(now), device=now.device)
        before = self._shown[slots, (self._count - back) % self._depth]
        return torch.where(rowwise(back > 0, now), before, now)

    def step(self, now: Tensor) -> Tensor:
        """The number of the step in each slot's episode, from 0, int64, shape (slots,)."""
        self._open(now)
        return self._count

    def _open(self, like: Tensor) -> None:
        """Makes room for what comes, the first time."""
        if len(self._count) != len(like):
            self._count = torch.zeros(len(like), dtype=torch.int64, device=like.device)
            self._shown = like.new_zeros((len(like), self._depth, *like.shape[1:]))
            self._received = torch.zeros_like(like)
