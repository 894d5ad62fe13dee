"""What a ball measures of what was received: sizes in all norms, and whether it was allowed."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.budget import NORMS, Budget, Reach
from rlattack.draws import Streams

PIXELS = Box(0, 255, (4, 6, 6), np.uint8)
ACTIONS = Box(np.float32([-1, -2, 0]), np.float32([1, 2, 0.5]))


def clean_of(value=100.0, rows=2):
    return torch.full((rows, 4, 6, 6), value)


@pytest.mark.parametrize("norm", NORMS)
def test_all_norms_are_measured_in_units_of_the_space(norm):
    ball = Budget(norm=norm, eps=3 if norm == "l0" else 0.1).ball(PIXELS)
    clean = clean_of()
    received = clean.clone()
    received[0, 3, :2, 0] += 2.55
    found = ball.measure(received, clean)
    assert ball.names == NORMS
    assert found.values[0].tolist() == pytest.approx([0.01, 0.01 * 2**0.5, 0.02, 2.0], rel=1e-5)
    assert found.values[1].tolist() == [0.0] * 4
    assert found.changed.tolist() == [True, False]
    assert found.legal.all()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.int64])
def test_bytes_and_floats_of_a_game_are_compared_alike(dtype):
    ball = Budget(norm="l2", eps=0.01).ball(PIXELS)
    shown = torch.randint(0, 256, (3, 4, 6, 6), generator=torch.Generator().manual_seed(0))
    received = ball.settle(shown.float() + 1.7, shown.float())
    found, expected = ball.measure(received, shown.to(dtype)), ball.measure(received, shown.float())
    assert np.array_equal(found.values, expected.values)
    assert np.array_equal(found.legal, expected.legal)
    assert not ball.measure(shown.to(dtype), shown).changed.any()


def test_what_float32_cannot_tell_apart_is_no_change():
    ball = Budget(eps=0.1, space="raw").ball(Box(-1, 1, (3,), np.float64))
    shown = torch.full((1, 3), 1 / 3, dtype=torch.float64)
    assert not ball.measure(shown.float(), shown).changed.any()


@pytest.mark.parametrize(
    ("norm", "eps", "far"), [("linf", 0.01, 2.56), ("l2", 0.001, 10), ("l1", 0.001, 40), ("l0", 1, 1)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_what_leaves_the_budget_is_not_legal(norm, eps, far, sign):
    clean = clean_of()
    received = clean.clone()
    received[1, 3, 3, 3:5] += sign * far
    assert Budget(norm=norm, eps=eps).ball(PIXELS).measure(received, clean).legal.tolist() == [True, False]


def test_what_leaves_the_space_is_not_legal():
    clean = clean_of(255.0)
    received = clean.clone()
    received[0, 0, 0, 0] = 255.5
    assert Budget(eps=0.01).ball(PIXELS).measure(received, clean).legal.tolist() == [False, True]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_not_legal(value):
    clean = clean_of()
    received = clean.clone()
    received[0, 0, 0, 0] = value
    assert Budget(eps=0.01).ball(PIXELS).measure(received, clean).legal.tolist() == [False, True]


def test_every_entry_has_its_own_unit_in_sigma():
    deviation = torch.tensor([0.2, 1.0, 0.1])
    ball = Budget(eps=0.5, space="sigma").ball(ACTIONS, deviation=deviation)
    clean = torch.tensor([[0.0, 0.0, 0.25]])
    found = ball.measure(clean + 0.5 * deviation, clean)
    assert found.values[0].tolist() == pytest.approx([0.5, 0.5 * 3**0.5, 1.5, 3.0], rel=1e-6)
    assert found.legal.all()
    assert not ball.measure(clean + torch.tensor([[0.0, 0.0, 0.06]]), clean).legal.any()


@pytest.mark.parametrize("scale", [None, torch.rand(4, 6, 6, generator=torch.Generator().manual_seed(0)) + 0.5])
def test_the_newest_frame_is_measured_alone(scale):
    budget = Budget(norm="l2", eps=0.3, space="raw" if scale is None else "sigma")
    ball = budget.ball(PIXELS, newest=True, deviation=scale)
    clean = clean_of()
    received = ball.settle(clean + 1, clean)
    found = ball.newest_only().measure(received[:, -1:], clean[:, -1:])
    assert np.array_equal(found.values, ball.measure(received, clean).values)
    assert found.legal.all()
    assert found.values[0, 3] == 36


@pytest.mark.parametrize("norm", NORMS)
def test_a_ball_around_actions_is_a_reach_too(norm):
    ball: Reach = Budget(norm=norm, eps=2 if norm == "l0" else 0.25, space="raw").ball(ACTIONS)
    action = torch.tensor([[0.9, 0.0, 0.4], [-0.5, 1.0, 0.1]])
    for wanted in (ball.random(action, Streams(2)), action + 10, action - 10):
        settled = ball.settle(wanted, action)
        found = ball.measure(settled, action)
        assert found.legal.all()
        assert found.changed.all()
        assert found.values[:, NORMS.index(norm)].max() <= ball.radius * (1 + 1e-6)
        assert all(ACTIONS.contains(row) for row in settled.numpy())
    assert ball.kind == norm


@pytest.mark.parametrize("space", ["raw", "sigma"])
@pytest.mark.parametrize("norm", NORMS)
def test_long_observations_are_measured_as_short_ones(norm, space):
    """Entries that nobody changed add nothing, but how many there are."""
    generator = torch.Generator().manual_seed(0)
    clean, delta = torch.randn(2, 5, 20, generator=generator) * torch.tensor([1.0, 0.02])[:, None, None]
    delta[0], delta[1, 3], delta[2, 3] = 0, torch.nan, 99
    found = []
    for entries in (20, 600):
        more = torch.nn.functional.pad
        budget = Budget(norm=norm, eps=5 if norm == "l0" else 0.03, space=space)
        ball = budget.ball(Box(-9, 9, (entries,), np.float32), deviation=torch.full((entries,), 2.0))
        found.append(ball.measure(more(clean + delta, (0, entries - 20)), more(clean, (0, entries - 20))))
    np.testing.assert_allclose(found[0].values, found[1].values, rtol=1e-6)
    assert found[0].changed.tolist() == found[1].changed.tolist() == [False, True, True, True, True]
    assert not found[0].legal[1:3].any()
    assert not found[1].legal[1:3].any()


@pytest.mark.parametrize("entries", [20, 600])
@pytest.mark.parametrize("norm", NORMS)
def test_an_entry_that_is_not_free_is_not_legal_however_little_it_moves(norm, entries):
    budget = Budget(norm=norm, eps=2.0, space="raw", free=(2, 7))
    clean = torch.zeros(3, entries)
    received = clean.clone()
    received[0, 2], received[1, 7], received[2, 8] = 1.0, 1e-30, 1e-30
    assert budget.ball(Box(-9, 9, (entries,), np.float32)).measure(received, clean).legal.tolist() == [
        True,
        True,
        False,
    ]
