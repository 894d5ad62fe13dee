"""How large perturbations were over the steps of an episode: what an attack that looks for the smallest found."""

from collections.abc import Mapping

import numpy as np

from rlattack.evaluation.observer import Moment, Observer

__all__ = ["SizeQuantiles"]

_SHARES = {"10 %": 0.1, "median": 0.5, "90 %": 0.9}


class SizeQuantiles(Observer):
    """Quantiles over an episode of the root mean square of perturbations that changed the victim's choice.

    Steps in which nothing was found do not count among the sizes; `found` is the share of the others. Sizes are per
    entry, in the game's own range.

    Args:
        seat: The seat that it looks at.
        slots: Number of episodes at once.
    """

    def __init__(self, seat: int, slots: int) -> None:
        super().__init__(seat, slots)
        self._sizes: list[list[float]] = [[] for _ in range(slots)]
        self._steps = np.zeros(slots)

    def see(self, moment: Moment) -> None:
        """Adds the sizes of one step."""
        if moment.seat != self.seat:
            return
        apart = (moment.received.numpy(force=True) - moment.shown).reshape(self.slots, -1)
        sizes = np.sqrt(np.square(apart, dtype=np.float64).mean(axis=1))
        found = (moment.out.actions.moved(moment.clean.actions).numpy(force=True) > 0) & moment.acting
        self._steps += moment.acting
        for slot in np.flatnonzero(found):
            self._sizes[slot].append(float(sizes[slot]))

    def collect(self, slot: int) -> Mapping[str, float]:
        """Quantiles of the episode that ended in a slot, and how often a perturbation was found."""
        sizes, steps = self._sizes[slot], max(self._steps[slot], 1.0)
        self._sizes[slot], self._steps[slot] = [], 0
        quantiles = {
            f"smallest size, {name}": float(np.quantile(sizes, share)) if sizes else 0.0
            for name, share in _SHARES.items()
        }
        return quantiles | {"found": len(sizes) / steps}
