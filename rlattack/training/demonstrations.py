"""Demonstrations of a behaviour that a victim is to show: clean episodes of another agent, transition by transition."""

from dataclasses import dataclass

import numpy as np
import torch

from rlattack.arrays import Array
from rlattack.attacks.tuning import TuningStep
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.tuning import watched


@dataclass(frozen=True)
class Experience:
    """What was shown, what was done, and what was shown then, a row a step; of demonstrations or of play.

    Attributes:
        shown: Shape (n, *observation), the game's own dtype.
        did: Shape (n,) or (n, entries).
        then: As `shown`; the end of an episode included.
    """

    shown: Array
    did: Array
    then: Array

    @classmethod
    def together(cls, parts: "list[Experience]") -> "Experience":
        """All rows of several, in order."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("shown", "did", "then")))


def demonstrate(cell: Cell, seat: int, episodes: int) -> Experience:
    """Plays demonstrations: tuning episodes of a cell, by which nothing is measured, in one thread.

    Args:
        cell: Clean, with who demonstrates in the seat.
        seat: Whose behaviour it is.
        episodes: How many; the i-th plays in slot i modulo the slots.
    """
    waiting = [iter(range(slot, episodes, cell.envs)) for slot in range(cell.envs)]
    threads, told = torch.get_num_threads(), _Told()
    play = watched(cell, seat)
    torch.set_num_threads(1)
    try:
        for step in play.round(lambda slot: next(waiting[slot], None)):
            told.add(step)
    finally:
        torch.set_num_threads(threads)
        play.close()
    return told.whole


class _Told:
    """Experience of running episodes: one is whole when the seat is to act again, or the episode is over."""

    def __init__(self) -> None:
        self._rows: list[tuple[Array, Array, Array]] = []
        self._open: dict[int, tuple[Array, Array]] = {}

    def add(self, step: TuningStep) -> None:
        """Takes a step of all slots."""
        assert step.acting is not None
        assert step.then is not None, "whoever plays tells both"
        did = step.action.numpy(force=True)
        for slot in map(int, np.flatnonzero(step.active)):
            if step.acting[slot]:
                self._close(slot, step.shown)
                self._open[slot] = step.shown[slot].copy(), did[slot].copy()
            if step.ended[slot]:
                self._close(slot, step.then)

    @property
    def whole(self) -> Experience:
        """All that can be told."""
        return Experience(*map(np.asarray, zip(*self._rows, strict=True)))

    def _close(self, slot: int, then: Array) -> None:
        if slot in self._open:
            self._rows.append((*self._open.pop(slot), then[slot].copy()))
