"""Natural changes of images: what they do, how they are measured, and what they are refused for."""

import math

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.budget import KINDS, Budget, Picture
from rlattack.budget.change import CHANGES
from rlattack.errors import BudgetError
from tests.kit.agents import streams

STACK = Box(0, 255, (4, 24, 30), np.uint8)
SQUARE = Box(0, 255, (2, 21, 21), np.uint8)
COLOUR = Box(0, 255, (21, 21, 3), np.uint8)


def change(eps=5.0, kind="rotation", shown=STACK, **about):
    return Budget(norm=kind, eps=eps, grid=about.pop("grid", False)).reach(shown, **about)


def images(shown=STACK, rows=3):
    return torch.randint(0, 256, (rows, *shown.shape), generator=torch.Generator().manual_seed(1)).float()


def shown(images):
    """The judge's own copy: bytes."""
    return images.to(torch.uint8)


@pytest.mark.parametrize(("angle", "turns"), [(90.0, 1), (-90.0, -1), (180.0, 2)])
def test_a_quarter_turn_is_that_of_the_array(angle, turns):
    clean = images(SQUARE)
    turned = change(180, shown=SQUARE).settle(torch.full((3,), angle), clean)
    assert torch.allclose(turned, torch.rot90(clean, turns, (-2, -1)), atol=0.02)


def test_images_in_colours_turn_as_their_channels_do():
    clean = images(COLOUR)
    turned = change(90, shown=COLOUR).settle(torch.full((3,), 90.0), clean)
    assert torch.allclose(turned, torch.rot90(clean, 1, (1, 2)), atol=0.02)


def test_images_in_colours_with_channels_first_turn_as_frames_do():
    first = Picture(0, 255, STACK.shape, np.uint8)
    turned, frames = (change(90, shown=of).settle(torch.full((3,), 90.0), images()) for of in (first, STACK))
    assert turned.equal(frames)


def test_a_slope_turned_by_an_angle_has_the_slope_of_that_angle():
    """Bilinear interpolation of a plane is exact, also where an image is wider than high; but for the edges."""
    wide = torch.arange(30.0).expand(24, 30)
    turned = change(30).settle(torch.tensor([30.0]), wide.expand(1, 4, 24, 30).contiguous())[0, 0]
    across, down = np.gradient(turned.numpy())[::-1]
    inside = np.s_[9:15, 12:18]
    assert across[inside] == pytest.approx(math.cos(math.radians(30)), abs=1e-4)
    assert down[inside] == pytest.approx(-math.sin(math.radians(30)), abs=1e-4)


def test_beyond_an_edge_its_pixels_go_on():
    turned = change(20).settle(torch.full((3,), 20.0), torch.full((3, *STACK.shape), 77.0))
    assert torch.allclose(turned, torch.tensor(77.0), atol=1e-4)


@pytest.mark.parametrize("kind", CHANGES)
def test_every_change_is_measured_by_its_severity_and_kept_to_it(kind):
    reach, clean = change(kind=kind), images()
    received = reach.settle(torch.tensor([2.0, -5.0, 60.0]), clean)
    found = reach.measure(received, shown(clean))
    assert found.values.tolist() == [[2.0], [5.0], [5.0]]
    assert found.legal.all()
    assert found.changed.all()
    assert reach.names == (kind,)
    assert kind in KINDS


@pytest.mark.parametrize("kind", CHANGES)
def test_every_change_of_a_row_depends_on_that_row_alone_and_writes_to_nothing(kind):
    reach, clean, severities = change(kind=kind), images(), torch.tensor([1.0, -4.0, 3.0])
    kept = clean.clone(), severities.clone()
    whole = reach.settle(severities, clean)
    alone = [reach.settle(severities[row : row + 1], clean[row : row + 1])[0] for row in range(3)]
    assert torch.equal(whole, torch.stack(alone))
    assert torch.equal(clean, kept[0])
    assert torch.equal(severities, kept[1])


@pytest.mark.parametrize("kind", CHANGES)
def test_any_other_image_than_the_change_of_the_clean_one_is_out_of_reach(kind):
    reach, clean = change(kind=kind), images()
    received = reach.settle(torch.full((3,), 3.0), clean)
    received[0, 0, 5, 5] += 0.01
    received[1] = reach.apply(clean[1:2], torch.tensor([2.9]))[0]
    found = reach.measure(received, shown(clean))
    assert found.legal.tolist() == [False, False, True]


def test_a_change_beyond_its_radius_is_out_of_reach_whoever_made_it():
    reach, clean = change(), images()
    reach.radius = 9.0
    received = reach.settle(torch.tensor([9.0, 5.0, 0.0]), clean)
    reach.radius = 5.0
    found = reach.measure(received, shown(clean))
    assert found.legal.tolist() == [False, True, True]
    assert found.changed.tolist() == [True, True, False]
    assert found.values[:, 0].tolist() == [9.0, 5.0, 0.0]


def test_who_was_left_alone_is_measured_as_such_and_a_change_that_nobody_settled_is_none():
    reach, clean = change(), images()
    received = reach.settle(torch.full((3,), 4.0), clean)
    received[1] = clean[1]
    found = reach.measure(received, shown(clean))
    assert found.values[:, 0].tolist() == [4, 0, 4]
    assert found.legal.all()
    assert found.changed.tolist() == [True, False, True]
    fresh = change().measure(received, shown(clean))
    assert (fresh.legal.tolist(), fresh.changed.tolist()) == ([False, True, False], [True, False, True])


def test_what_is_no_number_changes_nothing():
    reach, clean = change(), images()
    received = reach.settle(torch.tensor([math.nan, math.inf, -math.inf]), clean)
    assert reach.measure(received, shown(clean)).values[:, 0].tolist() == [0, 0, 0]


def test_on_the_grid_pixels_are_whole_bytes():
    reach, clean = change(grid=True), images()
    received = reach.settle(torch.tensor([2.0, -5.0, 5.0]), clean)
    assert torch.equal(received, received.round())
    assert reach.measure(received, shown(clean)).legal.all()


def test_random_severities_are_all_over_the_range_and_each_row_s_own():
    reach, clean = change(), images(rows=500)
    drawn = reach.random(clean, streams(*range(500)))
    assert (drawn.abs() <= 5).all()
    assert abs(float(drawn.mean())) < 0.5
    assert float(drawn.std()) == pytest.approx(5 / 3**0.5, rel=0.1)
    assert drawn[7] == reach.random(clean[:1], streams(7))[0]


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"eps": 181.0}, "--eps: a rotation is above 0 and at most 180 degrees, got 181$"),
        ({"eps": -1.0}, "above 0"),
        ({"shown": Box(-1, 1, (4,), np.float32)}, r"a rotation is for images, this game shows Box\(-1.0, 1.0, \(4,\)"),
        ({"shown": Discrete(3)}, "a rotation is for images, this game shows Discrete"),
        ({"shown": Box(0, 255, (5, 5, 5), np.uint8)}, "for images"),
        ({"newest": True}, "--model frame: a rotation changes all stacked frames alike; use --model stack"),
        ({"shown": Box(0, 1, (4, 8, 8), np.float32), "grid": True}, "--grid is for byte observations"),
    ],
)
def test_what_makes_no_sense_is_refused(about, message):
    with pytest.raises(BudgetError, match=message):
        change(**about)


def test_an_attack_that_gives_pixels_for_a_severity_is_told_so():
    with pytest.raises(ValueError, match=r"expected one severity of a rotation a row, got shape \(3, 4, 24, 30\)"):
        change().settle(images(), images())
