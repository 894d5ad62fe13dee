"""How sure a victim is at every step: the probability of its greedy action minus that of the next one."""

from collections.abc import Mapping

import numpy as np

from rlattack.errors import InvalidInput
from rlattack.evaluation.observer import Moment, Observer
from rlattack.policies.distributions import Categorical

__all__ = ["Margins"]


class Margins(Observer):
    """Means over an episode of the victim's margin, on what it received and on what was truly shown.

    Args:
        seat: The seat that it looks at.
        slots: Number of episodes at once.
    """

    def __init__(self, seat: int, slots: int) -> None:
        super().__init__(seat, slots)
        self._steps = np.zeros(slots)
        self._sums = np.zeros((2, slots))

    def see(self, moment: Moment) -> None:
        """Adds the margins of one step.

        Raises:
            InvalidInput: The victim's actions are not discrete.
        """
        if moment.seat != self.seat:
            return
        self._steps += moment.acting
        for row, out in enumerate((moment.out, moment.clean)):
            if not isinstance(out.actions, Categorical):
                raise InvalidInput("--observe margins: expected a victim of discrete actions")
            best = out.actions.probabilities.topk(2, dim=1).values.numpy(force=True)
            self._sums[row] += np.where(moment.acting, best[:, 0] - best[:, 1], 0.0)

    def collect(self, slot: int) -> Mapping[str, float]:
        """Mean margins of the episode that ended in a slot."""
        received, clean = (self._sums[:, slot] / max(self._steps[slot], 1.0)).tolist()
        self._steps[slot] = self._sums[:, slot] = 0
        return {"margin": received, "margin, clean view": clean}
