"""What is done where a detector raises an alarm, by scores that are known by hand."""

import dataclasses

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.attacks import Attacker, Fitted, make_attack
from rlattack.budget import Budget
from rlattack.defences import defend, make_front
from rlattack.defences.detectors import DETECTORS, Detector
from rlattack.errors import InvalidInput, UnknownName
from rlattack.evaluation import Study, evaluate
from rlattack.games.game import Seat
from rlattack.policies import ModulePolicy
from tests.kit.agents import counting_policy, gaussian_policy, scores_as_seen

SEAT = Seat("player", Box(-99, 99, (3,), np.float32), Discrete(3))
STACK = Seat("player", Box(0, 255, (3, 9, 9), np.uint8), Discrete(3))


class Largest(Detector):
    """Suspects large numbers, as large as the largest entry is."""

    name = "largest"
    smooth = False

    def score(self, look, memory):
        return look.obs.flatten(1).amax(dim=1)


class Means(torch.nn.Module):
    """Scores are the means of frames."""

    def forward(self, obs):
        return obs.mean(dim=(2, 3))


DETECTORS.add(Largest.name, f"{__name__}:{Largest.__name__}")
LEARNED = Fitted(
    {"clean scores": torch.arange(1000) / 100, "clean episode": torch.zeros(1000, dtype=torch.int64)}
)  # the threshold is nearly 10


def standing(then, seat=SEAT, policy=None, detector="largest", learned=LEARNED):
    return defend(policy or scores_as_seen(3), (f"detect:detector={detector},then={then}",), seat, (learned,))


def said(policy, *rows, state=None):
    """The scores of steps, one after the other, each of several rows."""
    state = policy.initial_state(len(rows[0]))
    found = []
    for row in rows:
        out = policy(torch.tensor(row), state)
        state = out.state
        found.append(out.actions.scores.tolist())
    return found


def test_with_an_alarm_the_last_actions_without_one_are_repeated():
    both = standing("repeat")
    usual, other, alarm = [[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]], [[50.0, 0.0, 0.0]]
    assert said(both, usual, alarm, alarm, other, alarm) == [usual, usual, usual, other, other]


def test_an_alarm_in_the_first_step_finds_nothing_to_repeat():
    assert said(standing("repeat"), [[50.0, 0.0, 0.0]]) == [[[50.0, 0.0, 0.0]]]


def test_rows_remember_each_their_own():
    both = standing("repeat")
    first = [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]
    then = [[50.0, 0.0, 0.0], [4.0, 4.0, 4.0]]
    assert said(both, first, then)[1] == [first[0], then[1]]


def test_with_an_alarm_nothing_is_done():
    out = standing("noop")(torch.tensor([[0.0, 50.0, 0.0], [0.0, 5.0, 0.0]]))
    assert out.actions.greedy.tolist() == [0, 1]
    assert out.actions.probabilities[0, 0] > 0.999
    policy = gaussian_policy(3, 2)
    seat = Seat("player", SEAT.observation, policy.action)
    moved = standing("noop", seat, policy)(torch.tensor([[50.0, 0.0, 0.0], [5.0, 0.0, 0.0]]))
    assert moved.actions.mean[0].tolist() == [0.0, 0.0]
    assert (moved.actions.mean[1] != 0).all()


def test_with_an_alarm_the_policy_acts_on_the_median_of_the_stack():
    policy = ModulePolicy(Means(), (3, 9, 9), 3)
    frames = torch.tensor([1.0, 50.0, 3.0]).view(1, 3, 1, 1).expand(1, 3, 9, 9)
    assert standing("median", STACK, policy)(frames).actions.scores.tolist() == [[3.0, 3.0, 3.0]]


def test_an_attack_goes_through_the_median_where_there_is_an_alarm():
    victim = standing("median", STACK, ModulePolicy(Means(), (3, 9, 9), 3))
    for largest, slopes in ((50.0, [0.0, 0.0, 1.0]), (5.0, [1.0, 0.0, 0.0])):  # the third frame is the median of three
        frames = torch.tensor([1.0, largest, 3.0]).view(1, 3, 1, 1).expand(1, 3, 9, 9)
        slope, _ = victim.gradient(frames, lambda out: out.actions.scores[:, 0].sum())
        assert slope.sum(dim=(2, 3))[0].tolist() == pytest.approx(slopes)


def test_an_attack_goes_through_it_as_if_there_were_no_alarm():
    both = standing("noop")
    slope, out = both.gradient(torch.tensor([[0.0, 50.0, 7.0]]), lambda out: out.actions.scores[:, 2].sum())
    assert slope.tolist() == [[0.0, 0.0, 1.0]]
    assert out.actions.greedy.tolist() == [0]
    attack = make_attack("fgsm", Budget(eps=0.5, space="raw"), loss="margin")
    shown = torch.tensor([[0.0, 2.0, 1.0]])
    moved = Attacker(attack, both, SEAT.observation, 1)(shown) - shown
    assert moved[0, 1:].tolist() == pytest.approx([-0.5, 0.5])


def test_a_policy_with_a_memory_keeps_it_beside_the_front_s():
    both = standing("noop", policy=counting_policy(3, (3,)))
    state = both.initial_state(2)
    for number in range(3):
        out = both(torch.zeros(2, 3), state)
        assert out.actions.greedy.tolist() == [number] * 2
        state = out.state


@pytest.mark.parametrize(
    ("front", "seat", "policy", "error", "message"),
    [
        ("detect", SEAT, None, InvalidInput, "defence detect: expected detector=value, which has no default"),
        ("detect:detector=larges", SEAT, None, UnknownName, "no detector 'larges'; did you mean 'largest'"),
        (
            "detect:detector=largest,then=wait",
            SEAT,
            None,
            InvalidInput,
            "then: expected 'repeat' or 'noop' or",
        ),
        (
            "detect:detector=largest,then=median",
            SEAT,
            None,
            InvalidInput,
            "then=median: expected stacked frames",
        ),
        ("detect:detector=mahalanobis", SEAT, None, InvalidInput, "tell the last hidden layer"),
        (
            "detect:detector=squeeze",
            SEAT,
            counting_policy(3, (3,)),
            InvalidInput,
            "this one has a memory; expected",
        ),
    ],
)
def test_what_does_not_fit_is_refused(front, seat, policy, error, message):
    with pytest.raises(error, match=message):
        defend(policy or scores_as_seen(3), (front,), seat, (LEARNED,))


def test_who_was_never_fitted_stands_nowhere():
    with pytest.raises(InvalidInput, match="defence detect learns on tuning episodes first"):
        defend(scores_as_seen(3), ("detect:detector=largest",), SEAT)
    front = make_front("detect:detector=largest", SEAT)
    front.meet(scores_as_seen(3))
    with pytest.raises(InvalidInput, match="detector largest learns on clean tuning episodes first"):
        front.memory(1)


def test_it_is_fitted_on_clean_play_of_its_victim_and_plays_the_same_with_any_number_of_slots_in_use(tmp_path):
    study = Study(
        game="gymnasium/CartPole-v1", players="gymnasium/CartPole-v1/dqn", max_steps=30, episodes=4, envs=2,
        attack="fgsm", eps=0.3, space="raw", defence='detect:detector="mahalanobis:rate=0.2,episodes=4",then=noop',
    )  # fmt: skip
    whole = evaluate(study, run=tmp_path / "whole", workers=1)
    half = evaluate(dataclasses.replace(study, episodes=1), run=tmp_path / "half", workers=1)
    assert whole.ok
    assert whole.cells[2].attack.eps == 0.3
    lengths = [[cell.length.mean for cell in one.cells] for one in (whole, half)]
    assert lengths[1] != lengths[0]
    again = evaluate(dataclasses.replace(study, episodes=4), run=tmp_path / "half", workers=1)
    assert [cell.seats for cell in again.cells] == [cell.seats for cell in whole.cells]


def test_outputs_keep_what_else_they_say():
    policy = scores_as_seen(3, value_based=True)
    out = standing("noop", policy=policy)(torch.tensor([[0.0, 50.0, 0.0]]))
    assert out.q.tolist() == [[0.0, 50.0, 0.0]]
