"""A two-player game whose seats are swapped in every second slot, so that one learner plays both."""

from typing import Any

import numpy as np
import numpy.typing as npt

from rlattack.errors import InvalidInput
from rlattack.games.batch import BoolArray, IntArray
from rlattack.games.duel import NOBODY, DuelGame, DuelStep, Sight

__all__ = ["SwappedDuel"]

Pair = tuple[npt.NDArray[Any], npt.NDArray[Any]]


class SwappedDuel:
    """The game with the odd slots' seats swapped: who holds seat 0 here holds seat 1 there.

    Args:
        game: A game whose seats see and do the same kinds of things.

    Raises:
        InvalidInput: A game whose seats differ.
    """

    def __init__(self, game: DuelGame) -> None:
        for first, second in (game.observation_spaces, game.action_spaces):
            if first != second:
                raise InvalidInput(
                    f"--seat both: expected two seats that see and do the same, got {first} and {second}; "
                    f"leave it out, or name one of {' and '.join(game.seats)}"
                )
        self.game, self.slots, self.seats, self.endings = game, game.slots, game.seats, game.endings
        self.observation_spaces, self.action_spaces = game.observation_spaces, game.action_spaces
        self._odd: BoolArray = np.arange(game.slots) % 2 == 1

    def reset(self, mask: BoolArray, seeds: IntArray) -> Sight:
        """See `DuelGame`."""
        return self._seen(self.game.reset(mask, seeds))

    def step(self, actions: Pair) -> DuelStep:
        """See `DuelGame`."""
        step = self.game.step(self._pair(actions))
        return DuelStep(
            self._seen(step.sight), np.stack(self._pair((step.rewards[0], step.rewards[1]))),
            np.stack(self._pair((step.sparse[0], step.sparse[1]))), step.terminated, step.truncated,
            np.where(self._odd & (step.winner != NOBODY), 1 - step.winner, step.winner), step.ending,
        )  # fmt: skip

    def close(self) -> None:
        """Closes the game."""
        self.game.close()

    def _seen(self, sight: Sight) -> Sight:
        legal = None if sight.legal is None else self._pair(sight.legal)
        return Sight(self._pair(sight.obs), np.stack(self._pair((sight.turn[0], sight.turn[1]))), legal)

    def _pair(self, pair: Pair) -> Pair:
        first, second = pair
        odd = self._odd.reshape(-1, *[1] * (first.ndim - 1))
        return np.where(odd, second, first), np.where(odd, first, second)
