import dataclasses

import numpy as np
import pytest
import torch

from rlattack.errors import ContentError, RefusedFile
from rlattack.policies.bansal import import_bansal
from rlattack.policies.folder import AgentCard, build, load_agent, read_agent_card, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy, GaussianSpec

MLP = GaussianSpec(observation=(3,), actions=2, hidden=(5, 4))
LSTM = GaussianSpec(observation=(3,), actions=2, hidden=(6,), memory=6)


def make(spec: GaussianSpec) -> GaussianPolicy:
    torch.manual_seed(0)
    return GaussianPolicy(GaussianNetwork(spec))


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
    mean = linear(torch.tensor([[10.0], [13.0], [20.0], [21.0], [1000.0], [-1000.0]])).mean.squeeze(1)
    torch.testing.assert_close(mean, torch.tensor([0.0, 3.0, 10.0, 10.0, 10.0, -10.0]), rtol=1e-3, atol=1e-5)


def test_values_are_those_of_returns(linear):
    linear.network.value_mean.fill_(100)
    linear.network.value_std.fill_(7)
    values, _ = linear.network.values(torch.tensor([[0.0], [1.0]]))
    torch.testing.assert_close(values, torch.tensor([100.0, 114.0]), rtol=1e-3, atol=0)


def test_actions_are_drawn_around_the_mean(linear):
    linear.network.log_std.fill_(np.log(3.0))
    out = linear(torch.ones(2, 1))
    torch.testing.assert_close(out.deviation, torch.tensor([3.0]))
    torch.testing.assert_close(out.sample(torch.tensor([[0.0], [1.0]])) - out.mean, torch.tensor([[0.0], [3.0]]))


@pytest.mark.parametrize("spec", [MLP, LSTM])
def test_the_output_is_linear_in_the_hidden_layer(spec):
    policy = make(spec)
    out = policy(torch.randn(7, 3), policy.initial_state(7))
    assert out.hidden.shape == (7, spec.memory or 4)
    torch.testing.assert_close(policy.network.pi.out(out.hidden), out.mean)
    assert out.mean.shape == (7, 2)


def test_the_hidden_layer_of_a_memory_is_its_h():
    policy = make(LSTM)
    out = policy(torch.randn(7, 3), policy.initial_state(7))
    assert out.hidden.equal(out.state[:, 6:])


def test_a_memory_remembers():
    policy = make(LSTM)
    obs = torch.randn(1, 3)
    first = policy(obs, policy.initial_state(1))
    second = policy(obs, first.state)
    assert not second.mean.equal(first.mean)
    assert policy(obs, first.state).mean.equal(second.mean)


def test_no_state_is_the_start_of_an_episode():
    policy = make(LSTM)
    obs = torch.randn(4, 3)
    fresh, started = policy(obs), policy(obs, policy.initial_state(4))
    assert policy.initial_state(4).equal(torch.zeros(4, 12))
    assert fresh.mean.equal(started.mean)
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
    assert one.mean[0].equal(two.mean[0])
    assert one.state[0].equal(two.state[0])


@pytest.mark.parametrize("spec", [MLP, LSTM])
def test_the_critic_has_layers_and_a_memory_of_its_own(spec):
    policy, obs = make(spec), torch.randn(2, 3)
    (values, state), mean = policy.network.values(obs), policy(obs).mean
    for parameter in policy.network.pi.parameters():
        parameter.fill_(1.0)
    assert values.shape == (2,)
    assert not policy(obs).mean.equal(mean)
    assert policy.network.values(obs)[0].equal(values)
    assert policy.network.values(obs, state)[0].equal(values) == (spec is MLP)


def test_a_policy_is_frozen_and_differentiable_in_what_it_sees():
    policy = make(MLP)
    obs = torch.randn(2, 3, requires_grad=True)
    policy(obs).mean.sum().backward()
    assert obs.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in policy.network.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observation": ()}, "expected sizes"),
        ({"observation": (4, 84)}, "expected sizes"),
        ({"observation": (0,)}, "expected sizes"),
        ({"actions": 0}, "expected sizes"),
        ({"actions": 10**6}, "expected sizes from 1 to 100,000"),
        ({"hidden": (64, 0)}, "expected sizes"),
        ({"memory": -1}, "and memory -1"),
        ({"memory": 10**6}, "expected sizes"),
        ({"clip": 0.0}, "expected a clip above 0, got 0.0"),
        ({"clip": float("inf")}, "expected a clip"),
        ({"clip": float("nan")}, "expected a clip"),
    ],
)
def test_impossible_sizes_are_refused(change, message):
    with pytest.raises(ContentError, match=message):
        dataclasses.replace(MLP, **change)


@pytest.mark.parametrize("spec", [MLP, LSTM])
def test_an_agent_folder_keeps_every_bit(tmp_path, spec):
    network = make(spec).network
    network.obs_mean.fill_(1 / 3)
    save_agent(tmp_path, AgentCard(game="mujoco/x", role="victim", algorithm="ppo", network=spec, seat="a"), network)
    card, kept = load_agent(tmp_path)
    assert (card.network, card.seat) == (spec, "a")
    assert {n for n, t in network.state_dict().items() if not kept.state_dict()[n].equal(t)} == set()


@pytest.mark.parametrize("name", ["obs_std", "value_std"])
def test_a_deviation_of_zero_is_refused(name):
    state = make(MLP).network.state_dict()
    state[name] = torch.zeros_like(state[name])
    with pytest.raises(RefusedFile, match=f"tensor {name}: expected values above 0"):
        build(MLP, state, "here")


def test_a_card_with_an_impossible_network_says_where(tmp_path):
    save_agent(tmp_path, AgentCard(game="mujoco/x", role="victim", algorithm="ppo", network=MLP), make(MLP).network)
    path = tmp_path / "agent.toml"
    path.write_text(path.read_text().replace("actions = 2", "actions = 0"))
    with pytest.raises(ContentError, match=r"agent\.toml: \[network\].*expected sizes from 1"):
        read_agent_card(tmp_path)


@pytest.fixture
def recording(zoo):
    """Two episodes of sumo ants, recorded in MuJoCo 1.31."""
    return np.load(zoo.parent / "originals" / "sumo-ants-recording.npz")


def residuals(recording: np.lib.npyio.NpzFile, policy: GaussianPolicy) -> np.ndarray:
    """Recorded actions in standard deviations from the means of a policy that saw the same."""
    found = []
    for episode in np.unique(recording["episode"]):
        rows = recording["episode"] == episode
        state = policy.initial_state(1)
        for obs, action in zip(recording["obs"][rows], recording["actions"][rows], strict=True):
            out = policy(torch.from_numpy(obs[None]).float(), state)
            state = out.state
            found.append((torch.from_numpy(action) - out.mean[0]) / out.deviation)
    return torch.stack(found).numpy()


def test_the_recorded_player_is_version_1(zoo, recording):
    """The noise of its own policy has deviation 1; 2696 draws leave 0.014 of error (facts/games.md, section 0)."""
    spread = {}
    for version in (1, 2):
        _, network = import_bansal(str(zoo.parent / "mujoco" / "sumo-ants" / f"agent-v{version}.safetensors"), False)
        spread[version] = residuals(recording, GaussianPolicy(network)).std()
    assert spread[1] == pytest.approx(0.988, abs=0.001)
    assert spread[2] == pytest.approx(2.69, abs=0.01)


def test_the_recorded_player_forgot_at_the_end_of_an_episode(zoo, recording):
    _, network = import_bansal(str(zoo.parent / "mujoco" / "sumo-ants" / "agent-v1.safetensors"), False)
    policy = GaussianPolicy(network)
    kept = {key: recording[key] for key in ("obs", "actions", "episode")}
    whole = residuals(kept, policy)
    joined = residuals(kept | {"episode": np.zeros(337)}, policy)
    assert np.abs(whole[:127] - joined[:127]).max() == 0
    assert (whole[127:137] ** 2).mean() < (joined[127:137] ** 2).mean()
