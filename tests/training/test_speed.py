import numpy as np
import pytest
import torch
from rlattack.policies.player import GaussianPlayer
from rlattack.training.speed import PlainPlayer, TrainingSpeed, measure_training, single

from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy, GaussianSpec


def test_the_ratio_is_ours_over_theirs():
    assert TrainingSpeed(batched=300, subprocesses=200).ratio == 1.5


def save_victim(folder, memory=0):
    spec = GaussianSpec(observation=(122,), actions=8, hidden=(8,), memory=memory)
    card = AgentCard(game="mujoco/run-to-goal-ants", role="victim", algorithm="ppo", network=spec)
    save_agent(folder, card, GaussianNetwork(spec))


def test_both_ways_are_measured(tmp_path):
    pytest.importorskip("mujoco")
    save_victim(tmp_path / "victim")
    found = measure_training(
        "mujoco/run-to-goal-ants", str(tmp_path / "victim"), threads=1, seconds=0.01, envs=4, processes=1, batch=32
    )
    assert found.batched > 0
    assert found.subprocesses > 0


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = GaussianNetwork(GaussianSpec(observation=(5,), actions=2, hidden=(7, 6)))
    network.obs_mean.copy_(torch.arange(5.0))
    network.obs_std.fill_(0.5)
    network.log_std.data.copy_(torch.tensor([0.5, 2.0]).log())
    return network


def test_the_plain_player_means_what_the_victim_means(network):
    obs = np.random.default_rng(0).normal(2, 2, (9, 5)).astype(np.float32)
    own, _ = GaussianPlayer(GaussianPolicy(network)).act(obs, None, None, greedy=True)
    plain, _ = PlainPlayer(network).act(obs, None, None, greedy=True)
    assert plain.dtype == np.float32
    assert plain == pytest.approx(own, abs=1e-5)


def test_the_plain_player_draws_as_widely_as_the_victim(network):
    player, obs = PlainPlayer(network), np.zeros((20_000, 5), dtype=np.float32)
    drawn, mean = (player.act(obs, player.initial_state(20_000), None, greedy=greedy)[0] for greedy in (False, True))
    assert (drawn - mean).std(axis=0) == pytest.approx([0.5, 2.0], rel=0.04)


@pytest.mark.parametrize(("memory", "kind"), [(0, PlainPlayer), (4, GaussianPlayer)])
def test_a_single_game_asks_numpy_unless_the_victim_has_a_memory(tmp_path, memory, kind):
    pytest.importorskip("mujoco")
    save_victim(tmp_path / "victim", memory=memory)
    env = single("mujoco/run-to-goal-ants", str(tmp_path / "victim"))
    obs, _ = env.reset(seed=0)
    assert env.observation_space.contains(obs)
    assert env.observation_space.contains(env.step(np.zeros(8, dtype=np.float32))[0])
    assert type(env._env.opponent) is kind
