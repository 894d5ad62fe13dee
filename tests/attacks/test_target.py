"""What an attack may ask for: each level of knowledge includes those below it."""

import numpy as np
import pytest
import torch

from rlattack.attacks.target import Target
from tests.kit.agents import gaussian_policy, scores_as_seen

OBS = torch.tensor([[1.0, 2.0], [5.0, 3.0], [0.0, 0.0]])
QUESTIONS = {
    "decision": [lambda target: target.choices(OBS), lambda target: target.labels],
    "scores": [
        lambda target: target(OBS),
        lambda target: target.clean_output,
        lambda target: target.rows(OBS, torch.arange(3), lambda out: out.actions.greedy),
    ],
    "white": [lambda target: target.gradient(OBS, lambda out: out.actions.scores.sum())],
}
LEVELS = ["none", *QUESTIONS]


def target_of(knowledge, policy=None):
    target = Target(policy or scores_as_seen(2), 3, knowledge)
    target.begin(OBS, np.ones(3, dtype=np.bool_))
    return target


@pytest.mark.parametrize("knowledge", LEVELS)
@pytest.mark.parametrize("level", list(QUESTIONS))
def test_more_than_was_declared_is_refused(knowledge, level):
    for ask in QUESTIONS[level]:
        target = target_of(knowledge)
        if LEVELS.index(level) <= LEVELS.index(knowledge):
            ask(target)
            assert target.queries.tolist() == [int(level != "white")] * 3
        else:
            with pytest.raises(PermissionError, match=f"declared as `{knowledge}` asked what takes `{level}`"):
                ask(target)
            assert target.queries.sum() == target.gradients.sum() == 0


def test_decisions_are_greedy_actions():
    target = target_of("decision")
    assert target.choices(-OBS).tolist() == [0, 1, 0]
    assert target.labels.tolist() == [1, 0, 0]
    assert target.queries.tolist() == [2, 2, 2]


def test_greedy_actions_of_continuous_policies_are_means():
    policy = gaussian_policy(2, 3)
    target = target_of("scores", policy)
    assert torch.equal(target.labels, policy(OBS).actions.mean)
    rows = target.rows(OBS[[2, 0]], torch.tensor([2, 0]), lambda out: out.actions.mean)
    torch.testing.assert_close(rows, policy(OBS).actions.mean[[2, 0]])


def test_the_clean_output_is_asked_once_and_is_the_attack_s_own_copy():
    target = target_of("scores")
    target.clean_output.actions.scores.zero_()
    assert (target.clean_output.actions.scores == 0).all()
    assert torch.equal(target.known_clean_output.actions.scores, OBS)
    assert target.queries.tolist() == [1, 1, 1]


def test_of_slots_that_are_not_asked_about_nothing_is_told_and_nothing_counted():
    only, seen = torch.tensor([True, False, True]), []
    target = target_of("white")
    assert torch.equal(target(-OBS, only).actions.scores, -OBS * only[:, None])
    assert target.choices(-OBS, only).tolist() == [0, 0, 0]
    assert target.queries.tolist() == [2, 0, 2]

    def loss(out):
        seen.append(out.actions.scores.detach())
        return out.actions.scores.square().sum()

    assert torch.equal(target.gradient(OBS, loss, only), 2 * OBS * only[:, None])
    assert torch.equal(seen[0], OBS * only[:, None])
    assert target.gradients.tolist() == [1, 0, 1]
    target.count(np.asarray([True, False, False]))
    target(OBS, only)
    assert target.queries.tolist() == [3, 0, 2]
