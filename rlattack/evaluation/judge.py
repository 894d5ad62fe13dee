"""The judge: measures from outside, at the policy's boundary, what an attack did to each episode (DESIGN rule 5)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rlattack.budget import NORMS, Ball

__all__ = ["Judge", "Judgement"]

Mask = npt.NDArray[np.bool_]
TOLERANCE = 1e-6
"""By how much a size may exceed its budget: float rounding (DESIGN rule 4)."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What was measured of one episode."""

    attacked: int
    """Steps in which the victim received something else than the game showed."""
    changed: int
    """Steps in which its greedy choice was another than on the clean observation."""
    size: tuple[float, float, float, float]
    """Largest linf, l2, l1 and l0 norms of a step, in units of the budget's space."""
    broken: int
    """Steps that left the budget or the observation space."""


class Judge:
    """Compares what the game showed with what the victim received, for `slots` running episodes.

    Args:
        ball: The budget, by which sizes are read.
        slots: Number of episodes at once.
        held: The `frame` model: the newest frame is judged, and older ones must be those received before.
    """

    def __init__(self, ball: Ball, slots: int, *, held: bool = False) -> None:
        self._ball = ball
        self._held = held
        self._norm = NORMS.index(ball.norm)
        self._low, self._high = (_bound(end[:, -1:] if held else end) for end in (ball.low, ball.high))
        own = ball.scale.numel() > 1
        self._unit = 1.0 if own else float(ball.scale)
        self._units = (ball.scale[:, -1:] if held else ball.scale).numpy().reshape(-1) if own else None
        # sums that are held to their budget need more digits
        self._digits = np.float64 if ball.norm in ("l2", "l1") else np.float32
        self._ones = np.ones(ball.entries if held else ball.low.numel(), dtype=self._digits)
        self._received: Tensor | None = None
        self._fresh = torch.ones(slots, dtype=torch.bool)
        self._attacked = np.zeros(slots, dtype=np.int64)
        self._changed = np.zeros(slots, dtype=np.int64)
        self._broken = np.zeros(slots, dtype=np.int64)
        self._sizes = np.zeros((slots, 4))

    def see(self, clean: Tensor, received: Tensor, clean_choice: Tensor, choice: Tensor, active: Mask) -> None:
        """Judges one step of the batch.

        Args:
            clean: What the game showed, shape (slots, *observation).
            received: What the victim received, same shape.
            clean_choice: Its greedy action on `clean`, shape (slots,).
            choice: Its greedy action on `received`, shape (slots,).
            active: Slots that play.
        """
        point, centre = (received[:, -1:], clean[:, -1:]) if self._held else (received, clean)
        sizes, legal = self._measure(point, centre)
        legal &= sizes[:, self._norm] <= self._ball.radius * (1 + TOLERANCE) + TOLERANCE
        other = sizes[:, 3] > 0
        if self._held:
            legal &= self._kept(received, clean).numpy()
            other |= (received != clean).flatten(1).any(dim=1).numpy()
        self._attacked += active & other
        self._changed += active & (clean_choice != choice).numpy()
        self._broken += active & ~legal
        self._sizes = np.maximum(self._sizes, np.where(active[:, None], sizes, 0.0))

    def collect(self, slot: int) -> Judgement:
        """Returns the judgement of an episode that ended in a slot, and clears the slot."""
        judgement = Judgement(
            attacked=int(self._attacked[slot]),
            changed=int(self._changed[slot]),
            broken=int(self._broken[slot]),
            size=tuple(self._sizes[slot].tolist()),
        )
        for row in (self._attacked, self._changed, self._broken, self._sizes):
            row[slot] = 0
        self._fresh[slot] = True
        return judgement

    def _measure(self, point: Tensor, centre: Tensor) -> tuple[npt.NDArray[np.float64], Mask]:
        """linf, l2, l1 and l0 norms of each row, shape (slots, 4), and whether it is in the observation space.

        In numpy, which is faster here than torch, and a row at a time, which stays in the cache.
        """
        rows, centres = (tensor.numpy().reshape(len(point), -1) for tensor in (point, centre))
        sizes, within = np.empty((len(rows), 4)), np.empty(len(rows), dtype=np.bool_)
        delta = np.empty(rows.shape[1], dtype=np.float32)
        bits = delta.view(np.int32)  # counted several times as fast as floats
        for row, (one, other) in enumerate(zip(rows, centres, strict=True)):
            within[row] = self._in_space(one)
            np.abs(np.subtract(one, other, out=delta), out=delta)
            if self._units is not None:
                np.divide(delta, self._units, out=delta)
            exact = delta.astype(self._digits, copy=False)
            sizes[row] = delta.max(), exact.dot(exact), exact.dot(self._ones), np.count_nonzero(bits)
        sizes[:, 1] = np.sqrt(sizes[:, 1])
        sizes[:, :3] /= self._unit
        return sizes, within

    def _in_space(self, row: npt.NDArray[np.float32]) -> bool:
        if self._low.size == self._high.size == 1:
            return bool(row.min() >= self._low[0] and row.max() <= self._high[0])
        return bool(np.all((row >= self._low) & (row <= self._high)))

    def _kept(self, received: Tensor, clean: Tensor) -> Tensor:
        """Whether older frames are as they were received; at the start as shown, or copies of the first received."""
        before = received if self._received is None else self._received
        self._received = received
        same = (received[:, :-1] == clean[:, :-1]).flatten(2).all(dim=2)
        copies = (clean[:, :-1] == clean[:, -1:]).flatten(2).all(dim=2)
        same |= copies & (received[:, :-1] == received[:, -1:]).flatten(2).all(dim=2)
        kept = (received[:, :-1] == before[:, 1:]).flatten(1).all(dim=1)
        kept = torch.where(self._fresh, same.all(dim=1), kept)
        self._fresh[:] = False
        return kept


def _bound(end: Tensor) -> npt.NDArray[np.float32]:
    """The end of a range, as one number where all entries share it: two passes over the observations less."""
    values: npt.NDArray[np.float32] = end.numpy().reshape(-1)
    return values[:1] if (values == values[0]).all() else values
