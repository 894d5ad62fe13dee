from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch import nn

from rlattack.games.find import FAMILIES
from rlattack.games.game import NOBODY, Seat, Step, View, always
from rlattack.perf import measure, seat_victim
from rlattack.policies import ModulePolicy
from tests.kit.games import SmallGame


class Screens(SmallGame):
    """Two seats that are shown black frames for two steps; nobody wins."""

    def __init__(self, variant: Any, slots: int, threads: int = 1) -> None:
        self.seats = tuple(Seat(name, Box(0, 255, (4, 36, 36), np.uint8), Discrete(2)) for name in ("one", "two"))
        self.slots, self.time = slots, np.zeros(slots, dtype=np.int64)

    def reset(self, mask: Any, seeds: Any) -> Any:
        self.time[mask] = 0
        return self.views()

    def step(self, actions: Any) -> Step:
        self.time += 1
        over = self.time >= 2
        nothing = np.zeros((2, self.slots))
        return Step(self.views(), nothing, over, ~over & False, np.full(self.slots, NOBODY), over * 1, nothing)

    def views(self) -> Any:
        return tuple(View(np.zeros((self.slots, 4, 36, 36), np.uint8), always(self.slots)) for _ in range(2))


FAMILIES.add("screens", "tests.perf.test_measure:Screens")


def watcher() -> ModulePolicy:
    """Sees frames."""
    torch.manual_seed(0)
    return ModulePolicy(nn.Sequential(nn.Flatten(), nn.Linear(4 * 36 * 36, 2)), (4, 36, 36), 2)


def test_of_a_plain_game_for_one_attacked_play_is_measured():
    said = []
    table = seat_victim("coins/any", "tests.perf.players:coin")
    found = measure(table, slots=3, workers=1, seconds=0.01, say=said.append)
    assert list(found) == ["play"]
    (line,) = said
    assert "attacked play of tests.perf.players:coin in coins/any, 1 processes" in line


def test_training_is_measured_where_others_play_and_says_why_where_it_cannot_be():
    table = seat_victim("screens/any", "tests.perf.test_measure:watcher")
    found = measure(table, slots=3, workers=1, seconds=0.01)
    assert list(found) == ["play", "training"]
    assert found["training"].speeds == ()
    assert "expected numbers to see, no images" in found["training"].note
