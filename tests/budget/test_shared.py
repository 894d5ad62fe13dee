"""A budget that a window of steps shares, as a reach."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.budget import Budget, Shared
from rlattack.errors import BudgetError

ACTION = Box(-1, 1, (2,), np.float32)
BOTH = np.ones(2, dtype=np.bool_)


def play(reach, wanted, acting=BOTH):
    """Settles and sees one step of two slots from the middle of the range; how far each went."""
    clean = torch.zeros(2, 2)
    done = reach.settle(torch.tensor(wanted), clean)
    reach.see(clean, done, acting)
    return done.abs().amax(dim=1).tolist()


def test_a_step_may_take_what_the_others_of_its_window_leave_and_a_new_window_has_all():
    reach = Shared(0.25, ACTION, horizon=3)
    assert play(reach, [[0.5, 0.1], [9.0, 0.0]]) == pytest.approx([0.5, 0.75])
    assert play(reach, [[0.5, 0.1], [9.0, 0.0]]) == pytest.approx([0.25, 0.0])
    assert reach.left(2).tolist() == pytest.approx([0.0, 0.0])
    assert reach.steps_left(2).tolist() == [1, 1]
    assert play(reach, [[0.5, 0.1], [0.1, 0.0]]) == pytest.approx([0.0, 0.0])
    assert reach.left(2).tolist() == pytest.approx([0.75, 0.75])


def test_steps_in_which_a_slot_does_not_act_are_none_of_its_window_and_an_episode_begins_one():
    reach = Shared(0.25, ACTION, horizon=2)
    play(reach, [[0.5, 0.0], [0.0, 0.0]], np.asarray([True, False]))
    assert reach.steps_left(2).tolist() == [1, 2]
    reach.restart(np.asarray([0]))
    assert (reach.steps_left(2).tolist(), reach.left(2).tolist()) == ([2, 2], [0.5, 0.5])


def test_the_judge_counts_by_itself_what_a_window_has_spent():
    reach, clean = Shared(0.25, ACTION, horizon=2), torch.zeros(2, 2)
    judge = reach.judged()
    first = judge.measure(torch.tensor([[0.4, 0.0], [0.6, 0.0]]), clean)
    assert first.values.tolist() == [pytest.approx([0.2, 0.4]), pytest.approx([0.3, 0.6])]
    assert first.legal.tolist() == [True, False]
    judge.see(clean, torch.tensor([[0.4, 0.0], [0.0, 0.0]]), BOTH)
    assert judge.measure(torch.tensor([[0.2, 0.0], [0.2, 0.0]]), clean).legal.tolist() == [False, True]
    assert reach.left(2).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("space", [Discrete(3), Box(-np.inf, np.inf, (2,), np.float32)])
def test_actions_without_a_range_are_refused(space):
    with pytest.raises(BudgetError, match="a shared budget is of actions in a Box with bounds"):
        Budget(norm="shared", eps=0.1).reach(space)
