"""Steps in the ball of a budget: none climbs more in its norm, and random ones go anywhere."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from scipy.optimize import linprog, minimize

from rlattack.budget import Budget
from rlattack.draws import Streams

PIXELS = Box(0, 255, (4, 5, 5), np.uint8)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
def test_a_gradient_of_zero_makes_no_nan(norm):
    ball = Budget(norm=norm, eps=1 if norm == "l0" else 0.01).ball(PIXELS)
    clean = torch.full((2, 4, 5, 5), 100.0)
    assert torch.isfinite(ball.project(ball.ascend(clean, torch.zeros_like(clean), ball.radius), clean)).all()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
def test_a_gradient_of_zero_changes_nothing(norm):
    ball = Budget(norm=norm, eps=3 if norm == "l0" else 0.01).ball(PIXELS)
    clean = torch.randint(0, 256, (2, 4, 5, 5), generator=torch.Generator().manual_seed(0)).float()
    assert torch.equal(ball.settle(ball.ascend(clean, torch.zeros_like(clean), ball.radius), clean), clean)


def test_pixels_without_gain_are_left_alone():
    ball = Budget(norm="l0", eps=3).ball(PIXELS)
    clean = torch.full((1, 4, 5, 5), 255.0)
    clean[0, -1, 0, 0] = 7
    grad = torch.ones_like(clean)  # upwards, where only one pixel can go
    moved = ball.settle(ball.ascend(clean, grad, ball.radius), clean)
    assert (moved != clean).sum() == 1
    assert moved[0, -1, 0, 0] == 255


def test_an_l1_step_passes_over_entries_at_the_end_of_their_range():
    ball = Budget(norm="l1", eps=0.01).ball(Box(0, 255, (400,), np.uint8))
    clean = torch.full((1, 400), 255.0)
    clean[0, 300:] = 100
    grad = torch.linspace(2, 1, 400)[None]  # steepest where nothing can move
    moved = ball.settle(ball.ascend(clean, grad, ball.radius), clean)
    assert torch.equal(moved[0, :300], clean[0, :300])
    assert float((moved - clean).sum()) == pytest.approx(255 * ball.radius, rel=1e-6)
    assert moved[0, 300] == 255  # the first that can move goes all the way


def test_an_l1_step_of_a_row_does_not_depend_on_its_neighbours():
    ball = Budget(norm="l1", eps=0.2).ball(Box(0, 255, (2000,), np.uint8))
    generator = torch.Generator().manual_seed(0)
    clean = torch.randint(0, 256, (2, 2000), generator=generator).float()
    grad = torch.randint(1, 4, (2, 2000), generator=generator).float()  # many equal slopes
    clean[1, :1900] = 255  # this row must look at many more entries
    other = ball.ascend(clean[[0, 0]], grad[[0, 0]], ball.radius)[0]
    assert torch.equal(ball.ascend(clean, grad, ball.radius)[0], other)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
@pytest.mark.parametrize("eps", [0.004, 0.05])
def test_no_step_of_that_length_climbs_more(norm, eps):
    """Against many random points of the ball, on a linear function."""
    ball = Budget(norm=norm, eps=2 if norm == "l0" else eps).ball(Box(0, 255, (3, 5, 5), np.uint8))
    generator = torch.Generator().manual_seed(1)
    clean = torch.randint(0, 256, (1, 3, 5, 5), generator=generator).float().expand(200, -1, -1, -1)
    grad = torch.randn(1, 3, 5, 5, generator=generator).expand(200, -1, -1, -1)
    rng = Streams(200)
    for slot in range(200):
        rng.restart(slot, np.random.SeedSequence(slot))
    best = (grad * (ball.settle(ball.ascend(clean, grad, ball.radius), clean) - clean)).flatten(1).sum(1)
    tried = (grad * (ball.settle(ball.random(clean, rng), clean) - clean)).flatten(1).sum(1)
    assert (tried <= best + 1e-3).all()
    assert (best > 0).all()


def test_random_pixels_are_anywhere_and_always_change():
    ball = Budget(norm="l0", eps=5).ball(PIXELS)
    clean = torch.zeros(400, 4, 5, 5)
    clean[:, -1, :, :2] = 255
    clean[:, -1, :, 2] = 100
    rng = Streams(400)
    for slot in range(400):
        rng.restart(slot, np.random.SeedSequence(slot))
    changed = ball.settle(ball.random(clean, rng), clean) != clean
    assert (changed.flatten(1).sum(dim=1) == 5).all()
    assert not changed[:, :-1].any()
    assert changed[:, -1].float().mean(dim=0).numpy() == pytest.approx(np.full((5, 5), 0.2), abs=0.08)
    halfway = ball.settle(ball.random(clean, rng), clean)[:, -1, :, 2]
    assert 0.4 < float((halfway[halfway != 100] == 255).float().mean()) < 0.6


def space_of(count, low=-np.inf, high=np.inf):
    return Box(low, high, (count,), np.float32)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("gain", [0.05, 0.5, 5.0])
def test_the_shortest_step_that_climbs_by_so_much_is_that_of_convex_programming(norm, gain):
    rng = np.random.default_rng(3)
    slope, point = rng.normal(size=(3, 6)).astype(np.float32), rng.uniform(-0.9, 0.9, (3, 6)).astype(np.float32)
    ball = Budget(norm=norm, eps=None, space="raw").ball(space_of(6, -1, 1))
    way = np.where(slope > 0, 1 - point, 1 + point)
    most = (np.abs(slope) * way).sum(axis=1)
    wanted = np.minimum(gain, 0.97 * most).astype(np.float32)
    step = ball.reaching(*map(torch.as_tensor, (point, slope, wanted)))
    climbed = (step.numpy() * slope).sum(axis=1)
    assert climbed == pytest.approx(wanted, rel=1e-4)
    assert (np.abs(point + step.numpy()) <= 1 + 1e-6).all()
    order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
    for row in range(3):
        least = shortest(norm, np.abs(slope[row]), way[row], wanted[row])
        assert np.linalg.norm(step[row].numpy(), order) == pytest.approx(least, rel=1e-3)


def shortest(norm, steep, way, gain):
    """Length of the shortest step in that norm, each entry at most `way`, that gains so much."""
    bounds = [(0, end) for end in way]
    if norm == "l1":
        return linprog(np.ones(len(way)), A_ub=[-steep], b_ub=[-gain], bounds=bounds).fun
    if norm == "linf":
        below = np.c_[np.eye(len(way)), -np.ones(len(way))]
        rows = np.vstack([below, np.r_[-steep, 0]])
        ends = np.r_[np.zeros(len(way)), -gain]
        return linprog(np.r_[np.zeros(len(way)), 1], A_ub=rows, b_ub=ends, bounds=[*bounds, (0, None)]).fun
    enough = {"type": "ineq", "fun": lambda x: steep @ x - gain}
    return minimize(lambda x: x @ x, way / 2, bounds=bounds, constraints=[enough], tol=1e-12).fun ** 0.5


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_where_the_range_allows_no_such_climb_the_step_goes_to_its_ends(norm):
    ball = Budget(norm=norm, eps=None, space="raw").ball(space_of(3, -1, 1))
    step = ball.reaching(torch.tensor([[0.5, 0.0, 1.0]]), torch.tensor([[1.0, -2.0, 4.0]]), torch.tensor([100.0]))
    assert step[0].tolist() == pytest.approx([0.5, -1.0, 0.0])
    flat = ball.reaching(torch.zeros(1, 3), torch.zeros(1, 3), torch.tensor([1.0]))
    assert not flat.any()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
def test_a_ray_is_as_long_as_the_size_says_and_goes_on_in_its_direction(norm):
    ball = Budget(norm=norm, eps=None, space="unit").ball(Box(0, 255, (3, 6, 6), np.uint8))
    clean = torch.full((2, 3, 6, 6), 128.0)
    ray = ball.ray(clean, torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0)))
    sizes = torch.tensor([3.0, 7.0]) if norm == "l0" else torch.tensor([0.01, 0.1])
    assert ball.size(ray(sizes) - clean).tolist() == pytest.approx(sizes.tolist(), rel=1e-5)
    nearer, further = ray(sizes) - clean, ray(2 * sizes) - clean
    assert (nearer * further >= 0).all()
    assert (further.abs() >= nearer.abs() - 1e-5).all()
    if norm in ("l1", "l0"):
        ends = nearer[0].flatten()[nearer[0].flatten() != 0].abs()
        assert (ends >= 127).sum() >= len(ends) - 1  # all but the last one are at an end
    if norm == "l0":
        assert not nearer[:, :-1].any()  # the newest frame alone


def test_a_ray_of_means_spends_the_rest_where_there_is_no_end():
    ball = Budget(norm="l1", eps=None, space="raw").ball(space_of(4))
    drawn = torch.tensor([[0.1, -3.0, 2.0, 1.0]])
    assert (ball.ray(torch.zeros(1, 4), drawn)(torch.tensor([0.5])))[0].tolist() == [0.0, -2.0, 0.0, 0.0]
