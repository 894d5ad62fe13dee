"""Two-player games made to be known by hand, and who plays them."""

from dataclasses import dataclass, field

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.games.duel import NOBODY, WAIT, DuelStep, Sight


class Tug:
    """Both push at once by a number; after `length` steps the higher sum wins 1000, and every push is paid by itself.

    Shows the step, the own sum and the other's.
    """

    seats = ("left", "right")
    endings = ("", "over", "time")

    def __init__(self, slots: int, length: int = 4, *, cut: bool = False) -> None:
        self.slots, self.length, self.cut = slots, length, cut
        self.observation_spaces = (Box(-np.inf, np.inf, (3,), np.float32),) * 2
        self.action_spaces = (Box(-1, 1, (1,), np.float32),) * 2
        self._step = np.zeros(slots)
        self._sums = np.zeros((2, slots))
        self.seeds: list[int] = []
        self.closed = False

    def reset(self, mask, seeds) -> Sight:
        self.seeds += [int(seed) for seed in seeds]
        self._step[mask] = 0
        self._sums[:, mask] = 0
        return self._sight()

    def step(self, actions) -> DuelStep:
        pushed = np.stack([action[:, 0] for action in actions]).astype(np.float64)
        self._sums += pushed
        self._step += 1
        over = self._step >= self.length
        winner = np.where(~over | (self._sums[0] == self._sums[1]), NOBODY, (self._sums[1] > self._sums[0]) * 1)
        sparse = np.where(winner == NOBODY, 0, np.where(winner == [[0], [1]], 1000.0, -1000.0))
        cut = over & self.cut
        return DuelStep(self._sight(), sparse + pushed, sparse, over & ~cut, cut, winner, over + cut * 1)

    def close(self) -> None:
        self.closed = True

    def _sight(self) -> Sight:
        rows = [np.stack([self._step, *sums], axis=1).astype(np.float32) for sums in (self._sums, self._sums[::-1])]
        return Sight((rows[0], rows[1]), np.ones((2, self.slots), dtype=np.bool_))


class Count:
    """In turns both take 1 to 3 from a heap whose size and first seat the seed draws; who takes the last one wins.

    Shows the heap. What is more than the heap is not legal, and nothing is for who is not to act.
    """

    seats = ("first", "second")
    endings = ("", "over")

    def __init__(self, slots: int, heap: int | None = None) -> None:
        self.slots, self._size = slots, heap
        self.observation_spaces = (Box(0, 30, (1,), np.float32),) * 2
        self.action_spaces = (Discrete(3),) * 2
        self.heap = np.ones(slots, dtype=np.int64)
        self.turn = np.zeros(slots, dtype=np.int64)
        self.moves: list[list[tuple[int, int]]] = [[] for _ in range(slots)]

    def reset(self, mask, seeds) -> Sight:
        for slot, seed in zip(np.flatnonzero(mask), seeds, strict=True):
            self.heap[slot] = self._size or seed % 20 + 4
            self.turn[slot] = seed % 2
            self.moves[slot] = []
        return self._sight()

    def step(self, actions) -> DuelStep:
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
        return DuelStep(self._sight(), sparse.copy(), sparse, over, np.zeros_like(over), winner, over * 1)

    def close(self) -> None:
        pass

    def _sight(self) -> Sight:
        turn = np.stack([(self.turn == seat) & (self.heap > 0) for seat in (0, 1)])
        obs = self.heap[:, None].astype(np.float32)
        legal = [(np.arange(3) < self.heap[:, None]) & mine[:, None] for mine in turn]
        return Sight((obs.copy(), obs.copy()), turn, (legal[0], legal[1]))


@dataclass
class Pusher:
    """Pushes by a number, or at random."""

    push: float | None = 0.5

    def initial_state(self, n):
        return None

    def act(self, obs, state, draws, *, legal=None, greedy=False):
        if self.push is None:
            return draws.normal(1).numpy(), None
        return np.full((len(obs), 1), self.push, dtype=np.float32), None


@dataclass
class Remembering:
    """Counts its own moves in its state and takes the first legal number; `seen` keeps the state before each call."""

    seen: list[torch.Tensor] = field(default_factory=list)
    width: int = 0

    def initial_state(self, n):
        return torch.zeros(n, 2)

    def act(self, obs, state, draws, *, legal=None, greedy=False):
        self.seen.append(state.clone())
        if self.width:
            return np.zeros((len(obs), self.width), dtype=np.float32), state + 1
        return legal.argmax(axis=1), state + 1
