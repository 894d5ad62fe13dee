"""Filters before a policy whose answers are known by hand."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.defences import defend, make_front
from rlattack.errors import InvalidInput
from rlattack.games import Seat
from tests.kit.agents import counting_policy, scores_as_seen


def seat(*shape, low=0, high=255, dtype=np.uint8, action=None):
    return Seat("player", Box(low, high, shape, dtype), action or Discrete(2))


STACK, NUMBERS = seat(4, 5, 6), seat(2, low=-1, high=3, dtype=np.float32)


def picture(*rows):
    """One stack of frames that are all alike."""
    return torch.tensor(rows, dtype=torch.float32).expand(1, 4, -1, -1).contiguous()


@pytest.mark.parametrize(("bits", "levels"), [(1, [0.0, 0.0, 255.0, 255.0]), (2, [0.0, 85.0, 170.0, 255.0])])
def test_bits_leave_so_many_levels_of_a_range(bits, levels):
    front = make_front(f"bits:bits={bits}", STACK)
    obs = torch.tensor([10.0, 100.0, 180.0, 250.0]).view(1, 4, 1, 1).expand(1, 4, 5, 6)
    assert front.seen(obs, None)[0, :, 0, 0].tolist() == levels


def test_bits_of_numbers_are_of_the_range_of_each():
    front = make_front("bits:bits=2", NUMBERS)
    found = front.seen(torch.tensor([[-0.9, 2.9], [0.2, 1.1]]), None)
    assert torch.allclose(found, torch.tensor([[-1.0, 3.0], [1 / 3, 5 / 3]]))


@pytest.mark.parametrize(
    ("window", "row", "expected"),
    [
        (3, [0, 0, 9, 0, 0, 0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        (3, [0, 1, 2, 3, 4, 5], [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]),
        (5, [0, 0, 9, 9, 0, 0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        (2, [0, 8, 2, 2, 4, 4], [4.0, 4.0, 5.0, 2.0, 3.0, 4.0]),
    ],
)
def test_a_pixel_becomes_the_median_of_its_window(window, row, expected):
    """Rows are all alike, so that it is the median of pixels side by side, mirrored beyond the edge."""
    found = make_front(f"median:window={window}", STACK).seen(picture(*[row] * 5), None)
    assert found[0, 0].tolist() == [expected] * 5


@pytest.mark.parametrize("shape", [(4, 9, 11), (9, 11, 3)])
def test_the_medians_of_nine_are_those_that_torch_finds(shape):
    obs = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0)) * 255
    found = make_front("median", seat(*shape)).seen(obs, None)
    frames = (obs if shape[0] == 4 else obs.permute(0, 3, 1, 2)).numpy()
    wide = np.pad(frames, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(wide, (3, 3), axis=(2, 3))
    medians = torch.from_numpy(np.median(windows, axis=(4, 5)))
    assert torch.equal(found, medians if shape[0] == 4 else medians.permute(0, 2, 3, 1))


def test_the_slope_of_a_median_goes_to_the_pixel_that_is_it_and_equals_share_it():
    front = make_front("median:window=5", seat(1, 11, 11))
    for obs, expected in ((torch.full((1, 1, 11, 11), 7.0), 1.0), (torch.arange(121.0).view(1, 1, 11, 11), 1.0)):
        obs.requires_grad_(True)
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(front.seen(obs, None).sum(), obs)
        assert slope[0, 0, 5, 5].item() == pytest.approx(expected)
        assert slope.sum().item() == pytest.approx(121)


def test_blur_keeps_what_is_one_grey_and_spreads_a_spot_by_the_gaussian():
    front = make_front("blur:sigma=0.8", seat(1, 15, 15))
    assert torch.allclose(front.seen(torch.full((1, 1, 15, 15), 77.0), None), torch.tensor(77.0))
    spot = torch.zeros(1, 1, 15, 15)
    spot[0, 0, 7, 7] = 100.0
    found = front.seen(spot, None)[0, 0]
    assert float(found.sum()) == pytest.approx(100.0, rel=1e-5)
    assert float(found[7, 8] / found[7, 7]) == pytest.approx(np.exp(-0.5 / 0.8**2), rel=1e-5)
    assert float(found[6, 8] / found[7, 7]) == pytest.approx(np.exp(-1 / 0.8**2), rel=1e-5)


def test_frames_of_a_stack_are_averaged_with_those_before_them_in_it():
    obs = torch.tensor([0.0, 3.0, 6.0, 12.0]).view(1, 4, 1, 1).expand(1, 4, 5, 6)
    front = make_front("temporal:window=3", STACK)
    assert front.memory(1) is None
    assert front.seen(obs, None)[0, :, 0, 0].tolist() == [0.0, 1.5, 3.0, 7.0]


def test_numbers_are_averaged_with_those_that_were_received_before_of_the_same_episode():
    both = defend(scores_as_seen(2), ("temporal:window=3",), NUMBERS)
    state, found = both.initial_state(2), []
    for step in (1.0, 4.0, 7.0, 10.0):
        out = both(torch.tensor([[step, 0.0], [0.0, -step]]), state)
        state = out.state.where(torch.tensor([[True], [step != 4.0]]), both.initial_state(2))  # row 1 begins anew
        found.append(out.actions.scores)
    assert [one[0, 0].item() for one in found] == [1.0, 2.5, 4.0, 7.0]
    assert [one[1, 1].item() for one in found] == [-1.0, -2.5, -7.0, -8.5]
    slope, _ = both.gradient(torch.ones(2, 2), lambda out: out.actions.scores.sum(), state)
    assert torch.allclose(slope, torch.full((2, 2), 1 / 3))


def test_the_policy_behind_keeps_its_own_memory_whatever_its_shape_and_numbers():
    policy = counting_policy(3, (2,))
    policy.initial_state = lambda n: torch.zeros(n, 1, dtype=torch.float64)
    both = defend(policy, ("temporal:window=2", "temporal:window=3"), NUMBERS)
    state = both.initial_state(2)
    assert (state.shape, state.dtype) == ((2, 3 + 6 + 1), torch.float64)
    for number in range(3):
        out = both(torch.ones(2, 2), state)
        assert out.actions.greedy.tolist() == [number] * 2
        state = out.state


def test_total_variation_brings_the_sides_of_an_edge_nearer_by_the_weight_over_their_width():
    """Of a step between a and b, m and k pixels wide: a + weight/m and b - weight/k (ROF of one dimension)."""
    front = make_front("tv:weight=0.02,iterations=1000", seat(1, 6, 10))
    obs = torch.full((1, 1, 6, 10), 50.0)
    obs[..., 4:] = 200.0
    found = front.seen(obs, None)[0, 0]
    assert torch.allclose(found[:, :4], torch.tensor(50 + 0.02 * 255 / 4), atol=0.05)
    assert torch.allclose(found[:, 4:], torch.tensor(200 - 0.02 * 255 / 6), atol=0.05)


def test_total_variation_takes_noise_away_and_leaves_less_of_it_with_each_iteration():
    obs = 128 + 8 * torch.randn(1, 4, 20, 20, generator=torch.Generator().manual_seed(0))
    fronts = [make_front(f"tv:weight=0.1,iterations={count}", seat(4, 20, 20)) for count in (1, 10, 100)]
    spread = [float(front.seen(obs, None).std()) for front in fronts]
    assert spread == sorted(spread, reverse=True)
    assert spread[-1] < 1.5


@pytest.mark.parametrize(
    ("front", "shown", "message"),
    [
        ("median:window=6", STACK, "defence median: window: expected at most the picture, 5 x 6 pixels, got 6"),
        ("median:window=1", STACK, "defence median: window: expected a number at least 2"),
        (
            "median",
            NUMBERS,
            r"median: expected pictures, player sees Box\(.*; numbers have bits, detect, denoiser, smooth",
        ),
        ("tv", NUMBERS, "defence tv: expected pictures"),
        ("tv:weight=0", STACK, "defence tv: weight: expected a number above 0 and at most 1, got 0"),
        ("blur:sigma=0", STACK, "defence blur: sigma: expected a number above 0 and at most 20, got 0"),
        ("bits:bits=0", STACK, "defence bits: bits: expected a number at least 1 and at most 16, got 0"),
        ("temporal:window=5", STACK, "defence temporal: window: expected at most the stack of 4 frames, got 5"),
        ("temporal:window=1", NUMBERS, "defence temporal: window: expected a number at least 2"),
        (
            "bits",
            seat(3, low=-np.inf, high=np.inf, dtype=np.float32),
            "defence bits: expected values that each have a range, .*; temporal, denoiser and smooth need none",
        ),
        (
            "tv",
            seat(3, 9, 9, low=-np.inf, high=np.inf, dtype=np.float32),
            "defence tv: expected pixels that have a range, player sees",
        ),
    ],
)
def test_what_a_filter_cannot_do_is_refused_in_one_line(front, shown, message):
    with pytest.raises(InvalidInput, match=message) as refused:
        defend(scores_as_seen(2), (front,), shown)
    assert "\n" not in str(refused.value)
