import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.budget import Budget, Patch
from rlattack.draws import SharedDraws
from rlattack.errors import BudgetError

STACK = Box(0, 255, (4, 10, 12), np.uint8)
COLOURS = Box(0, 255, (10, 12, 3), np.uint8)


def reach(side=3, space=STACK, **about):
    made = Budget(norm="patch", eps=side, **about).reach(space)
    assert isinstance(made, Patch)
    return made


def grey(space, n=2):
    return torch.full((n, *space.shape), 100.0)


@pytest.mark.parametrize("space", [STACK, COLOURS])
def test_what_is_outside_of_the_square_stays_clean(space):
    clean = grey(space)
    settled = reach(3, space).settle(clean + 50, clean)
    changed = (settled != clean).any(dim=1 if space is STACK else 3)
    assert changed[:, :3, :3].all()
    assert changed.sum() == 2 * 9


def test_the_square_begins_where_the_changes_do():
    clean = grey(STACK)
    wanted = clean.clone()
    wanted[0, 1, 4, 6], wanted[0, 3, 6, 7] = 0.0, 255.0
    wanted[1, 0, 2, 9], wanted[1, 0, 5, 9] = 0.0, 255.0  # 4 rows: the last is one too many
    settled = reach(3).settle(wanted, clean)
    assert torch.equal(settled[0], wanted[0])
    assert (settled[1] != clean[1]).sum() == 1


def test_a_settled_point_is_in_the_range_whole_and_finite():
    clean = grey(STACK)
    wanted = clean + torch.tensor([torch.nan, torch.inf, 3.3, -500.0]).view(1, 4, 1, 1)
    settled = reach(3, grid=True).settle(wanted, clean)[0, :, 0, 0]
    assert settled.tolist() == [100, 100, 103, 0]


@pytest.mark.parametrize(("side", "legal"), [(3, True), (2, False)])
def test_the_judge_measures_the_smallest_square_that_holds_all_changes(side, legal):
    clean = grey(STACK, 3)
    received = clean.clone()
    received[0, 0, 2, 3], received[0, 2, 3, 5] = 1.0, 2.0  # two rows, three columns
    received[2, 0, 0, 0] = 256.0
    found = reach(side).measure(received, clean.byte())
    assert found.values[:, 0].tolist() == [3, 0, 1]
    assert found.legal.tolist() == [legal, True, False]
    assert found.changed.tolist() == [True, False, True]


def test_the_control_covers_a_square_somewhere_with_noise():
    made, clean = reach(3), grey(STACK, 50)
    received = made.random(clean, SharedDraws(50, 0))
    found = made.measure(received, clean)
    assert found.legal.all()
    assert set(found.values[:, 0]) == {3.0}
    assert len({tuple(one.nonzero()[0].tolist()) for one in (received != clean)}) > 20


@pytest.mark.parametrize(
    ("side", "space", "about", "message"),
    [
        (0.5, STACK, {}, "--eps: the side of a patch is a whole number of pixels, 1 to 10, got 0.5"),
        (11, STACK, {}, "--eps: the side of a patch is a whole number of pixels, 1 to 10, got 11"),
        (2, Box(-1, 1, (4,), np.float32), {}, r"a patch is for pictures, this game shows numbers of shape \(4,\)$"),
        (2, STACK, {"free": (1,)}, "--free: patch changes a picture, not single entries"),
    ],
)
def test_a_patch_that_fits_nothing_is_refused(side, space, about, message):
    with pytest.raises(BudgetError, match=message):
        reach(side, space, **about)


def test_a_patch_covers_all_frames():
    with pytest.raises(BudgetError, match="--model frame: a patch covers all stacked frames alike; use --model stack"):
        Budget(norm="patch", eps=2).reach(STACK, newest=True)
