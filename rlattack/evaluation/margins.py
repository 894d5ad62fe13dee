"""How sure a victim is at every step: the probability of its greedy action minus that of the next one."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from torch.nn import functional

from rlattack.evaluation.observer import Moment, Observer
from rlattack.policies.distributions import Actions, Categorical


class Margins(Observer):
    """Means over an episode of the victim's margin, on what it received and on what was truly shown."""

    needs: ClassVar[frozenset[type[Actions]]] = frozenset({Categorical})

    def __init__(self, seat: int, slots: int) -> None:
        super().__init__(seat, slots)
        self._steps = np.zeros(slots)
        self._sums = np.zeros((2, slots))

    def see(self, moment: Moment) -> None:
        """Adds the margins of one step."""
        if moment.seat != self.seat:
            return
        self._steps += moment.acting
        for row, out in enumerate((moment.out, moment.clean)):
            assert isinstance(out.actions, Categorical), "declared in `needs`"
            likely = functional.pad(out.actions.probabilities, (0, 1))  # for who has one action and is sure of it
            best = likely.topk(2, dim=1).values.numpy(force=True)
            self._sums[row] += np.where(moment.acting, best[:, 0] - best[:, 1], 0.0)

    def collect(self, slot: int) -> Mapping[str, float | None]:
        """Mean margins of the episode that ended in a slot; None where the victim was never to act."""
        steps, sums = self._steps[slot], self._sums[:, slot].tolist()
        self._steps[slot] = self._sums[:, slot] = 0
        received, clean = ((total / steps if steps else None) for total in sums)
        return {"margin": received, "margin, clean view": clean}
