"""What came of an action in a game of two seats, for the player of one of them."""

from dataclasses import dataclass

import numpy as np

from rlattack.games.batch import BoolArray, FloatArray, IntArray
from rlattack.games.duel import NOBODY

__all__ = ["Played"]


@dataclass(frozen=True)
class Played:
    """What the learner's action brought, each of shape (slots,)."""

    earned: FloatArray
    terminated: BoolArray
    truncated: BoolArray
    winner: IntArray
    ending: IntArray

    @classmethod
    def nothing(cls, slots: int) -> "Played":
        """Before anything was played."""
        never = np.zeros(slots, dtype=np.bool_)
        return cls(np.zeros(slots), never, never, np.full(slots, NOBODY), np.zeros(slots, dtype=np.int64))

    @property
    def done(self) -> BoolArray:
        """Where the game is over, or cut short."""
        return self.terminated | self.truncated

    def outcome(self, seat: int) -> IntArray:
        """1, 0 or -1 for a win, a tie or a loss of a seat."""
        return np.where(self.winner == NOBODY, 0, np.where(self.winner == seat, 1, -1))

    def then(self, after: "Played", mask: BoolArray) -> "Played":
        """Adds what came after in the slots of `mask`."""
        return Played(
            self.earned + np.where(mask, after.earned, 0.0),
            np.where(mask, after.terminated, self.terminated),
            np.where(mask, after.truncated, self.truncated),
            np.where(mask, after.winner, self.winner),
            np.where(mask, after.ending, self.ending),
        )
