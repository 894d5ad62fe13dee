"""What an attack may ask for: each level of knowledge includes those below it."""

import threading

import numpy as np
import pytest
import torch

from rlattack.attacks.copies import copied
from rlattack.attacks.oracle import Oracle
from rlattack.attacks.target import Target
from rlattack.errors import InvalidInput
from tests.kit.agents import gaussian_policy, scores_as_seen

OBS = torch.tensor([[1.0, 2.0], [5.0, 3.0], [0.0, 0.0]])
QUESTIONS = {
    "decision": [lambda target: target.choices(OBS), lambda target: target.labels],
    "scores": [
        lambda target: target(OBS),
        lambda target: target.clean_output,
        lambda target: target.estimate("value", OBS),
    ],
    "white": [
        lambda target: target.gradient(OBS, lambda out: out.actions.scores.sum()),
        lambda target: target.estimate_gradient("value", OBS),
    ],
}
LEVELS = ["none", *QUESTIONS]


def oracle_of(knowledge, policy=None, **about):
    oracle = Oracle(policy or scores_as_seen(2, value_based=True), 3, knowledge, **about)
    oracle.begin(OBS, np.ones(3, dtype=np.bool_))
    return oracle


@pytest.mark.parametrize("knowledge", LEVELS)
@pytest.mark.parametrize("level", list(QUESTIONS))
def test_more_than_was_declared_is_refused(knowledge, level):
    for ask in QUESTIONS[level]:
        oracle = oracle_of(knowledge)
        target = Target(oracle)
        if LEVELS.index(level) <= LEVELS.index(knowledge):
            ask(target)
            assert oracle.queries.tolist() == [int(level != "white")] * 3
        else:
            with pytest.raises(PermissionError, match=f"declared as `{knowledge}` asked what takes `{level}`"):
                ask(target)
            assert oracle.queries.sum() == oracle.gradients.sum() == 0


def test_decisions_are_greedy_actions():
    oracle = oracle_of("decision")
    target = Target(oracle)
    assert target.choices(-OBS).tolist() == [0, 1, 0]
    assert target.labels.tolist() == [1, 0, 0]
    assert oracle.queries.tolist() == [2, 2, 2]


def test_greedy_actions_of_continuous_policies_are_means():
    policy = gaussian_policy(2, 3)
    target = Target(oracle_of("scores", policy))
    assert torch.equal(target.labels, policy(OBS).actions.mean)


def test_the_clean_output_is_asked_once_and_is_the_attack_s_own_copy():
    oracle = oracle_of("scores")
    target = Target(oracle)
    target.clean_output.actions.scores.zero_()
    assert (target.clean_output.actions.scores == 0).all()
    assert torch.equal(oracle.known_clean_output.actions.scores, OBS)
    assert oracle.queries.tolist() == [1, 1, 1]


def test_of_slots_that_are_not_asked_about_nothing_is_told_and_nothing_counted():
    only, seen = torch.tensor([True, False, True]), []
    oracle = oracle_of("white")
    target = Target(oracle)
    assert torch.equal(target(-OBS, only).actions.scores, -OBS * only[:, None])
    assert target.choices(-OBS, only).tolist() == [0, 0, 0]
    assert oracle.queries.tolist() == [2, 0, 2]

    def loss(out):
        seen.append(out.actions.scores.detach())
        return out.actions.scores.square().sum()

    assert torch.equal(target.gradient(OBS, loss, only), 2 * OBS * only[:, None])
    assert torch.equal(seen[0], OBS * only[:, None])
    assert oracle.gradients.tolist() == [1, 0, 1]
    oracle.count(np.asarray([True, False, False]))
    target(OBS, only)
    assert oracle.queries.tolist() == [3, 0, 2]


def test_an_attack_sees_nothing_of_who_counts_and_has_no_place_to_write_to():
    target = Target(oracle_of("none"))
    estimates = {"estimate", "estimate_gradient", "value_gradient", "ahead", "planned"}
    evading = {"suspicion", "suspicion_gradient"}
    public = {"active", "choices", "clean_output", "gradient", "labels", "random", "slots"} | estimates | evading
    assert {name for name in dir(target) if not name.startswith("_")} == public
    with pytest.raises(AttributeError):
        target.queries = np.zeros(3)
    target.active.zero_()
    assert target.active.all()


def test_code_of_others_asks_a_copy_whose_ruin_changes_no_policy_and_is_never_taken_for_the_truth():
    policy = gaussian_policy(2, 3)
    before = copied(policy(OBS).actions)
    oracle = oracle_of("white", policy, foreign=True)
    target = Target(oracle)

    assert torch.equal(target.clean_output.actions.mean, before.mean)
    target.gradient(OBS, lambda out: (out.actions.high.fill_(1e6) * 0 + out.actions.mean).sum())
    target.clean_output.actions.deviation.fill_(77.0)
    after = policy(OBS).actions
    for name in ("mean", "low", "high", "deviation"):
        assert torch.equal(getattr(after, name), getattr(before, name))
    assert oracle.known_clean_output is None


def test_a_policy_that_cannot_be_copied_is_refused_to_code_of_others():
    policy = scores_as_seen(2)
    policy.lock = threading.Lock()
    Oracle(policy, 3, "none")
    with pytest.raises(InvalidInput, match="work on a copy of the policy, and ModulePolicy cannot be copied: cannot"):
        Oracle(policy, 3, "none", foreign=True)


class Squares:
    """Suspects squares of what is seen, and asks about twice that."""

    def suspicion(self, obs, out, ask):
        return obs.square().sum(dim=1) + 0 * ask(2 * obs).actions.scores.sum(dim=1)


def test_what_a_detector_suspects_is_asked_with_a_slope_and_counted():
    oracle = oracle_of("white")
    oracle.watch = Squares()
    oracle.count(np.asarray([True, False, True]))
    target = Target(oracle)
    assert torch.equal(target.suspicion(OBS), OBS.square().sum(dim=1))
    assert (oracle.queries.tolist(), oracle.gradients.tolist()) == ([2, 0, 2], [0, 0, 0])
    assert torch.allclose(target.suspicion_gradient(OBS), 2 * OBS)
    assert (oracle.queries.tolist(), oracle.gradients.tolist()) == ([3, 0, 3], [1, 0, 1])
    oracle.count(np.ones(3, dtype=np.bool_), "scores")
    with pytest.raises(PermissionError, match="declared as `scores` asked what takes `white`"):
        target.suspicion_gradient(OBS)
