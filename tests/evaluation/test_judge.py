import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.budget import Budget
from rlattack.evaluation.judge import Judge

SPACE = Box(0, 255, (4, 6, 6), np.uint8)
EVERY = np.ones(2, dtype=bool)


@pytest.fixture
def judge():
    return Judge(Budget(eps=0.01).ball(SPACE), 2)


def see(judge, clean, received, changed=(False, False), active=EVERY):
    judge.see(clean, received, torch.tensor([0, 0]), torch.tensor(changed).long(), active)


def test_judge_counts_attacked_and_changed_steps_of_each_slot(judge):
    clean = torch.full((2, 4, 6, 6), 100.0)
    received = clean.clone()
    received[0, 0, 0, 0] += 1
    see(judge, clean, received, changed=(True, False))
    see(judge, clean, clean)
    assert (judge.collect(0).attacked, judge.collect(1).attacked) == (1, 0)


def test_judge_measures_all_norms_in_units_of_the_space(judge):
    clean = torch.full((2, 4, 6, 6), 100.0)
    received = clean.clone()
    received[0, 3, :2, 0] += 2.55
    see(judge, clean, received)
    assert judge.collect(0).size == pytest.approx((0.01, 0.01 * 2**0.5, 0.02, 2.0), rel=1e-5)


@pytest.mark.parametrize("delta", [2.56, -2.56, 100.0])
def test_judge_catches_an_attack_that_leaves_its_budget(judge, delta):
    clean = torch.full((2, 4, 6, 6), 100.0)
    received = clean.clone()
    received[1, 2, 3, 4] += delta
    see(judge, clean, received)
    assert judge.collect(0).broken == 0
    assert judge.collect(1).broken == 1


def test_judge_catches_values_outside_the_observation_space(judge):
    clean = torch.full((2, 4, 6, 6), 255.0)
    received = clean.clone()
    received[0, 0, 0, 0] = 255.5
    see(judge, clean, received)
    assert judge.collect(0).broken == 1


def test_judge_catches_a_frame_that_is_perturbed_twice():
    judge = Judge(Budget(eps=0.01).ball(SPACE, newest=True), 2, held=True)
    first = torch.full((2, 4, 6, 6), 100.0)
    received = first.clone()
    received[:, 3] += 1
    see(judge, first, received)
    second = torch.cat([first[:, 1:], torch.full((2, 1, 6, 6), 50.0)], dim=1)
    kept = torch.cat([received[:, 1:], second[:, 3:]], dim=1)
    kept[1, 2] += 0.5  # slot 1 changes the older frame once more
    see(judge, second, kept)
    assert judge.collect(0).broken == 0
    assert judge.collect(1).broken == 1


def test_judge_ignores_idle_slots_and_forgets_a_collected_episode(judge):
    clean = torch.full((2, 4, 6, 6), 100.0)
    see(judge, clean, clean + 50, changed=(True, True), active=np.asarray([True, False]))
    assert judge.collect(1).broken == 0
    assert judge.collect(0).broken == 1
    assert judge.collect(0) == judge.collect(1)


@pytest.mark.parametrize("fill", [100.0, 0.0])
def test_judge_catches_older_frames_that_are_perturbed_at_the_start(fill):
    judge = Judge(Budget(eps=0.01).ball(SPACE, newest=True), 2, held=True)
    clean = torch.full((2, 4, 6, 6), 100.0)
    clean[:, :-1] = fill
    received = clean.clone()
    received[:, -1] += 1
    if fill == 100:  # copies of the frame that the camera saw
        received[:, :-1] += 1
    received[1, 0, 0, 0] += 0.5
    see(judge, clean, received)
    assert (judge.collect(0).broken, judge.collect(1).broken) == (0, 1)


def test_a_step_that_shows_an_older_perturbed_frame_is_attacked():
    judge = Judge(Budget(eps=0.01).ball(SPACE, newest=True), 2, held=True)
    clean = torch.zeros(2, 4, 6, 6)
    clean[:, -1] = 100
    received = clean.clone()
    received[0, -1] += 1
    see(judge, clean, received)
    shifted = torch.cat([clean[:, 1:], clean[:, -1:] + 3], dim=1)
    later = torch.cat([received[:, 1:], shifted[:, -1:]], dim=1)
    see(judge, shifted, later)
    assert (judge.collect(0).attacked, judge.collect(1).attacked) == (2, 0)
