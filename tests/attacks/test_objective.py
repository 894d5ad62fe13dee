"""The loss that is climbed: cross-entropy and margin, of logits and of Q values."""

import pytest
import torch
from torch import nn

from rlattack.policies.module import ModulePolicy

SHAPE = (3, 6, 6)


def test_the_gradient_of_a_value_based_policy_is_that_of_its_softmax(policy, obs, attack_with):
    temperature = 0.25
    policy = ModulePolicy(policy.module, SHAPE, 3, value_based=True, temperature=temperature)
    weight, q = policy.module[1].weight, policy.module(obs)
    probabilities = (q / temperature).softmax(dim=1)
    label = q.argmax(dim=1)
    expected = (probabilities @ weight - weight[label]) / temperature  # of -log p(label)
    received = attack_with(policy, "fgsm", "l2", 0.001)(obs)
    centre = ((obs > 1) & (obs < 254)).flatten(1)  # where the range does not cut
    delta = (received - obs).flatten(1)
    for row in range(len(obs)):
        cut = centre[row]
        assert torch.cosine_similarity(delta[row][cut], expected[row][cut], dim=0) == pytest.approx(1, abs=1e-3)


def test_the_margin_has_a_gradient_where_the_cross_entropy_has_none(policy, obs, attack_with):
    with torch.no_grad():
        policy.module[1].weight.mul_(1e4)
    assert torch.equal(attack_with(policy, "fgsm", "linf", 0.1)(obs), obs)
    received = attack_with(policy, "fgsm", "linf", 0.1, loss="margin")(obs)
    assert (policy(received).actions.greedy != policy(obs).actions.greedy).any()


@pytest.mark.parametrize("loss", ["ce", "margin"])
@pytest.mark.parametrize("name", ["fgsm", "pgd"])
def test_both_losses_lower_the_probability_of_the_label(policy, obs, attack_with, name, loss):
    label = policy(obs).actions.greedy[:, None]
    before = policy(obs).actions.probabilities.gather(1, label)
    after = policy(attack_with(policy, name, "linf", 0.01, loss=loss)(obs)).actions.probabilities.gather(1, label)
    assert (after < before).all()


def test_a_target_that_is_the_label_keeps_the_label(policy, obs, attack_with):
    for target in range(3):
        received = attack_with(policy, "pgd", "linf", 0.01, target=target)(obs)
        kept = policy(obs).actions.greedy == target
        assert (policy(received).actions.greedy[kept] == target).all()


def test_a_numbered_target_needs_no_clean_output(policy, obs, attack_with):
    attacker = attack_with(policy, "pgd", "linf", 0.01, target=1)
    attacker(obs)
    assert attacker.oracle.queries.sum() == 0


def test_one_flat_policy_is_left_alone(obs, attack_with):
    flat = ModulePolicy(nn.Sequential(nn.Flatten(), nn.Linear(108, 3)), SHAPE, 3)
    with torch.no_grad():
        flat.module[1].weight.zero_()
    for name, norm in (("fgsm", "linf"), ("fgsm", "l2"), ("fgsm", "l1"), ("pixel", "l0")):
        assert torch.equal(attack_with(flat, name, norm, 1 if norm == "l0" else 0.01)(obs), obs)
