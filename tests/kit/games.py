"""Games whose answers are known by hand, registered like any other (`find_game("tug/any")`).

Importing this registers the families `tug`, `pull`, `count`, `turns` (two seats) and `coins` (one seat). A worker
process that is spawned is given them by `FAMILIES.added`.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from gymnasium.spaces import Box, Discrete

from rlattack.arrays import Array, BoolArray, IntArray
from rlattack.games.card import Variant
from rlattack.games.find import FAMILIES
from rlattack.games.game import NOBODY, OVER, PLAYER, UNDECIDED, WAIT, Game, Seat, Step, View, always, check_seeds


class SmallGame:
    """What all of them have: `closed` after `close`, and `variant` where a factory made them."""

    endings: tuple[str, ...] = ("", "over")
    seats: tuple[Seat, ...]
    variant: Variant | None = None
    closed = False

    def close(self) -> None:
        self.closed = True


Small = TypeVar("Small", bound=SmallGame)
made: list[SmallGame] = []
"""Games that the registered factories made in this process, newest last, each with its `variant`."""


class Tug(SmallGame):
    """Both push at once by a number; after `length` steps the higher sum wins 1000, and every push is paid by itself.

    Shows the step, the own sum and the other's, which is 0 to a seat from which the other player is hidden.
    """

    endings: tuple[str, ...] = OVER

    def __init__(self, slots: int, length: int = 4, *, cut: bool = False, hidden: Sequence[int] = ()) -> None:
        seen, done = Box(-np.inf, np.inf, (3,), np.float32), Box(-1, 1, (1,), np.float32)
        self.seats = (Seat("left", seen, done), Seat("right", seen, done))
        self.slots, self.length, self.cut, self.hidden = slots, length, cut, hidden
        self.time, self.sums = np.zeros(slots, dtype=np.int64), np.zeros((2, slots))
        self.seeds: list[int] = []

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        seeds = check_seeds(mask, seeds)
        self.seeds += [int(seed) for seed in seeds]
        self.time[mask] = 0
        self.sums[:, mask] = 0
        return self.views()

    def step(self, actions: Sequence[Array]) -> Step:
        pushed = np.stack([action[:, 0] for action in actions]).astype(np.float64)
        self.sums += pushed
        self.time += 1
        over = self.time >= self.length
        winner = np.where(over, ahead(self.sums), NOBODY)
        sparse = np.where(winner == NOBODY, 0, np.where(winner == [[0], [1]], 1000.0, -1000.0))
        cut = over & self.cut
        return Step(self.views(), sparse + pushed, over & ~cut, cut, winner, over + cut * 1, sparse)

    def views(self) -> tuple[View, ...]:
        others = [self.sums[1 - seat] * (seat not in self.hidden) for seat in (0, 1)]
        rows = [np.stack([self.time, own, other], axis=1) for own, other in zip(self.sums, others, strict=True)]
        return tuple(View(obs.astype(np.float32), always(self.slots)) for obs in rows)


class Pull(SmallGame):
    """Both pull at a rope for 2 to 4 steps, as the seed says; who pulled more in the end wins. Shows the step.

    All that is pulled is paid on the way.
    """

    endings: tuple[str, ...] = ("", "pulled", "tie", "unstable")

    def __init__(self, slots: int) -> None:
        seen, done = Box(-10, 10, (1,), np.float32), Box(-1, 1, (1,), np.float32)
        self.seats = (Seat("left", seen, done), Seat("right", seen, done))
        self.slots, self.time, self.pulled = slots, np.zeros(slots, dtype=np.int64), np.zeros((2, slots))
        self.length = np.full(slots, 2)

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        seeds = check_seeds(mask, seeds)
        self.pulled[:, mask] = self.time[mask] = 0
        self.length[mask] = 2 + seeds % 3
        return self.views()

    def step(self, actions: Sequence[Array]) -> Step:
        force = np.stack([action[:, 0] for action in actions]).astype(np.float64)
        self.pulled += force
        self.time += 1
        over = self.time >= self.length
        winner = np.where(over, ahead(self.pulled), NOBODY)
        ending = np.where(over, np.where(winner == NOBODY, 2, 1), 0)
        return Step(self.views(), force, over, np.zeros_like(over), winner, ending)

    def views(self) -> tuple[View, ...]:
        return tuple(View(self.time[:, None].astype(np.float32), always(self.slots)) for _ in (0, 1))


class Count(SmallGame):
    """In turns both take 1 to 3 from a heap whose size and first seat the seed draws; who takes the last one wins.

    Shows the heap. What is more than the heap is not legal, and nothing is for who is not to act.
    """

    def __init__(self, slots: int, heap: int | None = None) -> None:
        self.seats = tuple(Seat(name, Box(0, 30, (1,), np.float32), Discrete(3)) for name in ("first", "second"))
        self.slots, self.size = slots, heap
        self.heap, self.turn = np.ones(slots, dtype=np.int64), np.zeros(slots, dtype=np.int64)
        self.moves: list[list[tuple[int, int]]] = [[] for _ in range(slots)]

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        seeds = check_seeds(mask, seeds)
        for slot, seed in zip(np.flatnonzero(mask), seeds, strict=True):
            self.heap[slot] = self.size or seed % 20 + 4
            self.turn[slot] = seed % 2
            self.moves[slot] = []
        return self.views()

    def step(self, actions: Sequence[Array]) -> Step:
        winner, over = np.full(self.slots, NOBODY), np.zeros(self.slots, dtype=np.bool_)
        for slot in np.flatnonzero(self.heap > 0):
            seat = self.turn[slot]
            taken = int(actions[seat][slot])
            if taken == WAIT:
                continue
            assert 0 <= taken < 3
            assert taken + 1 <= self.heap[slot], "illegal"
            self.moves[slot].append((int(seat), taken + 1))
            self.heap[slot] -= taken + 1
            self.turn[slot] = 1 - seat
            if self.heap[slot] == 0:
                winner[slot], over[slot] = seat, True
        sparse = np.where(over, np.where(winner == [[0], [1]], 1.0, -1.0), 0.0)
        return Step(self.views(), sparse.copy(), over, np.zeros_like(over), winner, over * 1, sparse)

    def views(self) -> tuple[View, ...]:
        obs, may = self.heap[:, None].astype(np.float32), np.arange(3) < self.heap[:, None]
        turns = [(self.turn == seat) & (self.heap > 0) for seat in (0, 1)]
        return tuple(View(obs.copy(), mine, may & mine[:, None]) for mine in turns)


class Turns(SmallGame):
    """Both name numbers in turns, 6 in all; the larger sum wins. Of 0 to 2 the last is never legal. Shows the turn.

    The seed says who begins.
    """

    endings: tuple[str, ...] = ("", "counted")

    def __init__(self, slots: int) -> None:
        self.seats = tuple(Seat(name, Box(0, 10, (1,), np.float32), Discrete(3)) for name in ("first", "second"))
        self.slots, self.sums = slots, np.zeros((2, slots))
        self.time, self.begun = np.zeros((2, slots), dtype=np.int64)

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        seeds = check_seeds(mask, seeds)
        self.time[mask] = self.begun[mask] = seeds % 2
        self.sums[:, mask] = 0
        return self.views()

    def step(self, actions: Sequence[Array]) -> Step:
        mover = self.time % 2
        named = np.where(mover == 0, actions[0], actions[1]).astype(np.float64)
        assert (named[self.time < self.begun + 6] < 2).all(), "illegal"
        self.sums[mover, np.arange(self.slots)] += named
        self.time += 1
        over = self.time >= self.begun + 6
        nothing = np.zeros((2, self.slots))
        winner = np.where(over, ahead(self.sums), NOBODY)
        return Step(self.views(), nothing, over, np.zeros_like(over), winner, over * 1, nothing.copy())

    def views(self) -> tuple[View, ...]:
        obs, turns = self.time[:, None].astype(np.float32), [self.time % 2 == seat for seat in (0, 1)]
        return tuple(View(obs.copy(), mine, mine[:, None] & (np.arange(3) < 2)) for mine in turns)


class Coins(SmallGame):
    """One seat: a coin is shown as -1 or 1, and naming it (0 or 1) earns 1; over after 3 to 5 coins, as the seed says.

    Shows the step and the coin, all of which are drawn from the seed.
    """

    endings: tuple[str, ...] = OVER

    def __init__(self, slots: int) -> None:
        self.seats = (Seat(PLAYER, Box(-10, 10, (2,), np.float32), Discrete(2)),)
        self.slots, self.time, self.length = slots, np.zeros(slots, dtype=np.int64), np.full(slots, 3)
        self.coins = np.zeros((slots, 6), dtype=np.int64)

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        seeds = check_seeds(mask, seeds)
        self.time[mask] = 0
        self.length[mask] = 3 + seeds % 3
        for slot, seed in zip(np.flatnonzero(mask), seeds, strict=True):
            self.coins[slot] = np.random.default_rng(int(seed)).integers(2, size=6)
        return self.views()

    def step(self, actions: Sequence[Array]) -> Step:
        earned = (actions[0] == self.coin).astype(np.float64)[None]
        self.time += 1
        over = self.time >= self.length
        return Step(self.views(), earned, over, np.zeros_like(over), np.where(over, UNDECIDED, NOBODY), over * 1)

    @property
    def coin(self) -> IntArray:
        """The coin of each slot now, 0 or 1."""
        return self.coins[np.arange(self.slots), np.minimum(self.time, 5)]

    def views(self) -> tuple[View, ...]:
        return (View(np.stack([self.time, 2 * self.coin - 1], axis=1).astype(np.float32), always(self.slots)),)


def ahead(sums: Array) -> IntArray:
    """The seat of the larger sum, or NOBODY."""
    return np.where(sums[0] == sums[1], NOBODY, np.where(sums[0] > sums[1], 0, 1))


def tug(variant: Variant, slots: int, threads: int = 1) -> Game:
    return _registered(Tug(slots, hidden=[seat for seat, _ in variant.hidden]), variant)


def pull(variant: Variant, slots: int, threads: int = 1) -> Game:
    return _registered(Pull(slots), variant)  # which shows nothing that could be hidden


def count(variant: Variant, slots: int, threads: int = 1) -> Game:
    variant.check_nothing_hidden()
    return _registered(Count(slots), variant)


def turns(variant: Variant, slots: int, threads: int = 1) -> Game:
    variant.check_nothing_hidden()
    return _registered(Turns(slots), variant)


def coins(variant: Variant, slots: int, threads: int = 1) -> Game:
    variant.check_nothing_hidden()
    return _registered(Coins(slots), variant)


def _registered(game: Small, variant: Variant) -> Small:
    game.variant = variant
    made.append(game)
    return game


for _family in (tug, pull, count, turns, coins):
    FAMILIES.add(_family.__name__, f"tests.kit.games:{_family.__name__}")
