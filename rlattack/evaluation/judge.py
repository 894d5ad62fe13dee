"""The judge: measures from outside, at the policy's boundary, what an attack did to each episode (DESIGN rule 5)."""

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import BoolArray
from rlattack.attacks import Attacker
from rlattack.evaluation.episode import Judgement
from rlattack.evaluation.observer import Moment, Observer

__all__ = ["Judge"]


class Judge(Observer):
    """Compares what the game showed a seat with what its player received, in all running episodes.

    It compares with the game's own array, which no attack holds.

    Args:
        seat: The seat that is attacked.
        attacker: The attack at work there: its reach, by which sizes are read, and its counts.
    """

    def __init__(self, seat: int, attacker: Attacker) -> None:
        slots = attacker.slots
        self.seat, self._attacker = seat, attacker
        self._held = _HeldFrames(slots) if attacker.model == "frame" else None
        self._reach = attacker.reach if self._held is None else attacker.reach.newest_only()
        self._steps = np.zeros(slots, dtype=np.int64)
        self._attacked = np.zeros(slots, dtype=np.int64)
        self._broken = np.zeros(slots, dtype=np.int64)
        self._changed = np.zeros(slots)
        self._sizes = np.zeros((slots, len(self._reach.names)))

    def see(self, moment: Moment) -> None:
        """Judges one step of the batch."""
        if moment.seat != self.seat:
            return
        received, shown, acting = moment.received, torch.from_numpy(moment.shown), moment.acting
        if self._held is None:
            found = self._reach.measure(received, shown)
            legal, other = found.legal, found.changed
        else:
            found = self._reach.measure(received[:, -1:], shown[:, -1:])
            legal = found.legal & self._held.kept(received, shown)
            other = found.changed | (received != shown).flatten(1).any(dim=1).numpy()
        self._steps += acting
        self._attacked += acting & other
        self._broken += acting & ~legal
        self._sizes = np.maximum(self._sizes, np.where(acting[:, None], found.values, 0.0))
        moved = moment.out.actions.moved(moment.clean.actions).numpy()
        self._changed += np.where(acting, moved, 0.0)

    def judgement(self, slot: int) -> Judgement:
        """What was found of the episode that ended in a slot; clears the slot and the attack's counts of it."""
        target = self._attacker.target
        judgement = Judgement(
            steps=int(self._steps[slot]),
            attacked=int(self._attacked[slot]),
            changed=float(self._changed[slot]),
            sizes=dict(zip(self._reach.names, map(float, self._sizes[slot]), strict=True)),
            broken=int(self._broken[slot]),
            queries=int(target.queries[slot]),
            gradients=int(target.gradients[slot]),
        )
        counts = (self._steps, self._attacked, self._broken, self._changed, self._sizes)
        for row in (*counts, target.queries, target.gradients):
            row[slot] = 0
        if self._held is not None:
            self._held.fresh[slot] = True
        return judgement


class _HeldFrames:
    """Whether older frames are those that were received before: in the `frame` model they stay as they came.

    Args:
        slots: Number of episodes at once.
    """

    def __init__(self, slots: int) -> None:
        self.fresh = torch.ones(slots, dtype=torch.bool)
        self._received: Tensor | None = None

    def kept(self, received: Tensor, shown: Tensor) -> BoolArray:
        """Whether it is so, shape (slots,); at the start as shown, or copies of the first received."""
        before = received if self._received is None else self._received
        self._received = received.clone()
        same = (received[:, :-1] == shown[:, :-1]).flatten(2).all(dim=2)
        copies = (shown[:, :-1] == shown[:, -1:]).flatten(2).all(dim=2)
        same |= copies & (received[:, :-1] == received[:, -1:]).flatten(2).all(dim=2)
        kept = (received[:, :-1] == before[:, 1:]).flatten(1).all(dim=1)
        kept = torch.where(self.fresh, same.all(dim=1), kept)
        self.fresh[:] = False
        found: BoolArray = kept.numpy()
        return found
