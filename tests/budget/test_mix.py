"""A share of another action, as a reach."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.budget import Budget, Mix
from rlattack.draws import SharedDraws
from rlattack.errors import BudgetError

ACTION = Box(-1, 3, (2,), np.float32)


def test_a_share_is_told_by_the_entry_that_goes_furthest():
    sizes = Mix(50.0, ACTION).measure(torch.tensor([[0.0, 0.0], [1.5, 0.0], [0.0, -0.25]]), torch.zeros(3, 2))
    assert sizes.values[:, 0].tolist() == pytest.approx([0.0, 50.0, 25.0])
    assert sizes.legal.all()
    assert sizes.changed.tolist() == [False, True, True]


def test_what_takes_more_than_the_share_or_leaves_the_range_is_out_of_reach():
    clean, done = torch.tensor([[0.0, 0.0], [3.0, 3.0]]), torch.tensor([[1.51, 0.0], [3.1, 3.0]])
    assert Mix(50.0, ACTION).measure(done, clean).legal.tolist() == [False, False]


def test_what_is_wanted_is_settled_to_the_nearest_of_the_reach_and_noise_goes_to_its_ends():
    reach, clean = Mix(10.0, ACTION), torch.tensor([[0.0, 2.0]])
    assert reach.settle(torch.tensor([[9.0, -9.0]]), clean).tolist() == [pytest.approx([0.3, 1.7])]
    assert reach.settle(torch.tensor([[torch.nan, 2.0]]), clean).tolist() == [[0.0, 2.0]]
    drawn = reach.random(clean.expand(64, -1), SharedDraws(64, 0))
    assert drawn[:, 0].unique().tolist() == pytest.approx([-0.1, 0.3])
    assert reach.measure(drawn, clean.expand(64, -1)).legal.all()


@pytest.mark.parametrize("share", [1.0, 10.0, 100.0])
def test_rounding_next_to_the_ends_is_no_breach(share):
    reach, rng = Mix(share, ACTION), torch.Generator().manual_seed(0)
    clean = torch.cat([torch.rand(500, 2, generator=rng) * 4 - 1, torch.full((1, 2), 3.0), torch.full((1, 2), -1.0)])
    done = reach.settle(torch.rand(502, 2, generator=rng) * 4 - 1, clean)
    assert reach.measure(done, clean).legal.all()


@pytest.mark.parametrize("space", [Discrete(3), Box(-np.inf, np.inf, (2,), np.float32)])
def test_actions_without_a_range_are_refused(space):
    with pytest.raises(BudgetError, match="mix is of actions in a Box with bounds"):
        Budget(norm="mix", eps=10.0).reach(space)


def test_more_than_all_of_an_action_is_refused():
    with pytest.raises(BudgetError, match="per cent of each action, expected at most 100, got 110"):
        Mix(110.0, ACTION)
