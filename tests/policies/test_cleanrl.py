"""State dicts of CleanRL and PPO-PyTorch, of networks built here, beside those networks themselves."""

import itertools
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from rlattack.errors import RefusedFile
from rlattack.policies import load_agent
from rlattack.policies.cleanrl import import_cleanrl
from rlattack.policies.distributions import Categorical, Normal, Point, SquashedNormal
from rlattack.policies.importer import guess, import_agent


def mlp(*sizes, activation=nn.Tanh):
    layers = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


class Agent(nn.Module):
    """PPO with discrete actions."""

    def __init__(self):
        super().__init__()
        self.critic, self.actor = mlp(4, 8, 8, 1), mlp(4, 8, 8, 3)


class Numbers(nn.Module):
    """PPO with continuous actions."""

    def __init__(self):
        super().__init__()
        self.critic, self.actor_mean = mlp(4, 8, 8, 1), mlp(4, 8, 8, 2)
        self.actor_logstd = nn.Parameter(torch.tensor([[-0.5, 0.25]]))


class Atari(nn.Module):
    """PPO of Atari."""

    def __init__(self):
        super().__init__()
        self.network = convolutions(nn.Linear(64 * 7 * 7, 32), nn.ReLU())
        self.actor, self.critic = nn.Linear(32, 6), nn.Linear(32, 1)


class Q(nn.Module):
    """DQN, of numbers or of Atari."""

    def __init__(self, network):
        super().__init__()
        self.network = network


def convolutions(*rest):
    layers = [nn.Conv2d(4, 32, 8, 4), nn.ReLU(), nn.Conv2d(32, 64, 4, 2), nn.ReLU(), nn.Conv2d(64, 64, 3, 1)]
    return nn.Sequential(*layers, nn.ReLU(), nn.Flatten(), *rest)


class Actor(nn.Module):
    """TD3's, DDPG's and SAC's."""

    def __init__(self, sac=False):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 8), nn.Linear(8, 8)
        self.sac = sac
        if sac:
            self.fc_mean, self.fc_logstd = nn.Linear(8, 2), nn.Linear(8, 2)
        else:
            self.fc_mu = nn.Linear(8, 2)
        self.register_buffer("action_scale", torch.tensor([1.0, 2.0]))
        self.register_buffer("action_bias", torch.tensor([0.0, 1.0]))

    def forward(self, x):
        x = self.fc2(self.fc1(x).relu()).relu()
        return x, (self.fc_mean if self.sac else self.fc_mu)(x).tanh() * self.action_scale + self.action_bias


class Critic(nn.Module):
    """Of actions in the game's own range."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 1)

    def forward(self, x, a):
        return self.fc3(self.fc2(self.fc1(torch.cat([x, a], dim=1)).relu()).relu()).squeeze(1)


@pytest.fixture
def obs():
    return torch.randn(9, 4, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def save(tmp_path):
    def saved(thing, name="agent.cleanrl_model"):
        path = tmp_path / name
        if name.endswith("safetensors"):
            safetensors.torch.save_file(thing, path)
        else:
            torch.save(thing, path)
        return str(path)

    torch.manual_seed(0)
    return saved


@pytest.mark.parametrize("name", ["agent.cleanrl_model", "agent.pt", "agent.pth", "agent.safetensors"])
def test_discrete_ppo_is_read(save, obs, name):
    agent = Agent()
    path = save(agent.state_dict(), name)
    out = load_agent(path).policy(obs)
    assert guess(path) == "cleanrl"
    assert type(out.actions) is Categorical
    torch.testing.assert_close(out.actions.scores, agent.actor(obs))
    torch.testing.assert_close(out.values, agent.critic(obs).squeeze(1))


@pytest.mark.parametrize("around", ["state_dict", "model_weights", "agent"])
def test_a_checkpoint_around_it_is_looked_into(save, obs, around):
    agent = Agent()
    path = save({around: agent.state_dict(), "step": 7, "optimizer": {"state": {}}})
    torch.testing.assert_close(load_agent(path).policy(obs).actions.scores, agent.actor(obs))


def test_a_module_that_was_saved_whole_is_read_as_data(save, obs):
    agent = Agent()
    path = save(agent)
    found = load_agent(path)
    assert not found.foreign
    torch.testing.assert_close(found.policy(obs).actions.scores, agent.actor(obs))


def test_continuous_ppo_is_read(save, obs):
    agent = Numbers()
    policy = load_agent(save(agent.state_dict())).policy
    actions = policy(obs).actions
    assert type(actions) is Normal
    torch.testing.assert_close(actions.mean, agent.actor_mean(obs))
    torch.testing.assert_close(actions.deviation, agent.actor_logstd.exp().squeeze(0).detach())
    torch.testing.assert_close(policy.value(obs), agent.critic(obs).squeeze(1))


def test_statistics_of_its_wrappers_come_from_a_file(save, obs, tmp_path, workplace):
    from gymnasium.wrappers.utils import RunningMeanStd

    rms = RunningMeanStd(shape=(4,))
    rms.update(np.random.default_rng(0).normal(2.0, 3.0, size=(50, 4)))
    (tmp_path / "rms.pkl").write_bytes(pickle.dumps(rms))
    agent = Numbers()
    path = save(agent.state_dict())
    scaled = ((obs - torch.from_numpy(rms.mean)) / torch.from_numpy(rms.var + 1e-8).sqrt()).clamp(-10, 10).float()
    policy = load_agent(path, normaliser=str(tmp_path / "rms.pkl")).policy
    torch.testing.assert_close(policy(obs).actions.mean, agent.actor_mean(scaled), atol=1e-5, rtol=1e-5)
    folder = import_agent("cleanrl", path, "mujoco/hopper/mine", normaliser=str(tmp_path / "rms.pkl"))
    assert load_agent(str(folder)).policy(obs).actions.mean.equal(policy(obs).actions.mean)


def test_atari_ppo_is_read(save):
    agent = Atari()
    out = load_agent(save(agent.state_dict())).policy(obs := 255 * torch.rand(2, 4, 84, 84))
    hidden = agent.network(obs / 255)
    torch.testing.assert_close(out.actions.scores, agent.actor(hidden), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out.values, agent.critic(hidden).squeeze(1), atol=1e-5, rtol=1e-5)


def test_dqn_is_read(save, obs):
    agent = Q(mlp(4, 12, 8, 3, activation=nn.ReLU))
    policy = load_agent(save(agent.state_dict())).policy
    torch.testing.assert_close(policy(obs).q, agent.network(obs))
    assert policy.acts == "greedy"


def test_dqn_of_atari_is_read(save):
    agent = Q(convolutions(nn.Linear(64 * 7 * 7, 16), nn.ReLU(), nn.Linear(16, 4)))
    obs = 255 * torch.rand(2, 4, 84, 84)
    out = load_agent(save(agent.state_dict())).policy(obs)
    torch.testing.assert_close(out.q, agent.network(obs / 255), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("critics", [0, 1, 2])
def test_actors_of_certain_actions_are_read_with_their_critics(save, obs, critics):
    actor, judges = Actor(), [Critic() for _ in range(critics)]
    parts = (actor.state_dict(), *(one.state_dict() for one in judges))
    policy = load_agent(save(parts if critics else parts[0])).policy
    actions = policy(obs).actions
    assert type(actions) is Point
    torch.testing.assert_close(actions.greedy, actor(obs)[1], atol=1e-6, rtol=1e-5)
    assert (policy.action.low.tolist(), policy.action.high.tolist()) == ([-1.0, -1.0], [1.0, 3.0])
    if not critics:
        assert policy.value(obs) is None
        return
    done = policy.action.low + (policy.action.high - policy.action.low) * np.random.default_rng(0).random((9, 2))
    told = torch.stack([one(obs, torch.from_numpy(done).float()) for one in judges]).amin(dim=0)
    torch.testing.assert_close(policy.value(obs, torch.from_numpy(done).float()), told, atol=1e-5, rtol=1e-5)


def test_sac_is_read(save, obs):
    actor, judges = Actor(sac=True), [Critic(), Critic()]
    actions = load_agent(save((actor.state_dict(), *(one.state_dict() for one in judges)))).policy(obs).actions
    hidden, greedy = actor(obs)
    assert type(actions) is SquashedNormal
    torch.testing.assert_close(actions.greedy, greedy, atol=1e-6, rtol=1e-5)
    log_std = -5 + 0.5 * (2 + 5) * (actor.fc_logstd(hidden).tanh() + 1)
    torch.testing.assert_close(actions.deviation, log_std.exp())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.update({"gru.weight": torch.ones(2, 2)}), r"tensors that a network of CleanRL does not have: gru"),
        (lambda s: s.pop("actor.2.bias"), r"expected a layer actor\.2 with weight and bias"),
        (lambda s: s["actor.0.weight"].fill_(float("nan")), "not finite"),
        (lambda s: s.update({"actor.2.weight": torch.ones(8, 9)}), "expected shape"),
        (lambda s: s.update({"actor.2.bias": torch.ones(9)}), r"expected a layer actor\.2"),
        (lambda s: [s.pop(name) for name in list(s) if name.startswith("critic")], "expected shape|not a network"),
    ],
)
def test_other_networks_are_refused(save, change, message):
    state = OrderedDict(Agent().state_dict())
    change(state)
    with pytest.raises((RefusedFile, ValueError), match=message):
        import_cleanrl(save(state))


def test_values_by_distributions_are_told_as_unknown(save):
    """C51, whose Q values are no linear layer."""
    state = Q(mlp(4, 8, 6)).state_dict() | {"atoms": torch.ones(3)}
    with pytest.raises(RefusedFile, match="tensors of no network that is known: network"):
        load_agent(save(state))


class TestPpoPytorch:
    """Discrete agents are the same networks; continuous ones end in tanh, which their file does not say."""

    def test_a_discrete_one_is_read(self, save, obs):
        agent = Agent()
        folder_like = import_cleanrl(save(agent.state_dict(), "PPO_LunarLander-v2_0_0.pth"))[1]
        torch.testing.assert_close(folder_like(obs)[0], agent.actor(obs))

    def test_a_continuous_one_is_named_as_such(self, save, obs, workplace):
        agent = Agent()
        path = save(agent.state_dict(), "PPO_BipedalWalker-v2_0_0.pth")
        folder = import_agent("ppo-pytorch-continuous", path, "mujoco/hopper/mine")
        policy = load_agent(str(folder)).policy
        torch.testing.assert_close(policy(obs).actions.greedy, agent.actor(obs).tanh())
        torch.testing.assert_close(policy.value(obs), agent.critic(obs).squeeze(1))

    def test_another_network_is_refused(self, save, workplace):
        for state in ({"a.weight": torch.ones(2, 2)}, {"actor.0.weight": torch.ones(2, 2)}):
            with pytest.raises(RefusedFile, match=r"expected actor\.0, critic\.0|not a network of PPO-PyTorch"):
                import_agent("ppo-pytorch-continuous", save(state), "mujoco/hopper/mine")
