import pytest
import torch
from torch import nn

from rlattack.errors import InvalidInput
from rlattack.inspect.kinds import Saliency
from rlattack.inspect.subject import Subject
from rlattack.inspect.twins import modules_of, reborn, shuffled
from rlattack.policies.load import load_agent
from rlattack.policies.module import ModulePolicy
from tests.inspect.looks import UNSURE, subject_of
from tests.kit.agents import gaussian_policy, random_linear_policy

POLICY = random_linear_policy((5,), 4)


def weights(policy):
    return [weight.detach().clone() for module in modules_of(policy) for weight in module.parameters()]


def test_shuffled_weights_are_the_same_numbers_in_another_order():
    before, twin = weights(POLICY), shuffled(POLICY, 1)
    for one, other in zip(before, weights(twin), strict=True):
        assert not torch.equal(one, other)
        assert torch.equal(one.flatten().sort().values, other.flatten().sort().values)
    assert all(map(torch.equal, before, weights(POLICY)))  # the agent's own stay


def test_a_seed_is_an_order():
    one, two, other = (weights(shuffled(POLICY, seed)) for seed in (1, 1, 2))
    assert all(map(torch.equal, one, two))
    assert not all(map(torch.equal, one, other))


def test_reborn_weights_are_drawn_anew_and_change_no_other_draws():
    state = torch.random.get_rng_state()
    one, two = (weights(reborn(POLICY, 1)) for _ in range(2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(map(torch.equal, one, two))
    assert not any(map(torch.equal, one, weights(POLICY)))


def test_networks_of_gaussian_policies_are_found():
    assert modules_of(gaussian_policy(2, 1))


def test_who_is_no_network_is_refused():
    for twin in (shuffled, reborn):
        with pytest.raises(InvalidInput, match="expected an agent that is made of a network, got a"):
            twin(load_agent("random", subject_of(Saliency(**UNSURE)).seat).policy, 0)


def test_rescaled_scores_are_the_agents_in_mean_and_spread():
    subject: Subject = subject_of(Saliency(**UNSURE))
    states, twin = subject.states(12, 1), shuffled(subject.policy, 0)
    own = subject.numbers(states.obs)
    other = subject.rescaling(states.obs, twin)(subject.numbers(states.obs, policy=twin))
    torch.testing.assert_close(other.mean(dim=0), own.mean(dim=0))
    assert subject.certainty.variation(other) == pytest.approx(subject.certainty.variation(own), rel=1e-3)


def test_a_network_of_nothing_that_can_be_drawn_anew_is_refused():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 2))

        def forward(self, obs):
            return obs @ self.weight

    with pytest.raises(InvalidInput, match="expected a network of torch's own layers, which can be drawn anew"):
        reborn(ModulePolicy(Bare(), (3,), 2), 0)
