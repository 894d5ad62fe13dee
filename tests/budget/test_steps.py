"""Steps in the ball of a budget: none climbs more in its norm, and random ones go anywhere."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

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
