"""Budgets: sizes per entry, projections, the byte grid, and what is refused."""

import math

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from hypothesis import given, settings
from hypothesis import strategies as st

from rlattack.budget import Budget, Picture
from rlattack.draws import Streams
from rlattack.errors import BudgetError

PIXELS = Box(0, 255, (4, 5, 5), np.uint8)
VECTOR = Box(np.float32([-1, -2, 0]), np.float32([1, 2, 0.5]))
UNBOUNDED = Box(-np.inf, np.inf, (3,), np.float32)


def size_of(norm, delta):
    delta = delta.flatten(1).double() / 255
    return {"linf": delta.abs().amax(1), "l2": delta.norm(dim=1), "l1": delta.abs().sum(1), "l0": (delta != 0).sum(1)}[
        norm
    ]


@pytest.mark.parametrize(("norm", "radius"), [("linf", 0.01), ("l2", 0.01 * 10), ("l1", 0.01 * 100), ("l0", 3)])
def test_eps_is_the_size_per_entry_in_every_norm(norm, radius):
    assert Budget(norm=norm, eps=3 if norm == "l0" else 0.01).ball(PIXELS).radius == pytest.approx(radius)


def test_only_the_newest_frame_counts_where_only_it_may_change():
    assert Budget(norm="l2", eps=0.01).ball(PIXELS, newest=True).radius == pytest.approx(0.01 * 5)
    assert Budget(norm="l0", eps=1).ball(PIXELS).entries == 25


@given(
    norm=st.sampled_from(["linf", "l2", "l1", "l0"]), size=st.floats(1e-4, 0.5), grid=st.booleans(),
    reach=st.floats(0, 400), seed=st.integers(0, 2**16), newest=st.booleans(),
)  # fmt: skip
@settings(max_examples=120, deadline=None)
def test_what_is_settled_is_in_the_ball_and_in_the_space(norm, size, grid, reach, seed, newest):
    eps = max(1, round(size * 20)) if norm == "l0" else max(size, 1 / 255) if grid else size
    ball = Budget(norm=norm, eps=eps, grid=grid).ball(PIXELS, newest=newest)
    generator = torch.Generator().manual_seed(seed)
    clean = torch.randint(0, 256, (3, 4, 5, 5), generator=generator).float()
    point = clean + reach * torch.randn(clean.shape, generator=generator)
    settled = ball.settle(point, clean)
    assert (size_of(norm, settled - clean) <= ball.radius * (1 + 1e-6) + 1e-6).all()
    assert settled.min() >= 0
    assert settled.max() <= 255
    if grid:
        assert torch.equal(settled, settled.round())
    if newest or norm == "l0":
        assert torch.equal(settled[:, :-1], clean[:, :-1])
    assert torch.allclose(ball.settle(settled, clean), settled, atol=1e-3)


@given(st.lists(st.floats(-2, 2), min_size=3, max_size=12), st.floats(0.05, 3))
@settings(max_examples=60, deadline=None)
def test_the_l1_projection_is_the_nearest_point_of_the_ball(values, radius):
    space = Box(-1e6, 1e6, (len(values),), np.float32)
    ball = Budget(norm="l1", eps=radius / len(values), space="raw").ball(space)
    point = torch.tensor([values], dtype=torch.float32)
    projected = ball.project(point, torch.zeros_like(point))[0].double().numpy()
    low, high = 0.0, 4.0  # the threshold of soft shrinkage, by bisection
    target = np.abs(values)
    if target.sum() > radius:
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if np.maximum(target - middle, 0).sum() > radius else (low, middle)
    expected = np.sign(values) * np.maximum(target - (high if target.sum() > radius else 0), 0)
    assert projected == pytest.approx(expected, abs=1e-5)


def test_the_grid_rounds_towards_the_clean_value():
    ball = Budget(eps=2.9 / 255, grid=True).ball(PIXELS)
    clean = torch.full((1, 4, 5, 5), 100.0)
    assert (ball.settle(clean + 2.9, clean) == 102).all()
    assert (ball.settle(clean - 2.9, clean) == 98).all()


def test_one_grey_level_is_held_by_the_grid():
    ball = Budget(eps=1 / 255, grid=True).ball(PIXELS)
    clean = torch.full((1, 4, 5, 5), 100.0)
    assert (ball.settle(clean + 1, clean) == 101).all()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_random_points_fill_the_ball(norm):
    ball = Budget(norm=norm, eps=0.01).ball(PIXELS)
    clean = torch.full((64, 4, 5, 5), 128.0)
    sizes = size_of(norm, ball.random_point(clean, Streams(64)) - clean) / ball.radius
    assert (sizes <= 1 + 1e-6).all()
    assert sizes.max() > 0.9  # in 100 dimensions nearly all of a ball is near its surface


def test_every_entry_has_its_own_unit_in_sigma():
    ball = Budget(eps=0.5, space="sigma").ball(VECTOR, deviation=torch.tensor([0.2, 1.0, 0.1]))
    clean = torch.tensor([[0.0, 0.0, 0.25]])
    assert ball.project(clean + 10, clean)[0].tolist() == pytest.approx([0.1, 0.5, 0.3])


def test_the_ends_of_each_entry_are_its_own():
    ball = Budget(eps=0.5, space="raw").ball(VECTOR)
    clean = torch.tensor([[0.9, 0.0, 0.4]])
    assert ball.project(clean + 10, clean)[0].tolist() == pytest.approx([1.0, 0.5, 0.5])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"eps": 0.1, "norm": "l3"}, "expected one of linf, l2, l1, l0, got 'l3'"),
        ({"eps": 0.1, "space": "pixels"}, "expected one of unit, raw, sigma"),
        ({"eps": 0.0}, "above 0, got 0"),
        ({"eps": -1.0}, "above 0, got -1"),
        ({"eps": math.nan}, "above 0, got nan"),
        ({"eps": math.inf}, "above 0, got inf"),
        ({"eps": 1.5, "norm": "l0"}, "whole number of pixels, got 1.5"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(values, message):
    with pytest.raises(BudgetError, match=message):
        Budget(**values)


@pytest.mark.parametrize(
    ("values", "space", "message"),
    [
        ({"eps": 0.1}, VECTOR, "use --space raw"),
        ({"eps": 0.1}, Discrete(3), "expected observations in a Box"),
        ({"eps": 1.1}, PIXELS, "range.*1 in --space unit"),
        ({"eps": 26, "norm": "l0"}, PIXELS, "26 pixels asked for"),
        ({"eps": 1, "norm": "l0", "space": "raw"}, UNBOUNDED, "which not all have here; use pgd --norm linf"),
        ({"eps": 0.001, "grid": True}, PIXELS, "below one grey level"),
        ({"eps": 0.1, "space": "raw", "grid": True}, VECTOR, "byte observations"),
        ({"eps": 0.1, "space": "sigma"}, VECTOR, "ships observation statistics"),
    ],
)
def test_a_budget_that_does_not_fit_the_game_is_refused(values, space, message):
    with pytest.raises(BudgetError, match=message):
        Budget(**values).ball(space)


def test_one_colour_image_is_not_a_stack_of_frames():
    for space in (Box(0, 255, (36, 36, 3), np.uint8), Picture(0, 255, (3, 36, 36), np.uint8)):
        assert Budget(norm="l0", eps=1).ball(space).entries == 36 * 36 * 3
    assert Budget(norm="l0", eps=1).ball(Box(0, 255, (3, 36, 36), np.uint8)).entries == 36 * 36


def test_a_wrong_word_names_the_closest_one():
    with pytest.raises(BudgetError, match="got 'l_inf'; did you mean 'linf'"):
        Budget(norm="l_inf", eps=0.1)
    with pytest.raises(BudgetError, match="got 'units'; did you mean 'unit'"):
        Budget(eps=0.1, space="units")


@pytest.mark.parametrize(
    "deviation", [torch.ones(2), torch.tensor([1.0, 0.0, 1.0]), torch.tensor([1.0, math.inf, 1.0])]
)
def test_deviations_that_make_no_unit_are_refused(deviation):
    with pytest.raises(BudgetError, match=r"a deviation above 0 for each entry of \(3,\)"):
        Budget(eps=0.1, space="sigma").ball(VECTOR, deviation=deviation)


def test_only_entries_that_may_change_need_statistics():
    deviation = torch.tensor([1.0, math.nan, 2.0])
    assert Budget(eps=0.1, space="sigma", free=(0, 2)).ball(VECTOR, deviation=deviation).scale.tolist() == [[1, 1, 2]]
    with pytest.raises(BudgetError, match=r"no statistics of entries 1: leave them out by --keys or --free, or use"):
        Budget(eps=0.1, space="sigma").ball(VECTOR, deviation=deviation)


def test_pixels_of_floats_are_not_on_the_byte_grid():
    with pytest.raises(BudgetError, match="byte observations"):
        Budget(norm="l0", eps=1, space="raw", grid=True).ball(VECTOR)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_whole_range_is_the_largest_budget(norm):
    ball = Budget(norm=norm, eps=1.0).ball(PIXELS)
    clean = torch.zeros(1, 4, 5, 5)
    assert (ball.settle(ball.ascend(clean, torch.ones_like(clean), ball.radius), clean) == 255).all()
    with pytest.raises(BudgetError, match="more than the whole range"):
        Budget(norm=norm, eps=1.001).ball(PIXELS)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_huge_budgets_of_entries_without_ends_give_finite_points(norm):
    ball = Budget(norm=norm, eps=1e30, space="raw").ball(UNBOUNDED)
    clean = torch.tensor([[1.0, -2.0, 0.0]])
    for grad in (torch.zeros(1, 3), torch.tensor([[1e-40, 0.0, -1e-30]]), torch.tensor([[1e30, 0.0, -1e20]])):
        moved = ball.settle(ball.ascend(clean, grad, ball.radius), clean)
        assert moved.isfinite().all()
        assert moved[0, 1] == clean[0, 1]
    assert ball.random_point(clean, Streams(1)).isfinite().all()
    with pytest.raises(BudgetError, match="more than the whole range"):
        Budget(norm=norm, eps=1e31, space="raw").ball(UNBOUNDED)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_stays_clean_and_the_rest_is_settled_without_it(norm, value):
    ball = Budget(norm=norm, eps=1 if norm == "l0" else 0.1).ball(PIXELS)
    clean = torch.full((2, 4, 5, 5), 100.0)
    wanted = clean + 50
    wanted[0, -1, 2] = value
    honest = torch.where(wanted.isfinite(), wanted, clean)
    assert torch.equal(ball.settle(wanted, clean), ball.settle(honest, clean))
    assert (ball.settle(wanted, clean)[0] != clean[0]).any()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_what_float32_cannot_hold_in_small_units_leaves_finite_points(norm):
    ball = Budget(norm=norm, eps=1.0, space="sigma").ball(UNBOUNDED, deviation=torch.tensor([1e-3, 1.0, 1.0]))
    assert ball.settle(torch.tensor([[3e38, 1.0, 0.0]]), torch.zeros(1, 3)).isfinite().all()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("reach", [1e-3, 1.0, 1e30])
def test_a_tiny_budget_holds_however_far_the_point_is(norm, reach):
    ball = Budget(norm=norm, eps=1e-3, space="raw").ball(UNBOUNDED)
    clean = torch.zeros(1, 3)
    settled = ball.settle(torch.tensor([[reach, -reach / 3, reach / 7]]), clean)[0].double()
    size = {"linf": settled.abs().max(), "l2": settled.norm(), "l1": settled.abs().sum()}[norm]
    assert float(size) <= ball.radius * (1 + 1e-6) + 1e-6
    assert size > 0 or reach == 1e30  # of which float32 cannot subtract what is too much


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("level", [0.0, 3.0, 200.0, 12345.678, -1e6])
@pytest.mark.parametrize("shape", [(84,), (4, 84, 84)])
def test_float_rounding_does_not_leave_the_ball(norm, level, shape):
    """Equal entries that all round the same way: what float32 adds up worst."""
    ball = Budget(norm=norm, eps=0.2551, space="raw").ball(Box(-1e7, 1e7, shape, np.float32))
    clean = torch.full((1, *shape), level)
    delta = (ball.settle(ball.ascend(clean, torch.ones_like(clean), ball.radius), clean).double() - clean).flatten()
    size = {"linf": delta.abs().max(), "l2": delta.norm(), "l1": delta.abs().sum()}[norm]
    assert float(size) <= ball.radius * (1 + 1e-6) + 1e-6
    if level == 0 and norm != "l1":
        assert float(size) >= ball.radius * (1 - 1e-5)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_random_points_are_spread_evenly(norm):
    """The share of points in the inner half of the ball is 2^-entries."""
    ball = Budget(norm=norm, eps=0.1, space="raw").ball(Box(-1, 1, (2,), np.float32))
    rng = Streams(4000)
    for slot in range(4000):
        rng.restart(slot, np.random.SeedSequence(slot))
    points = ball.random_point(torch.zeros(4000, 2), rng).double()
    size = {"linf": points.abs().amax(1), "l2": points.norm(dim=1), "l1": points.abs().sum(1)}[norm]
    assert float((size < ball.radius / 2).float().mean()) == pytest.approx(0.25, abs=0.03)
    for sign in (points > 0).unbind(1):
        assert float(sign.float().mean()) == pytest.approx(0.5, abs=0.03)


def test_a_size_below_what_float32_can_add_is_refused():
    assert Budget(eps=1e-7).ball(PIXELS)
    with pytest.raises(BudgetError, match="less than float32 can add to a bright pixel"):
        Budget(eps=1e-8).ball(PIXELS)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("newest", [False, True])
def test_projecting_many_points_around_one_is_projecting_each(norm, newest):
    ball = Budget(norm=norm, eps=0.02).ball(PIXELS, newest=newest)
    generator = torch.Generator().manual_seed(0)
    clean = torch.randint(0, 256, (3, 4, 5, 5), generator=generator).float()
    project = ball.around(clean)
    for _ in range(3):
        point = clean + 20 * torch.randn(3, 4, 5, 5, generator=generator)
        torch.testing.assert_close(project(point.clone()), ball.project(point, clean), rtol=0, atol=3e-5)


@pytest.mark.parametrize(("space", "eps"), [(VECTOR, 1e-60), (UNBOUNDED, 1e-46)])
def test_a_size_that_is_nothing_in_float32_is_refused(space, eps):
    with pytest.raises(BudgetError, match=f"--eps: {eps:g} is 0 in float32"):
        Budget(eps=eps, space="raw").ball(space)
