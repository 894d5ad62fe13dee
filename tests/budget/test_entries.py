"""Entries by themselves: which of them may change, and what is shown beyond their range."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.budget import Budget
from rlattack.draws import Streams
from rlattack.errors import BudgetError

PIXELS = Box(0, 255, (4, 5, 5), np.uint8)
VECTOR = Box(np.float32([-1, -2, 0]), np.float32([1, 2, 0.5]))
ROW = Box(np.array([-np.inf, 0, 0, -np.inf], np.float32), np.array([np.inf, 1, 9, np.inf], np.float32))
"""Numbers in a row, of which two have ends."""


@pytest.mark.parametrize(
    ("free", "space", "message"),
    [
        ((1, 4), ROW, "--free: expected entries 0 to 3, got 1, 4"),
        ((-1,), ROW, "--free: expected entries 0 to 3, got -1"),
        ((1,), PIXELS, "--free: expected observations that are numbers in a row"),
    ],
)
def test_free_entries_that_are_none_are_refused(free, space, message):
    with pytest.raises(BudgetError, match=message):
        Budget(eps=0.1, space="raw", free=free).ball(space)


def test_a_natural_change_leaves_no_entry_alone():
    with pytest.raises(BudgetError, match="--free: rotation changes a picture, not single entries"):
        Budget(norm="rotation", eps=3, free=(1,)).reach(PIXELS)


def test_free_entries_are_a_set_and_all_of_them_are_no_choice():
    assert Budget(eps=1, free=(3, 1, 3)) == Budget(eps=1, free=(1, 3))
    assert Budget(eps=1, space="raw", free=(0, 1, 2, 3)).ball(ROW).free is None


def test_only_free_entries_need_ends_and_bound_a_size():
    with pytest.raises(BudgetError, match="not all have here"):
        Budget(norm="l0", eps=1, space="raw").ball(ROW)
    assert Budget(norm="l0", eps=2, space="raw", free=(1, 2)).ball(ROW).entries == 2
    with pytest.raises(BudgetError, match="more than the whole range of an entry, 1 in"):
        Budget(eps=5, space="raw", free=(1,)).ball(ROW)
    assert Budget(eps=5, space="raw", free=(1, 2)).ball(ROW).radius == 5


BEYOND = torch.tensor([[3.0, -5.0, 0.25]])
"""What `VECTOR` does not hold: beyond its upper end, beyond its lower end, inside."""


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_what_is_shown_beyond_the_range_is_led_no_further_out(norm):
    ball = Budget(norm=norm, eps=0.5, space="raw").ball(VECTOR)
    assert ball.measure(BEYOND, BEYOND).legal.tolist() == [True]
    outwards, inwards = (ball.settle(BEYOND + way * torch.tensor([[1.0, -1.0, 1.0]]), BEYOND) for way in (1, -1))
    assert outwards[0, :2].tolist() == [3.0, -5.0]
    assert 0.25 < outwards[0, 2] <= 0.5
    assert inwards[0, 0] < 3.0
    assert inwards[0, 1] > -5.0
    assert ball.measure(inwards, BEYOND).legal.tolist() == [True]
    further = BEYOND + torch.tensor([[1e-3, 0.0, 0.0]])
    assert ball.measure(further, BEYOND).legal.tolist() == [False]


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_random_points_and_steps_around_what_is_beyond_the_range_are_legal(norm):
    ball, draws = Budget(norm=norm, eps=0.5, space="raw").ball(VECTOR), Streams(1)
    draws.restart(0, np.random.SeedSequence(0))
    for _ in range(20):
        for point in (ball.random_point(BEYOND, draws), ball.settle(ball.random(BEYOND, draws), BEYOND)):
            assert ball.measure(point, BEYOND).legal.tolist() == [True]
    climbed = ball.settle(ball.ascend(BEYOND, torch.tensor([[1.0, 0.1, 0.2]]), 0.5), BEYOND)
    assert climbed[0, 0] == 3.0  # the steepest way leads out
    assert climbed[0, 1] > -5.0 or climbed[0, 2] > 0.25


def test_what_is_shown_inside_the_range_is_held_to_it():
    ball, clean = Budget(eps=0.5, space="raw").ball(VECTOR), torch.tensor([[0.9, -1.9, 0.25]])
    settled = ball.settle(clean + torch.tensor([[1.0, -1.0, 1.0]]), clean)
    assert settled.tolist() == [[1.0, -2.0, 0.5]]
    assert ball.measure(torch.tensor([[1.01, -1.9, 0.25]]), clean).legal.tolist() == [False]
