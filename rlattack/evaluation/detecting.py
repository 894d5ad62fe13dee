"""Detectors at play: they look on at a seat, in every slot, and keep how far each step is above their threshold."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import BoolArray, IntArray, renewed
from rlattack.attacks import Rehearsal
from rlattack.defences.detectors import Clean, Detection, Look, make_detection
from rlattack.defences.detectors.detector import as_numbers
from rlattack.device import on
from rlattack.evaluation.cell import Cell, DetectorRef
from rlattack.evaluation.fits import read_fit
from rlattack.evaluation.observer import Moment, Observer
from rlattack.games.game import Seat
from rlattack.policies.policy import Output, State

ATTACKED = "attacked"
"""Name of the trace that tells the steps that were attacked."""


class Watch:
    """A detector at work in slots, with what it remembers of their episodes.

    Args:
        detection: The detector.
        slots: How many episodes at once.
    """

    def __init__(self, detection: Detection, slots: int) -> None:
        self._detection, self._slots = detection, slots
        self._memory: State = None
        self._fresh: BoolArray = np.ones(slots, dtype=np.bool_)

    def begin(self, slots: IntArray) -> None:
        """Forgets the episodes that ended in these slots."""
        self._fresh[slots] = True

    def see(self, moment: Moment) -> Tensor:
        """By how much the evidence of a step is above the threshold, shape (slots,), see `Detection`."""
        look = Look(moment.received, moment.out, moment.about, moment.acting, moment.action)
        over, memory = self._detection(look, self._now())
        after = self._detection.after(look, memory)
        self._memory = renewed(torch.as_tensor(moment.acting), after, self._memory)
        return over

    def _now(self) -> State:
        """What it remembers, where whoever asks computes."""
        if self._fresh.any():
            new = self._detection.memory(self._slots)
            old = new if self._memory is None else self._memory
            self._memory = renewed(torch.as_tensor(self._fresh), new, old)
            self._fresh[:] = False
        return self._memory

    def suspicion(self, obs: Tensor, out: Output, ask: Callable[[Tensor], Output]) -> Tensor:
        """How suspicious observations would be, see `Detection.suspicion`."""
        look = Look(obs, out, ask, np.ones(len(obs), dtype=np.bool_))
        return self._detection.suspicion(look, self._now())


class Alarms(Observer):
    """Keeps of every step by how much a detector's evidence is above its threshold, and whether it was attacked.

    Args:
        ref: The detector.
        detection: The same, fitted.
        slots: How many episodes at once.
    """

    def __init__(self, ref: DetectorRef, detection: Detection, slots: int) -> None:
        super().__init__(ref.seat, slots)
        self._name, self._watch = ref.spec, Watch(detection, slots)
        self._over: list[list[float | None]] = [[] for _ in range(slots)]
        self._attacked: list[list[float | None]] = [[] for _ in range(slots)]

    def begin(self, slots: IntArray, episodes: IntArray) -> None:
        """Forgets what was."""
        self._watch.begin(slots)

    def see(self, moment: Moment) -> None:
        """Adds one step; those of other seats are none."""
        if moment.seat != self.seat:
            return
        over = as_numbers(self._watch.see(moment))
        changed = [one.changed for one in moment.sizes]  # by the judge, who looks first
        for slot in np.flatnonzero(moment.acting):
            self._over[slot].append(over[slot])
            self._attacked[slot].append(float(any(one[slot] for one in changed)))

    def trace(self, slot: int) -> Mapping[str, list[float | None]]:
        """Both of the episode that ended in a slot."""
        found = {self._name: self._over[slot], ATTACKED: self._attacked[slot]}
        self._over[slot], self._attacked[slot] = [], []
        return found


def alarms_of(cell: Cell, seats: Sequence[Seat], fits: Path | None) -> list[Alarms]:
    """The detectors that a cell asks for, with what they learned; none without a folder of fits."""
    if fits is None:
        return []
    with on(cell.device):
        return [
            Alarms(ref, make_detection(ref.spec, seats[ref.seat], read_fit(fits, ref.fit)), cell.envs)
            for ref in cell.detectors
        ]


def evaded_by(cell: Cell, seats: Sequence[Seat], fits: Path | None) -> list[tuple[int, Watch]]:
    """The detectors that attacks of a cell evade, by the number of the attack; none without a folder of fits."""
    found = [(number, ref.evades) for number, ref in enumerate(cell.attacks) if ref.evades is not None]
    if fits is None:
        return []
    with on(cell.device):
        return [
            (number, Watch(make_detection(ref.spec, seats[ref.seat], read_fit(fits, ref.fit)), cell.envs))
            for number, ref in found
        ]


def clean_play(opened: Rehearsal, slots: int, episodes: int, first: int) -> Iterator[Clean]:
    """Plays clean tuning episodes for a detector, as many as it asks for from a number on."""
    waiting = [iter(range(first + slot, first + episodes, slots)) for slot in range(slots)]
    for step in opened.round(lambda slot: next(waiting[slot], None)):
        assert step.out is not None, "tuning episodes tell it"
        assert step.ask is not None, "tuning episodes tell it"
        assert step.episode is not None, "tuning episodes tell it"
        acting = step.active if step.acting is None else step.acting
        yield Clean(Look(step.received, step.out, step.ask, acting, step.action), step.episode)
