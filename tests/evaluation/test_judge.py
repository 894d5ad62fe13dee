"""What the judge finds of steps whose answers are known by hand."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from rlattack.evaluation.judge import Judge
from rlattack.evaluation.observer import Moment
from rlattack.policies.distributions import Categorical, Normal
from rlattack.policies.policy import Output
from tests.kit.agents import random_linear_policy

SPACE = Box(0, 255, (4, 6, 6), np.uint8)
EVERY = np.ones(2, dtype=bool)


def judge_of(model="stack", seat=0):
    attack = make_attack("noise", Budget(eps=0.01))
    return Judge(seat, [Attacker(attack, random_linear_policy(SPACE.shape), SPACE, 2, model=model)])


@pytest.fixture
def judge():
    return judge_of()


def grey(value=100):
    """What the game shows: bytes, as Atari does."""
    return np.full((2, 4, 6, 6), value, dtype=np.uint8)


def choices(*chosen):
    return Output(Categorical(torch.nn.functional.one_hot(torch.tensor(chosen), 3).float()))


def see(judge, shown, received, changed=(False, False), acting=EVERY, seat=0, out=None, clean=None):
    out = choices(*(int(one) for one in changed)) if out is None else out
    chosen = out.actions.greedy
    judge.see(
        Moment(
            seat=seat, acting=acting, episode=np.where(acting, 0, -1), shown=shown, received=received, before=None,
            out=out, chosen=chosen, action=chosen, legal=None, ask=lambda: choices(0, 0) if clean is None else clean,
        )
    )  # fmt: skip


def test_judge_counts_attacked_and_changed_steps_of_each_slot(judge):
    received = torch.from_numpy(grey()).float()
    received[0, 0, 0, 0] += 1
    see(judge, grey(), received, changed=(True, False))
    see(judge, grey(), torch.from_numpy(grey()).float())
    first, second = judge.judgement(0), judge.judgement(1)
    assert (first.steps, first.attacked, first.changed) == (2, 1, 1.0)
    assert (second.steps, second.attacked, second.changed) == (2, 0, 0.0)


def test_judge_measures_all_norms_in_units_of_the_space(judge):
    received = torch.from_numpy(grey()).float()
    received[0, 3, :2, 0] += 2.55
    see(judge, grey(), received)
    found = judge.judgement(0).sizes
    assert found == pytest.approx({"linf": 0.01, "l2": 0.01 * 2**0.5, "l1": 0.02, "l0": 2.0}, rel=1e-5)


def test_judge_keeps_the_largest_size_of_an_episode(judge):
    for delta in (1.0, 2.0, 0.5):
        see(judge, grey(), torch.from_numpy(grey()).float() + delta)
    assert judge.judgement(0).sizes["linf"] == pytest.approx(2 / 255)


@pytest.mark.parametrize("delta", [2.56, -2.56, 100.0])
def test_judge_catches_an_attack_that_leaves_its_budget(judge, delta):
    received = torch.from_numpy(grey()).float()
    received[1, 2, 3, 4] += delta
    see(judge, grey(), received)
    assert [judge.judgement(slot).broken for slot in (0, 1)] == [0, 1]


def test_judge_catches_values_outside_the_observation_space(judge):
    received = torch.full((2, 4, 6, 6), 255.0)
    received[0, 0, 0, 0] = 255.5
    see(judge, grey(255), received)
    assert [judge.judgement(slot).broken for slot in (0, 1)] == [1, 0]


def test_judge_ignores_who_does_not_act_and_forgets_a_collected_episode(judge):
    see(judge, grey(), torch.full((2, 4, 6, 6), 150.0), changed=(True, True), acting=np.asarray([True, False]))
    assert judge.judgement(1).broken == 0
    assert judge.judgement(0).broken == 1
    assert judge.judgement(0) == judge.judgement(1)


def test_judge_of_one_seat_does_not_look_at_another():
    judge = judge_of(seat=1)
    see(judge, grey(), torch.full((2, 4, 6, 6), 150.0))
    assert judge.judgement(0).steps == 0


def test_the_change_of_a_continuous_action_is_its_share_of_the_range(judge):
    low, high, deviation = torch.tensor([-1.0, -1.0]), torch.tensor([1.0, 3.0]), torch.ones(2)
    before, after = (
        Output(Normal(torch.tensor(means), low, high, deviation))
        for means in ([[0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [9.0, 0.0]])
    )
    see(judge, grey(), torch.from_numpy(grey()).float(), out=after, clean=before)
    # half of the one range and a quarter of the other; and no further than the end of the range
    assert [judge.judgement(slot).changed for slot in (0, 1)] == [pytest.approx(0.375), pytest.approx(0.25)]


def fresh_stack():
    """Zeros before the first frame."""
    shown = grey()
    shown[:, :-1] = 0
    return shown


def test_judge_catches_a_frame_that_is_perturbed_twice():
    judge, received = judge_of("frame"), torch.from_numpy(fresh_stack()).float()
    received[:, -1] += 1
    see(judge, fresh_stack(), received)
    shifted = np.concatenate([fresh_stack()[:, 1:], grey(50)[:, -1:]], axis=1)
    later = torch.cat([received[:, 1:], torch.full((2, 1, 6, 6), 50.0)], dim=1)
    later[1, 2] += 0.5  # slot 1 changes the older frame once more
    see(judge, shifted, later)
    assert [judge.judgement(slot).broken for slot in (0, 1)] == [0, 1]


@pytest.mark.parametrize("fill", [100, 0])
def test_judge_catches_older_frames_that_are_perturbed_at_the_start(fill):
    judge, shown = judge_of("frame"), grey()
    shown[:, :-1] = fill
    received = torch.from_numpy(shown).float()
    received[:, -1] += 1
    if fill == 100:  # copies of the frame that the camera saw
        received[:, :-1] += 1
    received[1, 0, 0, 0] += 0.5
    see(judge, shown, received)
    assert [judge.judgement(slot).broken for slot in (0, 1)] == [0, 1]


def test_a_step_that_shows_an_older_perturbed_frame_is_attacked():
    judge = judge_of("frame")
    received = torch.from_numpy(fresh_stack()).float()
    received[0, -1] += 1
    see(judge, fresh_stack(), received)
    shifted = np.concatenate([fresh_stack()[:, 1:], grey(103)[:, -1:]], axis=1)
    later = torch.cat([received[:, 1:], torch.full((2, 1, 6, 6), 103.0)], dim=1)
    see(judge, shifted, later)
    assert [judge.judgement(slot).attacked for slot in (0, 1)] == [2, 0]
