"""Candidates that race: who is stopped, and what is counted of them."""

import numpy as np
import pytest

from rlattack.attacks import TuningStep
from rlattack.attacks.race import Race


class Track:
    """A candidate says what a step pays and how many steps an episode has; those of episode n are n times as many.

    Attributes:
        played: Numbers of the episodes of each round, a slot each; None for none.
    """

    def load(self, rows):
        self.rows, self.played = rows, getattr(self, "played", [])

    def round(self, take):
        self.played.append(numbers := [take(slot) for slot in range(len(self.rows))])
        left = self.rows[:, 1] * [0 if one is None else one for one in numbers]
        self.stopped = np.zeros(len(numbers), dtype=bool)
        while (active := left > 0).any():
            left = np.where(self.stopped, np.minimum(left, 1), left) - active
            yield TuningStep(active, None, None, None, self.rows[:, 0], *[active & (left == 0)] * 2)

    def stop(self, slots):
        self.stopped |= slots


@pytest.fixture
def track():
    return Track()


def raced(track, slots, pays=1.0, **about):
    """A race that has seen, in 2 steps, what the game pays."""
    race = Race(track, slots, track.load, **about)
    race.run(np.asarray([[pays, 1.0], [pays, 1.0]]), [1], 1)
    return race


def test_a_return_is_the_mean_over_the_episodes(track):
    race = Race(track, 6, track.load)
    assert race.run(np.asarray([[1.0, 10], [2, 10], [3, 20]]), [1, 2], 3).tolist() == [15, 30, 90]
    assert track.played == [[1, 2, 1, 2, 1, 2]]
    assert race.steps == 120


def test_fewer_candidates_leave_slots_idle(track):
    assert Race(track, 3, track.load).run(np.asarray([[7.0, 4], [8, 4]]), [1], 2).tolist() == [28, 32]
    assert track.played == [[1, 1, None]]


def test_whoever_is_worse_than_the_best_that_have_finished_is_stopped(track):
    race = raced(track, 8)
    found = race.run(np.asarray([[1.0, 10], [1, 15], [1, 90], [0.5, 28]]), [1, 2], 2)
    assert found[[0, 1, 3]].tolist() == [15, 22.5, 21]
    # the two best have finished after 30 steps, 30 and 45 in all; the third had 60 by then, and plays one step more
    assert found[2] == 31
    assert race.steps == 2 + 30 + 45 + 62 + 84


def test_a_bound_from_before_stops_as_well(track):
    race = raced(track, 2)
    assert race.run(np.asarray([[10.0, 100], [1, 100]]), [1], 1, bound=150).tolist() == [170, 100]
    assert race.steps == 2 + 17 + 100


def test_a_game_that_has_taken_nothing_yet_is_raced(track):
    assert Race(track, 2, track.load).run(np.asarray([[1.0, 10], [1, 50]]), [1], 1).tolist() == [10, 12]


def test_where_what_was_paid_is_taken_again_nobody_is_stopped(track):
    race = raced(track, 2, pays=-100.0)
    assert race.run(np.asarray([[1.0, 10], [1, 50]]), [1], 1, bound=5).tolist() == [10, 50]


def test_a_horizon_cuts_episodes(track):
    race = Race(track, 4, track.load, horizon=20)
    assert race.run(np.asarray([[1.0, 5], [2, 50]]), [1, 2], 2).tolist() == [7.5, 42]  # and one step more
