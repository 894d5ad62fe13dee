import numpy as np
import pytest
import torch
from choices import LEGAL, check_even_chance, check_own_streams
from gymnasium.spaces import Box, Discrete
from torch import nn
from torch.distributions import Independent

from rlattack.policies.distributions import Normal, Point
from rlattack.policies.module import ContinuousPolicy, ModulePolicy
from tests.kit.agents import act, counting_policy, linear_policy, scores_as_seen, streams


def test_gradient_of_a_linear_policy_is_its_weight():
    weights = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    grad, out = linear_policy(weights).gradient(torch.zeros(4, 3), lambda out: out.actions.scores[:, 1].sum())
    assert grad.tolist() == [weights[1]] * 4
    assert not out.actions.scores.requires_grad


def test_a_module_is_frozen():
    module = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
    policy = ModulePolicy(module, (3,), 2)
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert (policy.action, policy.acts, policy.normaliser) == (Discrete(2), None, None)


def test_q_values_become_a_distribution_by_their_temperature():
    policy = scores_as_seen(2, value_based=True, temperature=0.5)
    out = policy(torch.tensor([[1.0, 2.0]]))
    assert out.q.tolist() == [[1.0, 2.0]]
    assert out.values.tolist() == [2.0]
    assert torch.allclose(out.actions.probabilities, torch.tensor([[2.0, 4.0]]).softmax(dim=1))


def test_the_value_of_an_action_is_its_q_value():
    policy, obs = scores_as_seen(2, value_based=True, temperature=0.5), torch.tensor([[1.0, 2.0], [4.0, 3.0]])
    assert policy.value(obs, torch.tensor([0, 1])).tolist() == [1.0, 3.0]
    assert policy.value(obs).tolist() == [2.0, 4.0]


def test_the_value_is_what_the_critic_says():
    class Both(nn.Module):
        def forward(self, obs):
            return obs, obs.sum(dim=1)

    obs = torch.tensor([[1.0, 2.0]])
    assert ModulePolicy(Both(), (2,), 2).value(obs, torch.tensor([0])).tolist() == [3.0]
    assert scores_as_seen(2).value(obs) is None


def test_state_goes_through():
    policy = counting_policy(4)
    first = policy(torch.ones(2, 4), policy.initial_state(2))
    second = policy(torch.ones(2, 4), first.state)
    assert (first.actions.greedy.tolist(), second.actions.greedy.tolist()) == ([0, 0], [1, 1])
    assert second.state.tolist() == [[2.0], [2.0]]


class TestInPlay:
    """Actions, drawn from each slot's own stream."""

    def test_chance_is_even_among_the_legal_actions_of_each_slot(self):
        check_even_chance(scores_as_seen(4))

    def test_without_a_mask_every_action_is_played(self):
        actions, _ = act(scores_as_seen(4), np.zeros((200, 4)), streams(*range(200)))
        assert set(actions.tolist()) == {0, 1, 2, 3}

    def test_a_slot_draws_from_its_own_stream(self):
        check_own_streams(scores_as_seen(4))

    def test_the_best_of_the_legal_actions_is_greedy(self):
        obs = np.array([[9.0, 1.0, 8.0, 2.0], [0.0, 9.0, 9.0, 9.0], [5.0, 4.0, 3.0, 2.0]])
        policy = scores_as_seen(4)
        assert act(policy, obs, streams(1, 2, 3), legal=LEGAL, mode="greedy")[0].tolist() == [3, 0, 2]
        assert act(policy, obs, streams(1, 2, 3), mode="greedy")[0].tolist() == [0, 1, 0]

    def test_a_q_learner_never_samples(self):
        policy, draws = scores_as_seen(4, value_based=True), streams(1, 2, 3)
        assert policy.acts == "greedy"
        for _ in range(20):
            assert act(policy, [[0.0, 0.1, 0.2, 0.1]] * 3, draws, legal=LEGAL)[0].tolist() == [1, 0, 2]

    def test_a_policy_samples_by_its_scores_renormalised_over_what_is_legal(self):
        draws, ones = streams(0), 0
        obs = np.log([[0.6, 0.1, 0.0001, 0.3]])
        for _ in range(400):
            action, _ = act(scores_as_seen(4), obs, draws, legal=LEGAL[:1])
            assert action[0] in (1, 3)
            ones += int(action[0] == 1)
        assert abs(ones - 100) < 45  # 0.1 of 0.4; five standard deviations

    def test_the_state_of_a_policy_goes_from_one_action_to_the_next(self):
        policy, draws = counting_policy(4), streams(1, 2)
        state = policy.initial_state(2)
        for number in range(4):
            actions, state = act(policy, np.zeros((2, 4)), draws, state=state)
            assert actions.tolist() == [number] * 2

    def test_bytes_are_seen_as_they_are(self):
        obs = np.array([[0, 255, 3, 4]], dtype=np.uint8)
        assert act(scores_as_seen(4), obs, streams(1), mode="greedy")[0].tolist() == [1]


class TestContinuous:
    """Modules that act by numbers."""

    DONE = Box(np.float32([-1, 0]), np.float32([1, 4]))

    def asked(self, out):
        class Module(nn.Module):
            def forward(self, obs):
                return out(obs[:, :2])

        return ContinuousPolicy(Module(), (3,), self.DONE)

    def test_what_it_returns_are_the_actions(self):
        policy, obs = self.asked(lambda x: 2 * x), torch.randn(5, 3)
        actions = policy(obs).actions
        assert type(actions) is Point
        assert actions.greedy.equal(2 * obs[:, :2])
        assert (actions.low.tolist(), actions.high.tolist()) == ([-1.0, 0.0], [1.0, 4.0])
        assert (policy.value(obs), policy.initial_state(5), policy.action) == (None, None, self.DONE)

    @pytest.mark.parametrize("wrap", [lambda one: one, lambda one: Independent(one, 1), lambda one: (one, None)])
    def test_a_distribution_is_kept(self, wrap):
        actions = self.asked(lambda x: wrap(torch.distributions.Normal(x, 0.5)))(torch.ones(2, 3)).actions
        assert type(actions) is Normal
        assert actions.deviation.eq(0.5).all()
        assert actions.mean.eq(1.0).all()

    def test_its_gradient_is_that_of_the_module(self):
        grad, _ = self.asked(lambda x: 3 * x).gradient(torch.zeros(2, 3), lambda out: out.actions.greedy.sum())
        assert grad.tolist() == [[3.0, 3.0, 0.0]] * 2
