"""Natural changes that are made of the past, and those of numbers and actions, step by step."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from rlattack.budget import Budget

NUMBERS = Box(-np.inf, np.inf, (3,), np.float32)
EVERY = np.ones(2, dtype=np.bool_)


def numbered(step):
    """What is shown in a step in two slots."""
    return torch.tensor([[step, 10.0 * step, 0.5], [100 + step, 0.25, step]], dtype=torch.float32)


def played(kind, eps, steps=8, severity=None, details=None, acting=lambda step: EVERY, ended=(), **more):
    """What a seat receives step by step, each beside a judge that has a memory of its own."""
    reach = Budget(norm=kind, eps=eps, **more).reach(NUMBERS)
    judge, received = reach.judged(), []
    for step in range(steps):
        if step in ended:
            for one in (reach, judge):
                one.restart(np.asarray([0]))
        drawn = torch.full((2, reach.numbers), 0.5) if details is None else details(step)
        clean = numbered(step)
        got = reach.settle(reach.wanted(torch.full((2,), float(severity or eps)), drawn), clean)
        found = judge.measure(got, clean.double())
        assert found.legal.all()
        assert (found.values[:, 0] <= eps).all()
        reach.see(clean, got, acting(step))
        judge.see(clean, got, acting(step))
        received.append(got)
    return torch.stack(received)


def test_a_delay_shows_what_was_there_and_the_first_one_until_then():
    assert played("delay", 3)[:, 0, 0].tolist() == [0, 0, 0, 0, 1, 2, 3, 4]
    assert played("delay", 1)[:, 1, 0].tolist() == [100, 100, 101, 102, 103, 104, 105, 106]
    assert played("delay", 3, severity=1)[:, 0, 0].tolist() == [0, 0, 1, 2, 3, 4, 5, 6]


def test_a_new_episode_has_no_past_and_the_others_keep_theirs():
    found = played("delay", 2, ended=(5,))
    assert found[:, 0, 0].tolist() == [0, 0, 0, 1, 2, 5, 5, 5]
    assert found[:, 1, 0].tolist() == [100, 100, 100, 101, 102, 103, 104, 105]


def test_steps_in_which_a_seat_does_not_act_are_no_steps():
    found = played("delay", 1, acting=lambda step: np.asarray([step % 2 == 0, True]))
    assert found[::2, 0, 0].tolist() == [0, 0, 2, 4]
    assert found[:, 1, 0].tolist() == [100, 100, 101, 102, 103, 104, 105, 106]


def test_what_is_frozen_is_looked_at_now_and_then():
    assert played("frozen", 2)[:, 0, 0].tolist() == [0, 0, 0, 3, 3, 3, 6, 6]


def lost(*steps):
    """Chance by which the first slot loses these steps, and the second none."""
    return lambda step: torch.tensor([[0.0 if step in steps else 1.0], [1.0]])


def test_what_is_dropped_stays_as_it_was_received_last_and_a_blank_is_nothing():
    assert played("dropped", 30, details=lost(0, 2, 3, 6))[:, 0, 0].tolist() == [0, 1, 1, 1, 4, 5, 5, 7]
    assert played("blank", 30, details=lost(1, 2))[:, 0, 0].tolist() == [0, 0, 0, 3, 4, 5, 6, 7]
    assert played("blank", 30, details=lost(1, 2), stand_in=9)[:, 0, 0].tolist() == [0, 9, 9, 3, 4, 5, 6, 7]
    assert played("blank", 30, details=lost(1, 2))[:, 1, 0].tolist() == [100 + step for step in range(8)]


def test_entries_are_missing_by_themselves_and_have_a_stand_in():
    def gone(step):
        return torch.tensor([[0.0 if step in (1, 2) else 1.0, 0.0 if step == 2 else 1.0, 1.0], [1.0, 1.0, 1.0]])

    missing, stale = (played(kind, 10, steps=4, details=gone) for kind in ("missing", "stale"))
    assert missing[:, 0].tolist() == [[0, 0, 0.5], [0, 10, 0.5], [0, 0, 0.5], [3, 30, 0.5]]
    instead = played("missing", 10, steps=4, details=gone, stand_in=-7)
    assert instead[:, 0].tolist() == [[0, 0, 0.5], [-7, 10, 0.5], [-7, -7, 0.5], [3, 30, 0.5]]
    assert stale[:, 0].tolist() == [[0, 0, 0.5], [0, 10, 0.5], [0, 10, 0.5], [3, 30, 0.5]]


def test_the_judge_remembers_what_was_shown_and_not_what_it_is_told():
    reach = Budget(norm="delay", eps=1).reach(NUMBERS)
    judge = reach.judged()
    first, second = numbered(0), numbered(1)
    reach.see(first + 1, first + 1, EVERY)
    judge.see(first, first, EVERY)
    received = reach.settle(torch.ones(2), second)
    assert torch.equal(received, first + 1)
    assert judge.measure(received, second).legal.tolist() == [False, False]


def test_a_bias_is_counted_in_deviations_or_the_game_s_own_units():
    deviation = torch.tensor([1.0, 2.0, 0.5])
    clean = numbered(3)
    sigma = Budget(norm="bias", eps=0.5, space="sigma").reach(NUMBERS, deviation=deviation)
    assert torch.allclose(sigma.settle(torch.full((2,), 0.5), clean), clean + 0.5 * deviation)
    raw = Budget(norm="bias", eps=0.5, space="raw").reach(NUMBERS)
    assert torch.allclose(raw.settle(torch.full((2,), -0.5), clean), clean - 0.5)


@pytest.mark.parametrize(
    ("space", "chosen"),
    [
        (Discrete(5), torch.full((4000,), 2)),
        (MultiDiscrete([3, 4]), torch.tensor([[1, 3]]).repeat(4000, 1)),
        (Box(-2, 2, (2,), np.float32), torch.full((4000, 2), 0.5)),
    ],
)
def test_a_slip_does_any_action_so_often(space, chosen):
    reach = Budget(norm="slip", eps=20).reach(space)
    drawn = torch.rand(4000, reach.numbers, generator=torch.Generator().manual_seed(0))
    done = reach.settle(reach.wanted(torch.full((4000,), 20.0), drawn), chosen)
    assert done.dtype == chosen.dtype
    other = (done != chosen).reshape(4000, -1).any(dim=1)
    alike = {Discrete: 1 / 5, MultiDiscrete: 1 / 12, Box: 0}[type(space)]
    assert float(other.float().mean()) == pytest.approx(0.2 * (1 - alike), abs=0.02)
    assert all(one in space for one in done[:200].numpy())
    found = reach.measure(done, chosen)
    assert found.legal.all()
    assert found.values.max() == 20
    again = done.clone()
    again[0] += 1
    assert not reach.measure(again, chosen).legal[0]


def test_a_late_action_is_the_one_that_was_chosen_before():
    reach, chosen = Budget(norm="delay", eps=1).reach(Discrete(5)), torch.tensor([3, 1])
    reach.see(chosen, chosen, EVERY)
    assert reach.settle(torch.ones(2), torch.tensor([0, 0])).tolist() == [3, 1]
