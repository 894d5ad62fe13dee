"""A game of two seats that are swapped in every second slot, so that one learner plays both."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from rlattack.arrays import Array, BoolArray, IntArray
from rlattack.errors import InvalidInput
from rlattack.games.game import Game, Seat, Step, View


class SwappedDuel:
    """The game with the odd slots' seats swapped: who holds seat 0 here holds seat 1 there.

    Args:
        game: A game of two seats that see and do the same kinds of things.

    Raises:
        InvalidInput: A game whose seats differ, or another number of them.
    """

    def __init__(self, game: Game) -> None:
        if len(game.seats) != 2:
            raise InvalidInput(f"--seat both: expected a game of two seats, got {len(game.seats)}")
        first, second = game.seats
        for one, other in ((first.observation, second.observation), (first.action, second.action)):
            if one != other:
                raise InvalidInput(
                    f"--seat both: expected two seats that see and do the same, got {one} and {other}; "
                    f"leave it out, or name one of {first.name} and {second.name}"
                )
        self.game, self.slots, self.endings = game, game.slots, game.endings
        self.seats: tuple[Seat, ...] = game.seats
        self._slot = np.arange(game.slots)
        self._odd: BoolArray = self._slot % 2 == 1
        self._seat = np.stack([self._odd, ~self._odd]).astype(int)

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        """Starts new episodes in the slots of `mask`."""
        return self._swapped_views(self.game.reset(mask, seeds))

    def step(self, actions: Sequence[Array]) -> Step:
        """Plays one action a seat and slot."""
        step = self.game.step([*self._swapped(actions)])
        return dataclasses.replace(
            step, views=self._swapped_views(step.views), rewards=self._swapped(step.rewards),
            sparse=None if step.sparse is None else self._swapped(step.sparse),
            winner=np.where(self._odd & (step.winner >= 0), 1 - step.winner, step.winner),
        )  # fmt: skip

    def close(self) -> None:
        """Closes the game."""
        self.game.close()

    def _swapped_views(self, views: tuple[View, ...]) -> tuple[View, ...]:
        first, second = views
        pairs = [(first.obs, second.obs), (first.turn, second.turn)]
        if first.legal is not None and second.legal is not None:
            pairs.append((first.legal, second.legal))
        return tuple(View(*one) for one in zip(*map(self._swapped, pairs), strict=True))

    def _swapped(self, pair: Sequence[Array] | Array) -> Array:
        """Of both seats, shape (2, slots, ...), with the odd slots exchanged."""
        swapped: Array = np.asarray(pair)[self._seat, self._slot]
        return swapped
