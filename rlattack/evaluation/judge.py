"""The judge: measures from outside, at the policy's boundary, what an attack did to each episode (DESIGN rule 5)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import Array, BoolArray, FloatArray
from rlattack.attacks import Runner, ScreenAttacker
from rlattack.budget import Ball, Change, Mix, Shared, Sizes, World
from rlattack.budget.choice import Choice
from rlattack.evaluation.episode import Judgement
from rlattack.evaluation.observer import Moment, Observer
from rlattack.games.screen import COLOURS


class Judge(Observer):
    """Compares what the game showed a seat with what its player received, and what it chose with what was done.

    It compares with the game's own array, which no attack holds, in all running episodes.

    Args:
        seat: The seat that is attacked.
        attackers: The attacks at work there: their reaches, by which sizes are read, and their counts.
    """

    def __init__(self, seat: int, attackers: Sequence[Runner]) -> None:
        slots = attackers[0].slots
        super().__init__(seat, slots)
        self._oracles = [attacker.oracle for attacker in attackers]
        self._measures = [_of(attacker) for attacker in attackers]
        self._steps = np.zeros(slots, dtype=np.int64)
        self._attacked = np.zeros(slots, dtype=np.int64)
        self._broken = np.zeros(slots, dtype=np.int64)
        self._changed = np.zeros(slots)
        self._sizes = [np.zeros((slots, len(measure.names))) for measure in self._measures]

    def look(
        self, received: Tensor, shown: Tensor, acting: BoolArray | None = None, lit: Tensor | None = None,
        pictures: Array | None = None,
    ) -> list[Sizes | None]:  # fmt: skip
        """Measures what a player is to receive before it does, since a user's policy may write to it.

        Args:
            received: What its attackers made of it, float32, shape (slots, *observation).
            shown: What the game showed: its own array, or a copy that nobody else has, of that shape.
            acting: Slots in which the seat is to act; all by default.
            lit: What the screen showed after an attack on it, float32, as `pictures`.
            pictures: What it showed before: the game's own array.

        Returns:
            Sizes by attack; None of one on what the player does, or on its world.
        """
        acting = np.ones(len(received), dtype=np.bool_) if acting is None else acting
        for measure in self._measures:
            if isinstance(measure, _ScreenMeasure) and lit is not None:
                measure.lit, measure.pictures = lit, torch.as_tensor(pictures)
        return [measure.look(received, shown, acting) for measure in self._measures]

    def see(self, moment: Moment) -> None:
        """Judges one step of the batch."""
        if moment.seat != self.seat:
            return
        acting, looked = moment.acting, moment.looked
        looked = self.look(moment.received, torch.as_tensor(moment.shown), acting) if looked is None else looked
        pairs = list(zip(self._measures, looked, strict=True))
        found = moment.sizes = [measure(moment) if one is None else one for measure, one in pairs]
        moment.eps = [measure.as_eps(one) for measure, one in zip(self._measures, found, strict=True)]
        legal = np.all([one.legal for one in found], axis=0)
        self._steps += acting
        self._attacked += acting & np.any([one.changed for one in found], axis=0)
        self._broken += acting & ~legal
        for place, one in enumerate(found):
            self._sizes[place] = np.maximum(self._sizes[place], np.where(acting[:, None], one.values, 0.0))
        moved = moment.out.actions.moved(moment.clean.actions).numpy(force=True)
        self._changed += np.where(acting, moved, 0.0)

    def judgement(self, slot: int) -> Judgement:
        """What was found of the episode that ended in a slot; clears the slot and the attacks' counts of it."""
        sizes = {
            name: float(size)
            for measure, values in zip(self._measures, self._sizes, strict=True)
            for name, size in zip(measure.names, values[slot], strict=True)
        }
        judgement = Judgement(
            steps=int(self._steps[slot]),
            attacked=int(self._attacked[slot]),
            changed=float(self._changed[slot]),
            sizes=sizes,
            broken=int(self._broken[slot]),
            queries=sum(int(oracle.queries[slot]) for oracle in self._oracles),
            gradients=sum(int(oracle.gradients[slot]) for oracle in self._oracles),
        )
        counts = (self._steps, self._attacked, self._broken, self._changed, *self._sizes)
        for row in (*counts, *(row for oracle in self._oracles for row in (oracle.queries, oracle.gradients))):
            row[slot] = 0
        for measure in self._measures:
            measure.clear(slot)
        return judgement


class _Measure:
    """Measures one attack on what a seat sees."""

    def __init__(self, attacker: Runner) -> None:
        self._reach = attacker.reach.judged()
        self.names: Sequence[str] = self._reach.names

    def look(self, received: Tensor, shown: Tensor, acting: BoolArray) -> Sizes | None:
        """Sizes of one step; None where what the player does is measured, later."""
        return self._measured(received, shown, acting)

    def __call__(self, moment: Moment) -> Sizes:
        """Sizes of one step, of what the player did."""
        raise NotImplementedError

    def as_eps(self, sizes: Sizes) -> FloatArray:
        """Sizes as a budget says them."""
        return self._reach.as_eps(sizes)

    def clear(self, slot: int) -> None:
        """Forgets the episode that ended in a slot."""
        self._reach.restart(np.asarray([slot]))

    def _measured(self, received: Tensor, clean: Tensor, acting: BoolArray) -> Sizes:
        """Sizes of one step, which a reach that remembers then keeps."""
        found = self._reach.measure(received, clean)
        if self._reach.remembers:
            self._reach.see(clean.to(received), received, acting)
        return found


class _HeldMeasure(_Measure):
    """Measures an attack that holds frames: the newest is judged, and older ones must be those received before."""

    def __init__(self, attacker: Runner) -> None:
        super().__init__(attacker)
        assert isinstance(self._reach, Ball | Change), "the `frame` model takes no other reach"
        self._reach = self._reach.newest_only()
        self._frames = _HeldFrames(attacker.slots)

    def look(self, received: Tensor, shown: Tensor, acting: BoolArray) -> Sizes:
        """Sizes of the newest frame; another older frame than before is out of reach."""
        found = self._measured(received[:, -1:], shown[:, -1:], acting)
        changed = found.changed | (received != shown).flatten(1).any(dim=1).numpy(force=True)
        return Sizes(found.values, found.legal & self._frames.kept(received, shown), changed)

    def clear(self, slot: int) -> None:
        """Expects a first observation in the slot."""
        super().clear(slot)
        self._frames.fresh[slot] = True


class _ScreenMeasure(_Measure):
    """Measures an attack on the screen, and makes of what that showed what the player is to receive: nothing else."""

    lit: Tensor
    pictures: Tensor

    def __init__(self, attacker: ScreenAttacker) -> None:
        super().__init__(attacker)
        self._screen, self._frames = attacker.screen, _HeldFrames(attacker.slots)

    def look(self, received: Tensor, shown: Tensor, acting: BoolArray) -> Sizes:
        """Sizes of what the screen showed."""
        lit, pictures = self.lit, self.pictures
        found = self._measured(lit, pictures, acting)
        alone = self._frames.fresh | self._screen.alone
        first = (lit[..., :COLOURS] == pictures[..., :COLOURS]).flatten(1).all(dim=1)
        whole = (lit == lit.floor()).flatten(1).all(dim=1) & (first | ~alone)
        made = torch.as_tensor(self._screen.frames(lit.byte().numpy(force=True))).to(received)
        whole &= (made == received[:, -1:]).flatten(1).all(dim=1)
        changed = found.changed | (received != shown).flatten(1).any(dim=1).numpy(force=True)
        kept = self._frames.kept(received, shown)
        return Sizes(found.values, found.legal & kept & whole.numpy(force=True), changed)

    def clear(self, slot: int) -> None:
        """Expects a first observation in the slot."""
        super().clear(slot)
        self._frames.fresh[slot] = True


class _ActionMeasure(_Measure):
    """Measures an attack on what a seat does, beside its choice as the game would clip it."""

    def __init__(self, attacker: Runner) -> None:
        super().__init__(attacker)
        assert isinstance(self._reach, Ball | Change | Choice | Mix | Shared), "actions have no other reach"
        self._low, self._high = self._reach.low[0], self._reach.high[0]
        self.names = [f"action {name}" for name in self._reach.names]

    def look(self, received: Tensor, shown: Tensor, acting: BoolArray) -> None:
        """Nothing yet: what the player does comes later."""

    def __call__(self, moment: Moment) -> Sizes:
        """Sizes of one step."""
        return self._measured(moment.action, moment.chosen.clamp(self._low, self._high), moment.acting)


class _WorldMeasure(_Measure):
    """Measures an attack on how the world behaves, by the engine's own numbers beside the usual ones."""

    def look(self, received: Tensor, shown: Tensor, acting: BoolArray) -> None:
        """Nothing: the world is no part of what is seen."""

    def __call__(self, moment: Moment) -> Sizes:
        """Sizes of one step."""
        assert moment.world is not None, "whoever plays tells it"
        assert isinstance(self._reach, World), "worlds have no other reach"
        return self._reach.measure(moment.world, self._reach.usual)


def _of(attacker: Runner) -> _Measure:
    """What measures an attack."""
    if attacker.access == "dynamics":
        return _WorldMeasure(attacker)
    if attacker.access == "action":
        return _ActionMeasure(attacker)
    if isinstance(attacker, ScreenAttacker):
        return _ScreenMeasure(attacker)
    return _HeldMeasure(attacker) if attacker.model == "frame" else _Measure(attacker)


class _HeldFrames:
    """Whether older frames are those that were received before: in the `frame` model they stay as they came."""

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
        found: BoolArray = kept.numpy(force=True)
        return found
