"""What holds for whoever learns: checkpoints that a killed run goes on from, curves, and an agent at every time."""

import dataclasses
import errno
import itertools
import json
import os

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import VecEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlattack.errors import Unwritable
from rlattack.policies.folder import read_agent, read_agent_card
from rlattack.training.checkpoint import load_checkpoint
from rlattack.training.learner import learn
from rlattack.training.recipes import TrainSingle
from rlattack.training.settings import CONTROL, VECTORS
from tests.kit.learning import ARMS, CARD, Crash, Diary, alone, curve, noise
from tests.training.learners import adversary, configure, single


@pytest.mark.parametrize("algo", VECTORS)
def test_a_killed_run_goes_on_to_the_same_number_of_steps(tmp_path, algo):
    recipe = configure(algo, checkpoint_every=150)
    whole, told = single(recipe, tmp_path / "whole")
    with pytest.raises(Crash):
        single(recipe, tmp_path / "killed", crash_at=400)
    checkpoint = load_checkpoint(tmp_path / "killed")
    assert 150 <= checkpoint.steps < 400
    assert read_agent_card(tmp_path / "killed" / "agent").provenance["steps"] == checkpoint.steps  # of use already
    trained, went_on = single(recipe, tmp_path / "killed")
    assert went_on[0] == checkpoint.steps
    assert went_on[-1] == told[-1] == trained.steps == whole.steps
    assert load_checkpoint(tmp_path / "killed").steps == trained.steps


def test_a_run_that_goes_on_has_the_weights_it_stopped_with(tmp_path):
    recipe = configure("ppo", steps=1000, checkpoint_every=400)
    with pytest.raises(Crash):
        single(recipe, tmp_path, crash_at=600)
    kept = load_checkpoint(tmp_path)
    _, told = single(dataclasses.replace(recipe, steps=kept.steps), tmp_path)
    assert told == []  # it was long enough: nothing is learned
    _, network = read_agent(tmp_path / "agent")
    assert network.actor[-1].weight.equal(kept.policy["action_net.weight"].half().float())


@pytest.mark.parametrize("algo", ["ppo", "a2c"])
def test_the_learning_rate_falls_over_the_whole_run(tmp_path, algo):
    recipe = configure(algo, steps=1000, checkpoint_every=250, learning_rate=1e-3)
    with pytest.raises(Crash):
        single(recipe, tmp_path, crash_at=650)
    single(recipe, tmp_path)
    rates = curve(tmp_path, "train/learning_rate")
    assert min(rates) < 250
    assert max(rates) >= 1000
    for step, rate in rates.items():
        assert rate == pytest.approx(max(0.0, 1e-3 * (1 - step / 1000)), abs=1e-8)


def test_exploration_goes_on_where_it_was(tmp_path):
    recipe = configure("dqn", steps=2000, checkpoint_every=200)
    with pytest.raises(Crash):
        single(recipe, tmp_path, crash_at=300)
    before = curve(tmp_path, "rollout/exploration_rate")
    single(recipe, tmp_path)
    rates = curve(tmp_path, "rollout/exploration_rate")
    assert 0.1 < min(before.values()) < 0.3  # on its way from 1 to 0.04
    for step, rate in rates.items():
        assert rate == pytest.approx(max(0.04, 1 - 0.96 * step / (0.16 * 2000)), abs=1e-6)


def test_a_resumed_value_learner_fills_its_replay_by_its_policy_before_it_learns(tmp_path, monkeypatch):
    recipe = configure("dqn", steps=1500, checkpoint_every=500)
    with pytest.raises(Crash):
        single(recipe, tmp_path, crash_at=1000)
    done = load_checkpoint(tmp_path).steps
    played, learned = [], []
    step = VecEnv.step

    def watch(env, actions):
        played.append(actions)
        return step(env, actions)

    monkeypatch.setattr(VecEnv, "step", watch)
    from stable_baselines3 import DQN

    train = DQN.train
    monkeypatch.setattr(DQN, "train", lambda self, *a, **k: (learned.append(self.num_timesteps), train(self, *a, **k)))
    monkeypatch.setattr(DQN, "predict", lambda self, obs, *_, **__: (np.full(len(obs), 2), None))
    single(recipe, tmp_path)
    starts = 1500 // 20
    assert all((actions == 2).all() for actions in played)  # chance never played
    assert learned[0] > done + starts
    assert learned[0] <= done + starts + 2 * 256


def test_a_resumed_run_plays_other_games_than_it_began_with(tmp_path):
    def first_seen(run):
        seen, env = [], noise("vectors", 2)
        reset = env.reset
        env.reset = lambda **kwargs: seen.append(kwargs["seed"]) or reset(**kwargs)
        with pytest.raises(Crash):
            single(configure("a2c", steps=100, checkpoint_every=20), run, crash_at=60, env=env)
        return seen[0]

    runs = [tmp_path / name for name in ("one", "other")]
    first, again = (first_seen(run) for run in runs)
    assert first == again == 0  # the run's own seed
    later, as_late = (first_seen(run) for run in runs)
    assert later == as_late != 0
    assert later < 2**31


def test_curves_of_steps_that_are_played_again_give_way(tmp_path):
    recipe = configure("ppo", steps=700, checkpoint_every=300)
    with pytest.raises(Crash):
        single(recipe, tmp_path, crash_at=500)
    assert max(curve(tmp_path, "time/fps")) > load_checkpoint(tmp_path).steps
    single(recipe, tmp_path)
    events = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    events.Reload()
    steps = [point.step for point in events.Scalars("train/learning_rate")]
    assert all(before < after for before, after in itertools.pairwise(steps))


@pytest.mark.parametrize("algo", VECTORS)
def test_curves_hold_the_return_of_episodes_and_end_at_the_last_step(tmp_path, algo):
    trained, _ = single(configure(algo, steps=1000), tmp_path)
    returns = curve(tmp_path, "rollout/ep_rew_mean")
    assert max(returns) == trained.steps
    assert 3 < len(returns) <= 1001
    assert all(0 <= value <= 7 for value in returns.values())  # one a step, seven steps an episode
    assert set(curve(tmp_path, "rollout/ep_len_mean").values()) == {7.0}


@pytest.mark.parametrize("algo", CONTROL)
def test_a_learner_of_continuous_actions_goes_on_to_the_same_numbers_whenever_it_is_asked(tmp_path, algo):
    recipe = TrainSingle(game=CARD.id, algo=algo, steps=112, envs=2, checkpoint_every=64)
    if algo == "ppo":
        recipe = dataclasses.replace(recipe, steps=5000, checkpoint_every=2048)

    def went_on(folder):
        env = noise("vectors", action=ARMS)
        with pytest.raises(Crash):
            learn(alone(recipe, folder, env), Diary(crash_at=recipe.checkpoint_every + 1))
        before = load_checkpoint(folder)
        learn(alone(recipe, folder, noise("vectors", action=ARMS)), Diary())
        return before, load_checkpoint(folder)

    (before, one), (_, other) = went_on(tmp_path / "one"), went_on(tmp_path / "other")
    assert recipe.checkpoint_every <= before.steps < recipe.steps <= one.steps
    torch.testing.assert_close(vars(one), vars(other), atol=0, rtol=0)
    assert any(not tensor.equal(before.policy[name]) for name, tensor in one.policy.items())
    _, read = read_agent(tmp_path / "one" / "agent")
    if algo == "ppo":  # its statistics lie in the folder
        torch.testing.assert_close(read.obs_mean, one.statistics["obs_mean"].float())
        assert float(one.statistics["obs_count"]) > 5000


def test_a_full_disk_ends_training_and_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(Crash):
        single(configure("a2c", checkpoint_every=100), tmp_path, crash_at=150)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unwritable, match=r"cannot be written \(No space left on device\)"):
        single(configure("a2c", checkpoint_every=100), tmp_path)
    assert load_checkpoint(tmp_path).steps == 100


def test_what_is_kept_beside_a_checkpoint_says_how_it_did(tmp_path):
    trained, _ = adversary(tmp_path / "seat")
    kept = json.loads((tmp_path / "seat" / "progress.json").read_text())
    assert kept == {"steps": 512, "win": trained.win, "cut": False}
    single(configure("a2c"), tmp_path / "single")
    kept = json.loads((tmp_path / "single" / "progress.json").read_text())
    assert kept == {"steps": 600, "win": None, "cut": False}
