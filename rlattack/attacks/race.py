"""Candidates of a search that play the same tuning episodes at once, and stop where they can be none of the best."""

from collections.abc import Callable, Sequence

import numpy as np

from rlattack.arrays import FloatArray
from rlattack.attacks.tuning import Rehearsal

_COSTS = 0.1
"""Racing is for games in which a return grows as it comes in: at most this share of what is paid is taken again."""


class Race:
    """Plays candidates, each in slots of its own, and counts what their victim earns.

    Args:
        rehearsal: The game.
        slots: How many slots it has.
        load: Gives every slot its candidate, rows of shape (slots, parameters).
        horizon: Steps after which an episode is cut; none by default.

    Attributes:
        steps: Steps of the victim so far.
    """

    def __init__(
        self, rehearsal: Rehearsal, slots: int, load: Callable[[FloatArray], None], horizon: int | None = None
    ) -> None:
        self._rehearsal, self._slots, self._load, self._horizon = rehearsal, slots, load, horizon
        self.steps = 0
        self._earned = self._lost = 0.0

    def run(self, candidates: FloatArray, episodes: Sequence[int], best: int, bound: float = np.inf) -> FloatArray:
        """The victim's mean return under each candidate, shape (candidates,).

        A candidate that is stopped has a return at which it was none of the best.

        Args:
            candidates: Shape (candidates, parameters), at most as many as there are slots for.
            episodes: Numbers of the tuning episodes that each of them plays.
            best: How many of them are looked for.
            bound: A mean return above which none of them is looked for.
        """
        count, each = len(candidates), len(episodes)
        self._load(candidates[np.minimum(np.arange(self._slots) // each, count - 1)])
        left = dict(enumerate(np.tile(episodes, count).tolist()))
        most = bound * each
        returns, lengths, going = np.zeros(self._slots), np.zeros(self._slots), np.arange(self._slots) < count * each
        dropped = np.zeros(count, dtype=np.bool_)
        for step in self._rehearsal.round(lambda slot: left.pop(slot, None)):
            paid = np.where(step.active, step.reward, 0.0)
            self._earned += float(paid[paid > 0].sum())
            self._lost -= float(paid[paid < 0].sum())
            self.steps += int(step.active.sum())
            returns += paid
            lengths += step.active
            going &= ~step.ended
            if self._horizon is not None and (late := going & (lengths >= self._horizon)).any():
                self._rehearsal.stop(late)
            if self._lost > _COSTS * self._earned:
                continue
            sums, unfinished = (row[: count * each].reshape(count, each) for row in (returns, going))
            whole, done = sums.sum(axis=1), ~unfinished.any(axis=1) & ~dropped
            if done.sum() >= best:
                most = min(most, float(np.partition(whole[done], best - 1)[best - 1]))
            if (late := (whole > most) & ~done & ~dropped).any():
                dropped |= late
                self._rehearsal.stop(np.append(np.repeat(late, each), np.zeros(self._slots - count * each, dtype=bool)))
        found: FloatArray = returns[: count * each].reshape(count, each).sum(axis=1) / each
        return found
