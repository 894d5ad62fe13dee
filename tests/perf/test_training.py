import numpy as np
import pytest
import torch

from rlattack.draws import SharedDraws
from rlattack.errors import InvalidInput
from rlattack.evaluation.spawned import added_names
from rlattack.perf import seat_victim
from rlattack.perf.training import PlainPolicy, measure_training, single
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.training import TrainAdversary
from tests.kit.agents import gaussian_agent, gaussian_network
from tests.perf import players

ANTS = "mujoco/run-to-goal-ants"


def test_both_ways_learn_from_whole_batches_against_the_victim():
    pytest.importorskip("mujoco")
    table = seat_victim(ANTS, "tests.perf.players:runner")
    players.asked.clear()
    found = measure_training(table, threads=1, seconds=0.01, slots=4, processes=1, batch=32)
    (speed,) = found.speeds
    assert found.setting == {"slots": 4, "threads": 1, "processes of SubprocVecEnv": 1}
    assert (speed.name, speed.beside) == ("training in slots", "single games in SubprocVecEnv")
    asked = players.asked["forward", 4]  # once a step, for all slots
    assert asked >= 2 * 32 // 4  # a first batch, which does not count, and at least one that does
    assert asked % (32 // 4) == 0


def test_games_of_turns_that_were_added_are_learned_from_in_both_ways():
    table = seat_victim("turns/any", "tests.kit.players:namer")
    found = measure_training(table, threads=1, seconds=0.01, slots=4, processes=1, batch=32)
    assert [speed.name for speed in found.speeds] == ["training in slots"]


def test_a_game_that_cannot_be_learned_from_is_refused_before_processes_are_started():
    with pytest.raises(InvalidInput, match="has one seat, so nobody to meet there"):
        measure_training(seat_victim("coins/any", "tests.perf.players:coin"), threads=1, seconds=0.01)


@pytest.fixture
def victim():
    network = gaussian_network(5, 2, hidden=(7, 6))
    network.obs_mean.copy_(torch.arange(5.0))
    network.obs_std.fill_(0.5)
    network.log_std.data.copy_(torch.tensor([0.5, 2.0]).log())
    return GaussianPolicy(network)


def test_the_plain_policy_means_what_the_victim_means(victim):
    obs = torch.from_numpy(np.random.default_rng(0).normal(2, 2, (9, 5)).astype(np.float32))
    own, plain = (policy(obs).actions.greedy for policy in (victim, PlainPolicy(victim)))
    assert plain.dtype == torch.float32
    torch.testing.assert_close(plain, own, rtol=0, atol=1e-5)


def test_the_plain_policy_draws_as_the_victim_does(victim):
    obs = torch.zeros(20_000, 5)
    own, plain = (policy(obs).actions.sample(SharedDraws(len(obs), 0)) for policy in (victim, PlainPolicy(victim)))
    torch.testing.assert_close(plain, own, rtol=0, atol=1e-5)
    assert (plain - victim(obs).actions.greedy).std(dim=0) == pytest.approx([0.5, 2.0], rel=0.04)


@pytest.mark.parametrize(("memory", "plain"), [(0, True), (4, False)])
def test_a_single_game_asks_numpy_unless_the_victim_has_a_memory(tmp_path, monkeypatch, memory, plain):
    pytest.importorskip("mujoco")
    asked = []
    original = np.tanh
    monkeypatch.setattr(np, "tanh", lambda x: asked.append(len(x)) or original(x))
    agent = gaussian_agent(tmp_path / "one", ANTS, 122, 8, memory=memory)
    env = single(TrainAdversary(game=ANTS, victim=agent), added_names())
    obs, _ = env.reset(seed=0)
    assert env.observation_space.contains(obs)
    assert env.observation_space.contains(env.step(np.zeros(8, dtype=np.float32))[0])
    assert bool(asked) == plain
