"""Natural changes: what every one keeps, how it is measured, and what it is refused for."""

import math

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.budget import CHANGES, KINDS, Budget, Picture
from rlattack.errors import BudgetError
from tests.kit.agents import streams

STACK = Box(0, 255, (4, 24, 30), np.uint8)
COLOUR = Box(0, 255, (21, 21, 3), np.uint8)
FIRST = Picture(0, 255, (3, 21, 21), np.uint8)
NUMBERS = Box(-np.inf, np.inf, (6,), np.float64)
OF_NUMBERS = ("bias", "gain")
OF_ACTIONS = ("slip", "chance")
OF_IMAGES = [kind for kind in CHANGES if kind not in (*OF_NUMBERS, *OF_ACTIONS)]
SHOWN = [
    *((kind, space) for kind in OF_IMAGES for space in (STACK, COLOUR, FIRST)),
    *((kind, NUMBERS) for kind, change in CHANGES.items() if not change.pictures and kind not in OF_ACTIONS),
]
CASES = [pytest.param(*case, id=f"{case[0]}-{'x'.join(map(str, case[1].shape))}") for case in SHOWN]
"""All changes of what is seen, of frames, colours last and first, and numbers."""


def change(eps=5.0, kind="rotation", shown=STACK, **about):
    return Budget(
        norm=kind, eps=eps, space=about.pop("space", "raw" if kind == "bias" else "unit"), grid=about.pop("grid", False)
    ).reach(shown, **about)


def images(shown=STACK, rows=3, seed=1):
    generator = torch.Generator().manual_seed(seed)
    if shown.dtype == np.uint8:
        return torch.randint(0, 256, (rows, *shown.shape), generator=generator).float()
    return torch.randn(rows, *shown.shape, generator=generator)


def shown(images):
    """The judge's own copy, as the game shows it."""
    return images.to(torch.uint8) if images.max() > 20 else images.double()


def wanting(reach, *severities, seed=3):
    """Severities of rows, with what chance decides."""
    details = torch.rand(len(severities), reach.numbers, generator=torch.Generator().manual_seed(seed))
    return reach.wanted(torch.tensor(severities), details)


def later(reach, clean, steps=3):
    """A reach of which some steps are past, that has seen them as the judge's own has; and that."""
    judge, every = reach.judged(), np.ones(len(clean), dtype=np.bool_)
    for one in (reach, judge):
        for step in range(steps):
            before = clean.flatten(1).roll(step + 1, dims=1).view_as(clean)
            one.see(before, before, every)
    return judge


@pytest.mark.parametrize(("kind", "space"), CASES)
def test_every_change_is_measured_by_its_severity_and_kept_to_it(kind, space):
    reach, clean = change(20, kind, space), images(space)
    judge = later(reach, clean)
    received = reach.settle(wanting(reach, 12.0, -20.0, 600.0), clean)
    found = judge.measure(received, shown(clean))
    sizes = [12.0, 20.0 if reach.signed else 0.0, 20.0]
    assert found.legal.all()
    assert all(size in (0.0, most) for size, most in zip(found.values[:, 0], sizes, strict=True))
    assert found.changed.tolist() == (received != clean).flatten(1).any(dim=1).tolist()
    assert found.changed.any()
    assert reach.names == (kind,)
    assert kind in KINDS


@pytest.mark.parametrize(("kind", "space"), CASES)
def test_every_change_of_a_row_depends_on_that_row_alone_and_writes_to_nothing(kind, space):
    reach, clean = change(20, kind, space), images(space)
    later(reach, clean)
    wanted = wanting(reach, 10.0, -14.0, 13.0)
    kept = clean.clone(), wanted.clone()
    whole = reach.settle(wanted, clean)
    for row in range(3):
        alone, only = change(20, kind, space), clean[row : row + 1]
        later(alone, only)
        assert torch.allclose(whole[row], alone.settle(wanted[row : row + 1], only)[0], atol=1e-4)
    assert torch.equal(clean, kept[0])
    assert torch.equal(wanted, kept[1])


@pytest.mark.parametrize(("kind", "space"), CASES)
def test_any_other_thing_than_the_change_of_the_clean_one_is_out_of_reach(kind, space):
    reach, clean = change(20, kind, space), images(space)
    judge = later(reach, clean)
    received = reach.settle(wanting(reach, 20.0, 20.0, 20.0), clean)
    received[0].view(-1)[7 % received[0].numel()] += 0.01 if space.dtype == np.uint8 else 1e-3
    received[1] = received[1].roll(1, dims=-1) + 1
    assert judge.measure(received, shown(clean)).legal.tolist() == [False, False, True]


@pytest.mark.parametrize(("kind", "space"), CASES)
def test_no_severity_is_no_change(kind, space):
    reach, clean = change(20, kind, space), images(space)
    later(reach, clean)
    assert torch.equal(reach.settle(wanting(reach, 0.0, math.nan, math.inf), clean), clean)


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


@pytest.mark.parametrize("kind", ["rotation", "jpeg", "tint", "delay"])
def test_on_the_grid_pixels_are_whole_bytes(kind):
    reach, clean = change(kind=kind, grid=True), images()
    judge = later(reach, clean)
    received = reach.settle(wanting(reach, 2.0, -5.0, 5.0), clean)
    assert torch.equal(received, received.round())
    assert judge.measure(received, shown(clean)).legal.all()


@pytest.mark.parametrize(("kind", "low"), [("rotation", -5), ("blur", 0)])
def test_random_severities_are_all_over_the_range_and_each_row_s_own(kind, low):
    reach, clean = change(kind=kind), images(rows=500)
    drawn = reach.random(clean, streams(*range(500)))
    assert low <= drawn.min() < low + 0.2
    assert 4.8 < drawn.max() <= 5
    assert float(drawn.std()) == pytest.approx((5 - low) / 12**0.5, rel=0.1)
    assert drawn[7] == reach.random(clean[:1], streams(7))[0]


def test_levels_are_all_over_the_range_whole_where_severities_are():
    assert change(4).levels(5) == [-4, -2, 0, 2, 4]
    assert change(4, "blur").levels(3) == [0, 2, 4]
    assert change(2, "delay").levels(9) == [0, 1, 2]


def test_the_newest_frame_alone_changes_where_frames_are_held():
    reach, whole, clean = change(newest=True), change(), images()
    received = reach.settle(torch.full((3,), 4.0), clean)
    assert torch.equal(received[:, :-1], clean[:, :-1])
    assert torch.equal(received[:, -1], whole.settle(torch.full((3,), 4.0), clean)[:, -1])
    found = reach.newest_only().judged().measure(received[:, -1:], shown(clean)[:, -1:])
    assert found.legal.all()


def test_entries_that_are_not_free_stay():
    reach, clean = Budget(norm="gain", eps=50, free=(1, 4)).reach(NUMBERS), images(NUMBERS)
    received = reach.settle(torch.full((3,), 50.0), clean)
    assert (received != clean).any(dim=0).nonzero()[:, 0].tolist() == [1, 4]
    assert torch.allclose(received[:, 1], 1.5 * clean[:, 1])
    received[0, 0] += 1e-3
    assert reach.measure(received, shown(clean)).legal.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"eps": 181.0}, "--eps: rotation is above 0 and at most 180 degrees, got 181$"),
        ({"eps": -1.0}, "above 0"),
        ({"shown": Box(-1, 1, (4,), np.float32)}, r"rotation is for images, this game shows numbers of shape \(4,\)$"),
        ({"shown": Discrete(3)}, "rotation is for images, this game shows Discrete"),
        ({"shown": Box(0, 255, (5, 5, 5), np.uint8)}, "for images"),
        ({"shown": Box(0, 1, (4, 8, 8), np.float32), "grid": True}, "--grid is for byte observations"),
        ({"kind": "delay", "eps": 1.5}, "--eps: delay is a whole number of steps, got 1.5"),
        ({"kind": "bias", "space": "sigma"}, "bias is for numbers, this game shows images: use brightness"),
        ({"kind": "gain"}, "gain is for numbers, this game shows images: use contrast"),
        ({"kind": "slip", "shown": NUMBERS}, "slip draws an action from a range, and not all have one here"),
    ],
)
def test_what_makes_no_sense_is_refused(about, message):
    with pytest.raises(BudgetError, match=message):
        change(**about)


def test_an_attack_that_gives_pixels_for_a_severity_is_told_so():
    with pytest.raises(
        ValueError, match=r"expected one severity of rotation a row, \(3,\), got shape \(3, 4, 24, 30\)"
    ):
        change().settle(images(), images())
