"""`AttackObservation` around environments of three kinds, alone, as a user takes it."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

from rlattack import Attacker, AttackObservation, Budget, make_attack
from rlattack.errors import InvalidInput
from rlattack.policies import ModulePolicy, from_sb3

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*GPU.*:UserWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:stable_baselines3"),
    pytest.mark.filterwarnings("ignore::UserWarning:gymnasium"),
]


class Frames(gymnasium.Env):
    """Counts up on stacked byte frames; an episode is five steps long."""

    observation_space = gymnasium.spaces.Box(0, 255, (4, 36, 36), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._time = 0
        return self._show(), {}

    def step(self, action):
        self._time += 1
        return self._show(), 1.0, self._time == 5, False, {}

    def _show(self):
        frames = [np.full((36, 36), 40 * max(0, self._time - age), dtype=np.uint8) for age in (3, 2, 1, 0)]
        return np.stack(frames)


def linear(shape, actions=2):
    torch.manual_seed(0)
    return ModulePolicy(nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), actions)), shape, actions)


def attacker(env, slots=1, name="fgsm", eps=0.1, space="raw", **budget):
    seen = env.single_observation_space if isinstance(env, gymnasium.vector.VectorEnv) else env.observation_space
    sure = {"loss": "margin"} if name == "fgsm" else {}  # a linear policy on pixels is too certain for cross-entropy
    attack = make_attack(name, Budget(eps=eps, space=space, **budget), **sure)
    return Attacker(attack, linear(seen.shape), seen, slots)


@pytest.mark.parametrize("grid", [False, True])
def test_gymnasium_and_sb3_accept_the_wrapped_environment(grid):
    env = AttackObservation(Frames(), attacker(Frames(), space="unit", eps=0.01, grid=grid))
    assert env.observation_space.dtype == (np.uint8 if grid else np.float32)
    assert env.observation_space.high.max() == 255
    check_env(env, skip_render_check=True)
    check_env_of_sb3(env)


def test_gymnasium_accepts_a_wrapped_cartpole():
    env = gymnasium.make("CartPole-v1")
    wrapped = AttackObservation(env, attacker(env))
    check_env(wrapped.unwrapped, skip_render_check=True)
    obs, _ = wrapped.reset(seed=3)
    clean, _ = gymnasium.make("CartPole-v1").reset(seed=3)
    assert np.abs(obs - clean).max() == pytest.approx(0.1, abs=1e-6)


def test_the_same_seed_shows_the_same_noise():
    env = gymnasium.make("CartPole-v1")
    wrapped = AttackObservation(env, attacker(env, name="noise"))
    first, _ = wrapped.reset(seed=5)
    other, _ = wrapped.reset(seed=6)
    again, _ = wrapped.reset(seed=5)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_environments_show_attacked_observations_to_the_last(mode):
    vector = SyncVectorEnv([Frames] * 3, autoreset_mode=mode)
    env = AttackObservation(vector, attacker(vector, 3, space="unit", eps=0.01))
    assert env.single_observation_space.dtype == np.float32
    obs, _ = env.reset(seed=0)
    assert (np.abs(obs - np.round(obs)) > 0.3).any(axis=(1, 2, 3)).all()
    for _ in range(5):
        obs, _, terminated, _, info = env.step(np.zeros(3, dtype=np.int64))
    assert terminated.all()
    last = np.stack(list(info["final_obs"])) if mode == AutoresetMode.SAME_STEP else obs
    assert np.abs(last[:, -1] - 200).max() == pytest.approx(2.55, abs=1e-4)
    if mode == AutoresetMode.DISABLED:
        obs, _ = env.reset(options={"reset_mask": np.asarray([True, False, True])})
        assert np.array_equal(obs[1], last[1])
        assert np.abs(obs[0]).max() == pytest.approx(2.55, abs=1e-4)


def test_frames_stay_as_they_were_received_within_an_episode_and_not_beyond():
    env = Frames()
    attack = make_attack("noise", Budget(eps=0.01))
    wrapped = AttackObservation(env, Attacker(attack, linear((4, 36, 36)), env.observation_space, 1, model="frame"))
    before, _ = wrapped.reset(seed=0)
    for _ in range(5):
        now, _, _, _, _ = wrapped.step(0)
        assert np.array_equal(now[:-1], before[1:])
        before = now
    fresh, _ = wrapped.reset()
    assert np.abs(fresh).max() == pytest.approx(2.55, abs=1e-4)


@pytest.mark.parametrize("grid", [False, True])
def test_sb3_evaluates_its_own_model_under_attack(grid):
    model = PPO("CnnPolicy", DummyVecEnv([Frames] * 2), n_steps=8, batch_size=8, device="cpu")
    attack = make_attack("fgsm", Budget(eps=0.01, grid=grid))
    inner = DummyVecEnv([Frames] * 2)
    env = AttackObservation(inner, Attacker(attack, from_sb3(model), inner.observation_space, 2))
    mean, _ = evaluate_policy(model, env, n_eval_episodes=4, warn=False)
    assert mean == 5


def test_the_terminal_observation_of_a_vecenv_is_attacked():
    inner = DummyVecEnv([Frames] * 2)
    env = AttackObservation(inner, attacker(inner, 2, space="unit", eps=0.01))
    env.seed(0)
    env.reset()
    for _ in range(5):
        obs, _, dones, infos = env.step(np.zeros(2, dtype=np.int64))
    assert dones.all()
    for info in infos:
        assert np.abs(info["terminal_observation"][-1] - 200).max() == pytest.approx(2.55, abs=1e-4)
    assert np.abs(obs).max() == pytest.approx(2.55, abs=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AttackObservation(Frames(), attacker(Frames(), slots=2)), "has 2 slots, the environment 1"),
        (lambda: AttackObservation(gymnasium.make("CartPole-v1"), attacker(Frames(), space="unit")), "was fitted to"),
        (lambda: AttackObservation("pong", attacker(Frames(), space="unit")), "expected a gymnasium Env"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
