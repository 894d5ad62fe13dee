import dataclasses

import numpy as np
import pytest
from gymnasium.spaces import Discrete

from rlattack.errors import InvalidInput
from rlattack.games.game import NOBODY
from rlattack.games.swapped import SwappedDuel
from tests.kit.games import Coins, Count, Tug

ALL = np.ones(4, dtype=bool)


def column(*values):
    return np.array(values, dtype=np.float32)[:, None]


def test_in_odd_slots_seat_0_plays_seat_1():
    inner = Tug(4, length=1)
    game = SwappedDuel(inner)
    game.reset(ALL, np.arange(4))
    step = game.step((column(1, 1, 0, 0.5), column(0, 0, 0, 1)))
    assert inner.sums.tolist() == [[1, 0, 0, 1], [0, 1, 0, 0.5]]
    assert step.winner.tolist() == [0, 0, NOBODY, 1]
    assert step.rewards.tolist() == [[1001, 1001, 0, -999.5], [-1000, -1000, 0, 1001]]
    assert step.sparse[0].tolist() == [1000, 1000, 0, -1000]
    assert step.views[0].obs[:, 1].tolist() == [1, 1, 0, 0.5]  # its own sum
    game.close()
    assert inner.closed


def test_whose_turn_it_is_and_what_is_legal_is_swapped_too():
    game = SwappedDuel(Count(4, heap=2))
    first, second = game.reset(ALL, np.zeros(4, dtype=int))  # by an even seed the first seat begins
    assert (first.turn.tolist(), second.turn.tolist()) == ([True, False] * 2, [False, True] * 2)
    assert first.legal.tolist() == [[True, True, False], [False] * 3] * 2
    assert second.legal.tolist() == [[False] * 3, [True, True, False]] * 2


def test_seats_that_differ_are_refused():
    game = Tug(4)
    game.seats = (game.seats[0], dataclasses.replace(game.seats[1], action=Discrete(2)))
    with pytest.raises(InvalidInput, match="--seat both: expected two seats that see and do the same, got Box"):
        SwappedDuel(game)


def test_a_game_of_one_seat_is_refused():
    with pytest.raises(InvalidInput, match="--seat both: expected a game of two seats, got 1"):
        SwappedDuel(Coins(4))
