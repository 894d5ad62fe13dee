import dataclasses

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.errors import ContentError, RefusedFile
from rlattack.policies.folder import build, read_agent, read_agent_card
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy
from rlattack.policies.gaussian_spec import GaussianSpec
from tests.kit.agents import act, gaussian_policy, save_network, streams

MLP = GaussianSpec(observation=(3,), actions=2, hidden=(5, 4))
LSTM = GaussianSpec(observation=(3,), actions=2, hidden=(6,), memory=6)


def make(spec: GaussianSpec) -> GaussianPolicy:
    torch.manual_seed(0)
    return GaussianPolicy(GaussianNetwork(spec))


def mean(policy: GaussianPolicy, obs: torch.Tensor, state: torch.Tensor | None = None) -> torch.Tensor:
    return policy(obs, state).actions.mean


@pytest.fixture
def linear():
    """Mean and value are twice the normalised observation, as long as tanh is nearly linear."""
    policy = make(GaussianSpec(observation=(1,), actions=1, hidden=(1,), clip=5.0))
    for head in (policy.network.pi, policy.network.vf):
        for layer, weight in ((head.layers[0], 1e-3), (head.out, 2e3)):
            layer.weight.fill_(weight)
            layer.bias.zero_()
    return policy


def test_observations_are_normalised_and_clipped(linear):
    linear.network.obs_mean.fill_(10)
    linear.network.obs_std.fill_(2)
    seen = torch.tensor([[10.0], [13.0], [20.0], [21.0], [1000.0], [-1000.0]])
    torch.testing.assert_close(
        mean(linear, seen).squeeze(1), torch.tensor([0.0, 3.0, 10.0, 10.0, 10.0, -10.0]), rtol=1e-3, atol=1e-5
    )


def test_values_are_those_of_returns(linear):
    linear.network.value_mean.fill_(100)
    linear.network.value_std.fill_(7)
    values, _ = linear.network.values(torch.tensor([[0.0], [1.0]]))
    torch.testing.assert_close(values, torch.tensor([100.0, 114.0]), rtol=1e-3, atol=0)


def test_actions_are_drawn_around_the_mean(linear):
    linear.network.log_std.fill_(np.log(3.0))
    actions = linear(torch.ones(2, 1)).actions
    torch.testing.assert_close(actions.deviation, torch.tensor([3.0]))
    drawn = streams(7, 8).normal(1)
    torch.testing.assert_close(actions.sample(streams(7, 8)) - actions.mean, 3.0 * drawn)


@pytest.mark.parametrize("spec", [MLP, LSTM])
def test_the_output_is_linear_in_the_hidden_layer(spec):
    policy = make(spec)
    out = policy(torch.randn(7, 3), policy.initial_state(7))
    assert out.hidden.shape == (7, spec.memory or 4)
    torch.testing.assert_close(policy.network.pi.out(out.hidden), out.actions.mean)
    assert out.actions.mean.shape == (7, 2)


def test_the_hidden_layer_of_a_memory_is_its_h():
    policy = make(LSTM)
    out = policy(torch.randn(7, 3), policy.initial_state(7))
    assert out.hidden.equal(out.state[:, 6:])


def test_a_memory_remembers():
    policy = make(LSTM)
    obs = torch.randn(1, 3)
    first = policy(obs, policy.initial_state(1))
    second = policy(obs, first.state)
    assert not second.actions.mean.equal(first.actions.mean)
    assert mean(policy, obs, first.state).equal(second.actions.mean)


def test_no_state_is_the_start_of_an_episode():
    policy = make(LSTM)
    obs = torch.randn(4, 3)
    fresh, started = policy(obs), policy(obs, policy.initial_state(4))
    assert policy.initial_state(4).equal(torch.zeros(4, 12))
    assert fresh.actions.mean.equal(started.actions.mean)
    assert fresh.state.equal(started.state)


def test_no_memory_has_no_state():
    policy = make(MLP)
    assert policy.initial_state(4) is None
    assert policy(torch.randn(4, 3)).state is None


def test_rows_do_not_touch_each_other():
    policy = make(LSTM)
    obs, state = torch.randn(4, 3), torch.randn(4, 12)
    changed, other = obs.clone(), state.clone()
    changed[1:], other[1:] = 9.0, 9.0
    one, two = policy(obs, state), policy(changed, other)
    assert one.actions.mean[0].equal(two.actions.mean[0])
    assert one.state[0].equal(two.state[0])


@pytest.mark.parametrize("spec", [MLP, LSTM])
def test_the_critic_has_layers_and_a_memory_of_its_own(spec):
    policy, obs = make(spec), torch.randn(2, 3)
    (values, state), before = policy.network.values(obs), mean(policy, obs)
    for parameter in policy.network.pi.parameters():
        parameter.fill_(1.0)
    assert values.shape == (2,)
    assert not mean(policy, obs).equal(before)
    assert policy.network.values(obs)[0].equal(values)
    assert policy.network.values(obs, state)[0].equal(values) == (spec is MLP)


def test_a_policy_is_frozen_and_differentiable_in_what_it_sees():
    policy = make(MLP)
    obs = torch.randn(2, 3, requires_grad=True)
    mean(policy, obs).sum().backward()
    assert obs.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in policy.network.parameters())


def test_the_normaliser_is_that_of_the_network(linear):
    linear.network.obs_mean.fill_(10)
    linear.network.obs_std.fill_(2)
    found = linear.normaliser
    assert (found.mean.tolist(), found.deviation.tolist(), found.clip) == ([10.0], [2.0], 5.0)


def test_the_range_of_its_actions_is_that_of_the_game():
    network, done = make(MLP).network, Box(np.float32([-1, 0]), np.float32([1, 4]))
    policy, obs = GaussianPolicy(network, done), torch.randn(3, 3)
    assert policy.action == done
    assert (policy(obs).actions.low.tolist(), policy(obs).actions.high.tolist()) == ([-1.0, 0.0], [1.0, 4.0])
    free = GaussianPolicy(network)
    assert free.action == Box(-np.inf, np.inf, (2,), np.float32)
    assert mean(free, obs).equal(mean(policy, obs))


def test_the_critic_is_asked_for_a_value_where_it_has_no_memory_of_its_own():
    policy, obs = make(MLP), torch.randn(4, 3)
    assert policy.value(obs).equal(policy.network.values(obs)[0])
    assert make(LSTM).value(obs) is None


def test_the_gradient_of_a_linear_mean_is_its_weight(linear):
    grad, out = linear.gradient(torch.zeros(3, 1), lambda out: out.actions.mean.sum())
    torch.testing.assert_close(grad, torch.full((3, 1), 2.0), rtol=1e-3, atol=0)
    assert not out.actions.mean.requires_grad


class TestInPlay:
    """Actions, drawn from each slot's own stream."""

    @pytest.fixture
    def policy(self):
        return gaussian_policy(3, 2, memory=4)

    @pytest.fixture
    def obs(self):
        return np.random.default_rng(0).standard_normal((5, 3))

    def test_same_draws_give_same_actions(self, policy, obs):
        first, _ = act(policy, obs, streams(*range(5)))
        again, _ = act(policy, obs, streams(*range(5)))
        other, _ = act(policy, obs, streams(*range(5, 10)))
        assert (first.shape, first.dtype) == ((5, 2), torch.float32)
        assert first.equal(again)
        assert (first != other).all()

    def test_greedy_is_the_mean_and_draws_nothing(self, policy, obs):
        draws = streams(*range(5))
        actions, _ = act(policy, obs, draws, state=policy.initial_state(5), mode="greedy")
        assert actions.equal(mean(policy, torch.from_numpy(obs).float(), policy.initial_state(5)))
        assert draws.uniform(2).equal(streams(*range(5)).uniform(2))

    def test_actions_spread_by_the_deviation_of_the_policy(self, policy):
        policy.network.log_std.copy_(torch.tensor([0.5, 2.0]).log())
        obs, draws = np.zeros((4000, 3)), streams(*range(4000))
        actions, _ = act(policy, obs, draws)
        greedy, _ = act(policy, obs, draws, mode="greedy")
        np.testing.assert_allclose((actions - greedy).std(dim=0), [0.5, 2.0], rtol=0.06)

    def test_a_slot_s_actions_are_its_own(self, policy, obs):
        """Neither what the others see nor that they are idle changes them."""
        changed, draws = obs.copy(), streams(*range(5))
        changed[1:] = 7.0
        draws.active[1:] = False
        one, _ = act(policy, obs, streams(*range(5)))
        two, _ = act(policy, changed, draws)
        assert one[0].equal(two[0])

    def test_the_state_goes_on(self, policy, obs):
        state = policy.initial_state(5)
        _, after = act(policy, obs, streams(*range(5)), state=state)
        assert state.equal(torch.zeros(5, 8))
        assert after.equal(policy(torch.from_numpy(obs).float(), state).state)
        one, _ = act(policy, obs, streams(*range(5)), state=state, mode="greedy")
        two, _ = act(policy, obs, streams(*range(5)), state=after, mode="greedy")
        assert (one != two).any()

    def test_nothing_is_kept_between_calls(self, policy, obs):
        before, _ = act(policy, obs, streams(*range(5)))
        act(policy, -obs, streams(*range(5)))
        after, _ = act(policy, obs, streams(*range(5)))
        assert before.equal(after)

    def test_gradients_are_not_kept(self, policy, obs):
        out = policy(torch.from_numpy(obs).float())
        assert not out.state.requires_grad
        assert not out.actions.sample(streams(*range(5))).requires_grad


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observation": ()}, "expected observations of 1 to 10,000,000"),
        ({"observation": (4, 84)}, "numbers in a row, got"),
        ({"observation": (0,)}, "expected observations"),
        ({"actions": 0}, "expected sizes"),
        ({"actions": 10**6}, "expected sizes from 1 to 100,000"),
        ({"hidden": (64, 0)}, "expected sizes"),
        ({"memory": -1}, "and memory -1"),
        ({"memory": 10**6}, "expected sizes"),
        ({"clip": -1.0}, "expected clips of 0 or more, got -1.0"),
        ({"clip": float("inf")}, "expected clips"),
        ({"clip": float("nan")}, "expected clips"),
        ({"largest_mean": -1.0}, "expected clips of 0 or more, got 5.0 and -1.0"),
        ({"hidden": (2,) * 101}, "expected at most 100 layers and critics"),
        ({"critics": 2}, "expected at most one critic of states, got 2"),
        ({"choices": (1, 1)}, "expected choices of 2 actions together"),
        ({"head": "categorical", "choices": (2, 1)}, r"expected choices of 2 actions together, got \(2, 1\)"),
        ({"low": (0.0,), "high": (1.0,)}, "expected ends of 2 actions"),
        ({"low": (0.0, 1.0), "high": (1.0, 1.0)}, "expected ends of 2 actions"),
    ],
)
def test_impossible_sizes_are_refused(change, message):
    with pytest.raises(ContentError, match=message):
        dataclasses.replace(MLP, **change)


@pytest.mark.parametrize("spec", [MLP, LSTM])
def test_an_agent_folder_keeps_every_bit(tmp_path, spec):
    network = make(spec).network
    network.obs_mean.fill_(1 / 3)
    save_network(tmp_path, "mujoco/x", network, seat="a")
    card, kept = read_agent(tmp_path)
    assert (card.network, card.seat) == (spec, "a")
    assert {n for n, t in network.state_dict().items() if not kept.state_dict()[n].equal(t)} == set()


@pytest.mark.parametrize("name", ["obs_std", "value_std"])
def test_a_deviation_of_zero_is_refused(name):
    state = make(MLP).network.state_dict()
    state[name] = torch.zeros_like(state[name])
    with pytest.raises(RefusedFile, match=f"tensor {name}: expected values above 0"):
        build(MLP, state, "here")


def test_a_card_with_an_impossible_network_says_where(tmp_path):
    save_network(tmp_path, "mujoco/x", make(MLP).network)
    path = tmp_path / "agent.toml"
    path.write_text(path.read_text().replace("actions = 2", "actions = 0"))
    with pytest.raises(ContentError, match=r"agent\.toml: \[network\].*expected sizes from 1"):
        read_agent_card(tmp_path)
