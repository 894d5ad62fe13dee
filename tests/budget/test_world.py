"""The box of worlds as a reach."""

import pytest
import torch

from rlattack.budget import World
from rlattack.draws import SharedDraws
from rlattack.errors import BudgetError


def box(radius=100.0):
    return World(radius, (0.5, -5.0), (2.0, 0.0), (1.0, 0.0))


def worlds(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_the_size_of_a_world_is_that_of_the_number_that_goes_furthest():
    sizes = box().measure(worlds((1.0, 0.0), (1.5, 0.0), (0.75, -5.0)), box().usual)
    assert sizes.values[:, 0].tolist() == [0.0, 50.0, 100.0]
    assert sizes.changed.tolist() == [False, True, True]
    assert sizes.legal.all()


def test_what_is_beyond_or_on_the_side_that_the_box_has_not_is_out_of_reach():
    assert box(50.0).measure(worlds((1.51, 0.0), (1.5, -2.5), (1.0, 0.1)), box().usual).legal.tolist() == [
        False, True, False,
    ]  # fmt: skip


def test_a_world_is_settled_to_the_nearest_of_the_reach_and_what_is_no_number_to_the_usual_one():
    half = box(50.0)
    found = half.settle(worlds((9.0, -9.0), (torch.nan, 3.0)), half.usual.expand(2, -1))
    assert found.tolist() == [[1.5, -2.5], [1.0, 0.0]]


def test_places_go_from_one_end_of_the_reach_to_the_other():
    ways = torch.tensor([[-1.0, -1.0], [0.0, 0.0], [1.0, 0.5], [-3.0, 3.0]])
    assert box(50.0).place(ways).tolist() == [[0.75, -2.5], [1.125, -1.25], [1.5, -0.625], [0.75, 0.0]]


def test_random_worlds_are_all_over_the_reach_and_in_it():
    reach = box(50.0)
    drawn = reach.random(reach.usual, SharedDraws(2000, 0))
    assert reach.measure(drawn, reach.usual).legal.all()
    assert drawn.amin(dim=0).tolist() == pytest.approx([0.75, -2.5], abs=0.02)
    assert drawn.amax(dim=0).tolist() == pytest.approx([1.5, 0.0], abs=0.02)


def test_more_than_the_whole_box_is_refused():
    with pytest.raises(BudgetError, match="per cent of the box, expected at most 100, got 120"):
        box(120.0)
