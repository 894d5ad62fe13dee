import dataclasses
import errno
import itertools
import os
import shutil

import numpy as np
import pytest
import torch
from small_games import CARD, SPACES, noise, vec
from stable_baselines3.common.vec_env import VecEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlattack.errors import Unwritable
from rlattack.games.card import AtariOptions, GameCard, Protocol
from rlattack.policies import load_policy
from rlattack.policies.folder import read_agent_card, save_agent
from rlattack.policies.sb3_live import from_sb3
from rlattack.training import extractor
from rlattack.training.algorithms import make_learner
from rlattack.training.checkpoint import load_checkpoint
from rlattack.training.config import ALGORITHMS, TrainVictim
from rlattack.training.victim import export, train_victim


class Crash(Exception):
    """In place of a SIGKILL: nothing of ours catches it."""


def configure(algorithm, **values):
    return TrainVictim(**{"game": CARD.id, "algorithm": algorithm, "steps": 600, "envs": 2, **values})


def train(config, run, crash_at=None, space="vectors"):
    """Trains; or fails as soon as it is told of that many steps."""
    told = []

    def tell(steps):
        told.append(steps)
        if crash_at is not None and steps >= crash_at:
            raise Crash

    run.mkdir(exist_ok=True)
    return (*train_victim(config, CARD, noise(space, config.envs), run, tell), told)


def curve(run, tag):
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    return {point.step: point.value for point in events.Scalars(tag)} if tag in events.Tags()["scalars"] else {}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_agent_is_the_policy_that_was_trained(tmp_path, monkeypatch, algorithm, space):
    monkeypatch.setattr(extractor, "_processor", lambda: "")  # no bfloat16 in the trunk
    env = vec(space)
    learner = make_learner(configure(algorithm), env, 0)
    learner.learn(300 if space == "vectors" else 64)
    card, network = export(learner, configure(algorithm), CARD)
    save_agent(tmp_path / "agent", card, network, half=False)
    policy = load_policy(str(tmp_path / "agent")).policy
    seen = torch.as_tensor(np.stack([env.observation_space.sample() for _ in range(20)]))
    with torch.no_grad():
        ours, theirs = policy(seen.float()), from_sb3(learner)(seen)
    torch.testing.assert_close(ours.probabilities, theirs.probabilities)
    assert ours.scores.std(dim=0).min() > 0  # it looks at what it sees
    if ours.q is None:
        torch.testing.assert_close(ours.values, theirs.values)
    else:
        torch.testing.assert_close(ours.q, theirs.q)
        assert np.array_equal(ours.greedy, learner.predict(seen.numpy(), deterministic=True)[0])


def test_a_trunk_in_bfloat16_is_the_same_agent_but_for_rounding(monkeypatch):
    monkeypatch.setattr(extractor, "_processor", lambda: "flags: avx512_bf16")
    learner = make_learner(configure("ppo"), vec("images"), 0)
    _, network = export(learner, configure("ppo"), CARD)
    seen = torch.randint(0, 256, (20, *SPACES["images"].shape))
    with torch.no_grad():
        logits, values = network(seen.float())
        distribution = learner.policy.get_distribution(seen).distribution
        torch.testing.assert_close(logits.softmax(1), distribution.probs, atol=0.01, rtol=0)
        torch.testing.assert_close(values, learner.policy.predict_values(seen).squeeze(1), atol=0.02, rtol=0)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_weights_and_heads_stay_single_precision_whatever_the_trunk_computes_in(monkeypatch, algorithm):
    monkeypatch.setattr(extractor, "_processor", lambda: "flags: avx512_bf16")
    learner = make_learner(configure(algorithm), vec("images"), 0)
    learner.learn(64)
    assert {tensor.dtype for tensor in learner.policy.state_dict().values()} == {torch.float32}
    assert from_sb3(learner)(torch.zeros(2, *SPACES["images"].shape)).scores.dtype == torch.float32


def test_the_variant_of_the_game_goes_on_the_agents_card(tmp_path):
    options = AtariOptions(crop=(2, 3, 40, 36), action_set=(0, 4, 3), stack_fill="first", max_frames=500)
    card = GameCard(id="atari/pong", title="", rom="pong", atari=options, protocol=Protocol(sticky=0.25))
    learner = make_learner(configure("ppo"), vec("images"), 0)
    save_agent(tmp_path, *export(learner, configure("ppo", game="atari/pong"), card))
    kept = read_agent_card(tmp_path)
    assert kept.options == {
        "crop": [2, 3, 40, 36],
        "action_set": [0, 4, 3],
        "stack_fill": "first",
        "max_frames": 500,
    }
    assert kept.provenance["sticky"] == 0.25
    assert kept.game == "atari/pong"


def test_the_agents_card_says_where_it_comes_from(tmp_path):
    card, network, _ = train(configure("a2c", seed=5), tmp_path / "run")
    assert (card.role, card.algorithm, card.network) == ("victim", "a2c", network.spec)
    assert (card.provenance["seed"], card.provenance["steps"]) == (5, 600)
    assert card.provenance["versions"].keys() >= {"torch", "numpy", "gymnasium", "stable-baselines3", "python"}
    assert "ale-py" not in card.provenance["versions"]  # not used


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_killed_run_goes_on_to_the_same_number_of_steps(tmp_path, algorithm):
    config = configure(algorithm, steps=600, checkpoint_every=150)
    whole, _, told = train(config, tmp_path / "whole")
    with pytest.raises(Crash):
        train(config, tmp_path / "killed", crash_at=400)
    checkpoint = load_checkpoint(tmp_path / "killed")
    assert 150 <= checkpoint.steps < 400
    assert read_agent_card(tmp_path / "killed" / "agent").provenance["steps"] == checkpoint.steps  # of use already
    card, _, went_on = train(config, tmp_path / "killed")
    assert went_on[0] == checkpoint.steps
    assert went_on[-1] == told[-1] == card.provenance["steps"] == whole.provenance["steps"]
    assert load_checkpoint(tmp_path / "killed").steps == card.provenance["steps"]


def test_a_run_that_goes_on_has_the_weights_it_stopped_with(tmp_path):
    config = configure("ppo", steps=1000, checkpoint_every=400)
    with pytest.raises(Crash):
        train(config, tmp_path, crash_at=600)
    kept = load_checkpoint(tmp_path).policy
    short = dataclasses.replace(config, steps=load_checkpoint(tmp_path).steps)
    _, network, told = train(short, tmp_path)
    assert told == []  # it was long enough: nothing is learned
    assert network.actor[-1].weight.equal(kept["action_net.weight"])


@pytest.mark.parametrize("algorithm", ["ppo", "a2c"])
def test_the_learning_rate_falls_over_the_whole_run(tmp_path, algorithm):
    config = configure(algorithm, steps=1000, checkpoint_every=250, learning_rate=1e-3)
    with pytest.raises(Crash):
        train(config, tmp_path, crash_at=650)
    train(config, tmp_path)
    rates = curve(tmp_path, "train/learning_rate")
    assert min(rates) < 250
    assert max(rates) >= 1000
    for step, rate in rates.items():
        assert rate == pytest.approx(max(0.0, 1e-3 * (1 - step / 1000)), abs=1e-8)


def test_exploration_goes_on_where_it_was(tmp_path):
    config = configure("dqn", steps=2000, checkpoint_every=200)
    with pytest.raises(Crash):
        train(config, tmp_path, crash_at=300)
    before = curve(tmp_path, "rollout/exploration_rate")
    train(config, tmp_path)
    rates = curve(tmp_path, "rollout/exploration_rate")
    assert 0.1 < min(before.values()) < 0.3  # on its way from 1 to 0.04
    for step, rate in rates.items():
        assert rate == pytest.approx(max(0.04, 1 - 0.96 * step / (0.16 * 2000)), abs=1e-6)


def test_a_resumed_value_learner_fills_its_replay_by_its_policy_before_it_learns(tmp_path, monkeypatch):
    config = configure("dqn", steps=1500, checkpoint_every=500)
    with pytest.raises(Crash):
        train(config, tmp_path, crash_at=1000)
    done = load_checkpoint(tmp_path).steps
    played, learned = [], []
    step = VecEnv.step

    def watch(env, actions):
        played.append(actions)
        return step(env, actions)

    monkeypatch.setattr(VecEnv, "step", watch)
    from stable_baselines3 import DQN

    learn = DQN.train
    monkeypatch.setattr(DQN, "train", lambda self, *a, **k: (learned.append(self.num_timesteps), learn(self, *a, **k)))
    monkeypatch.setattr(DQN, "predict", lambda self, obs, *_, **__: (np.full(len(obs), 2), None))
    train(config, tmp_path)
    starts = 1500 // 20
    assert all((actions == 2).all() for actions in played)  # chance never played
    assert learned[0] > done + starts
    assert learned[0] <= done + starts + 2 * 256


def test_a_resumed_run_plays_other_games_than_it_began_with(tmp_path):
    def first_seen(run):
        seen = []
        config = configure("a2c", steps=100, checkpoint_every=20)
        env = noise("vectors", 2)
        reset = env.reset
        env.reset = lambda **kwargs: seen.append(kwargs["seed"]) or reset(**kwargs)
        with pytest.raises(Crash):
            train_victim(config, CARD, env, run, lambda steps: (_ for _ in ()).throw(Crash) if steps >= 60 else None)
        return seen[0]

    runs = [tmp_path / name for name in ("one", "other")]
    for run in runs:
        run.mkdir()
    first, again = (first_seen(run) for run in runs)
    assert first == again == 0  # the run's own seed
    later, as_late = (first_seen(run) for run in runs)
    assert later == as_late != 0
    assert later < 2**31


def test_curves_of_steps_that_are_played_again_give_way(tmp_path):
    config = configure("ppo", steps=700, checkpoint_every=300)
    with pytest.raises(Crash):
        train(config, tmp_path, crash_at=500)
    assert max(curve(tmp_path, "time/fps")) > load_checkpoint(tmp_path).steps
    train(config, tmp_path)
    events = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    events.Reload()
    steps = [point.step for point in events.Scalars("train/learning_rate")]
    assert all(before < after for before, after in itertools.pairwise(steps))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_curves_hold_the_return_of_episodes_and_end_at_the_last_step(tmp_path, algorithm):
    card, *_ = train(configure(algorithm, steps=1000), tmp_path)
    returns = curve(tmp_path, "rollout/ep_rew_mean")
    assert max(returns) == card.provenance["steps"]
    assert 3 < len(returns) <= 1001
    assert all(0 <= value <= 7 for value in returns.values())  # one a step, seven steps an episode
    assert set(curve(tmp_path, "rollout/ep_len_mean").values()) == {7.0}


def test_a_full_disk_ends_training_and_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(Crash):
        train(configure("a2c", checkpoint_every=100), tmp_path, crash_at=150)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unwritable, match=r"checkpoint.pt: cannot be written \(No space left on device\)"):
        train(configure("a2c", checkpoint_every=100), tmp_path)
    assert load_checkpoint(tmp_path).steps == 100


def test_the_game_is_closed_whatever_happens(tmp_path):
    env = noise("vectors")
    with pytest.raises(Crash):
        train_victim(configure("a2c"), CARD, env, tmp_path, lambda _: (_ for _ in ()).throw(Crash))
    assert env.closed
    shutil.rmtree(tmp_path)
