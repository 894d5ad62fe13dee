"""What came of an action, joined over the opponent's answers."""

import numpy as np

from rlattack.games.duel import NOBODY
from rlattack.games.played import Played


def played(earned, terminated, truncated, winner):
    return Played(np.array(earned), np.array(terminated), np.array(truncated), np.array(winner), np.array(winner) + 1)


def test_what_comes_after_is_added_where_it_was_played_and_else_nothing_changes():
    before = played([1.0, 2.0], [False, True], [False, False], [NOBODY, 0])
    after = played([10.0, 20.0], [False, False], [True, False], [1, NOBODY])
    joined = before.then(after, np.array([True, False]))
    assert joined.earned.tolist() == [11.0, 2.0]
    assert joined.terminated.tolist() == [False, True]
    assert joined.truncated.tolist() == [True, False]
    assert joined.done.tolist() == [True, True]
    assert joined.winner.tolist() == [1, 0]
    assert joined.ending.tolist() == [2, 1]


def test_the_outcome_is_the_seats_own():
    found = played([0.0] * 3, [True] * 3, [False] * 3, [0, 1, NOBODY])
    assert found.outcome(0).tolist() == [1, -1, 0]
    assert found.outcome(1).tolist() == [-1, 1, 0]


def test_before_anything_was_played_nothing_is_over_or_won():
    nothing = Played.nothing(2)
    assert nothing.earned.tolist() == [0.0, 0.0]
    assert not nothing.done.any()
    assert nothing.outcome(0).tolist() == [0, 0]
