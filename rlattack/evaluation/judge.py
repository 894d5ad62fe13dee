"""The judge: measures from outside, at the policy's boundary, what an attack did to each episode (DESIGN rule 5)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rlattack.budget import Ball

__all__ = ["Judge", "Judgement"]

Mask = npt.NDArray[np.bool_]


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
        sizes = self._ball.sizes(point, centre)
        legal = self._ball.holds(sizes)
        legal &= ((received >= self._ball.low) & (received <= self._ball.high)).flatten(1).all(dim=1)
        if self._held:
            legal &= self._kept(received)
        self._attacked += active & (received != clean).flatten(1).any(dim=1).numpy()
        self._changed += active & (clean_choice != choice).numpy()
        self._broken += active & ~legal.numpy()
        now = torch.stack([sizes.linf, sizes.l2, sizes.l1, sizes.l0.float()], dim=1).double().numpy()
        self._sizes = np.maximum(self._sizes, np.where(active[:, None], now, 0.0))

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

    def _kept(self, received: Tensor) -> Tensor:
        before, self._received = self._received, received
        if before is None:
            self._fresh[:] = False
            return torch.ones(len(received), dtype=torch.bool)
        kept = (received[:, :-1] == before[:, 1:]).flatten(1).all(dim=1) | self._fresh
        self._fresh[:] = False
        return kept
