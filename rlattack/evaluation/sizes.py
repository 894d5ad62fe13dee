"""How large perturbations were over the steps of an episode: what an attack that looks for the smallest found."""

from collections.abc import Mapping
from typing import Self

import numpy as np

from rlattack.budget import Budget
from rlattack.budget.words import grey_levels
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.observer import Moment, Observer

_SHARES = {"10 %": 0.1, "median": 0.5, "90 %": 0.9}


class SizeQuantiles(Observer):
    """Quantiles over an episode of the sizes of perturbations that changed the victim's choice.

    Sizes are the judge's, per entry, as eps is; for pixels in grey levels too. `found` is the share of steps in which
    the choice was changed; the others do not count among the sizes, and an episode without any has none.

    Args:
        seat, slots: As of every observer.
        attack: Number of the attack among those on the seat.
        budget: Of that attack; None where nothing is attacked, so that there is nothing to measure.
    """

    def __init__(self, seat: int, slots: int, attack: int = 0, budget: Budget | None = None) -> None:
        super().__init__(seat, slots)
        self._attack, self._budget = attack, budget
        self._sizes: list[list[float]] = [[] for _ in range(slots)]
        self._steps = np.zeros(slots, dtype=np.int64)

    @classmethod
    def of(cls, cell: Cell, seat: int) -> Self:
        """Looks at the attack on a seat that has no size to keep, else at the first one."""
        budgets = [ref.budget for ref in cell.attacks if ref.seat == seat]
        if not budgets:
            return cls(seat, cell.envs)
        number = next((place for place, budget in enumerate(budgets) if budget.eps is None), 0)
        return cls(seat, cell.envs, number, budgets[number])

    def see(self, moment: Moment) -> None:
        """Adds the sizes of one step."""
        if moment.seat != self.seat or self._budget is None:
            return
        sizes, moved = moment.eps[self._attack], moment.out.actions.moved(moment.clean.actions).numpy(force=True)
        self._steps += moment.acting
        for slot in np.flatnonzero(moment.acting & (moved > 0)):
            self._sizes[slot].append(float(sizes[slot]))

    def collect(self, slot: int) -> Mapping[str, float | None]:
        """Quantiles of the episode that ended in a slot, and how often a perturbation was found."""
        sizes, steps = self._sizes[slot], max(int(self._steps[slot]), 1)
        self._sizes[slot], self._steps[slot] = [], 0
        if self._budget is None:
            return {}
        found: dict[str, float | None] = {"found": len(sizes) / steps}
        in_levels = grey_levels(1.0, self._budget.norm, self._budget.space)
        for name, share in _SHARES.items():
            size = float(np.quantile(sizes, share)) if sizes else None
            found[f"size found, {name}"] = size
            if in_levels is not None:
                found[f"size found, {name}, grey levels"] = None if size is None else size * in_levels
        return found
