"""A game that can be saved, whose critical steps are known by hand; importing this registers the family `ledge`."""

from collections.abc import Sequence

import numpy as np
from gymnasium.spaces import Box, Discrete

from rlattack.arrays import Array, BoolArray, IntArray
from rlattack.games.card import Variant
from rlattack.games.find import FAMILIES
from rlattack.games.game import NOBODY, OVER, PLAYER, UNDECIDED, Seat, Step, View, always, check_seeds
from rlattack.policies.module import ModulePolicy
from tests.kit.agents import linear_policy

LENGTH, FALL = 6, 10.0


class Ledge:
    """One walks towards a ledge (0) or away from it (1), from 1 to 4 steps before it, for 6 steps of 1 each.

    Who goes over it loses 10, and the game is over. Shows how far it is, in hundreds, and 1.
    """

    endings: tuple[str, ...] = OVER

    def __init__(self, slots: int, *, legal: bool = False, continuous: bool = False) -> None:
        self.seats = (Seat(PLAYER, Box(-9, 9, (2,), np.float32), Box(-1, 1, (1,)) if continuous else Discrete(2)),)
        self.slots, self.legal, self.continuous = slots, legal, continuous
        self.rows = np.zeros((slots, 2))
        self.closed = False

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        self.rows[mask] = np.stack([1 + check_seeds(mask, seeds) % 4, np.zeros(len(seeds))], axis=1)
        return self.views()

    def step(self, actions: Sequence[Array]) -> Step:
        self.rows += np.stack([self.moved(actions[0]), np.ones(self.slots)], axis=1)
        fallen = self.rows[:, 0] <= 0
        late = (self.rows[:, 1] >= LENGTH) & ~fallen
        winner = np.where(fallen | late, UNDECIDED, NOBODY)
        return Step(self.views(), np.where(fallen, -FALL, 1.0)[None], fallen, late, winner, fallen + 2 * late)

    def moved(self, action: Array) -> Array:
        return np.sign(action[:, 0]) if self.continuous else 2.0 * action - 1

    def views(self) -> tuple[View, ...]:
        shown = np.stack([self.rows[:, 0] / 100, np.ones(self.slots)], axis=1).astype(np.float32)
        # where it is legal to tell, nobody may walk over the ledge
        may = np.stack([self.rows[:, 0] > 1, np.ones(self.slots, dtype=bool)], axis=1) if self.legal else None
        return (View(shown, always(self.slots), may),)

    def save(self, slots: IntArray) -> list[object]:
        return [self.rows[slot].copy() for slot in slots]

    def restore(self, slots: IntArray, states: Sequence[Array]) -> None:
        self.rows[slots] = np.stack(states)

    def close(self) -> None:
        self.closed = True


def careful() -> ModulePolicy:
    """Walks away from the ledge: the score of that is 1, of the other how far it is."""
    return linear_policy([[1.0, 0.0], [0.0, 1.0]])


def ledge(variant: Variant, slots: int, threads: int = 1) -> Ledge:
    return Ledge(slots)


FAMILIES.add("ledge", "tests.kit.ledge:ledge")
