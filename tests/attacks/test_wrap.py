"""`AttackObservation` around environments of three kinds, alone, as a user takes it."""

import pickle

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
from rlattack.policies.module import ModulePolicy
from rlattack.policies.sb3_live import from_sb3
from tests.attacks.frames import Frames, attacker
from tests.kit.agents import random_linear_policy

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*GPU.*:UserWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:stable_baselines3"),
    pytest.mark.filterwarnings("ignore::UserWarning:gymnasium"),
]


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
    wrapped = AttackObservation(
        env, Attacker(attack, random_linear_policy((4, 36, 36), 2), env.observation_space, 1, model="frame")
    )
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


def test_sb3_accepts_a_wrapped_cartpole_and_evaluates_in_it():
    env = gymnasium.make("CartPole-v1")
    check_env_of_sb3(AttackObservation(env, attacker(env)))
    model = PPO("MlpPolicy", "CartPole-v1", n_steps=64, batch_size=64, device="cpu", seed=0)
    attack = make_attack("fgsm", Budget(eps=0.2, space="raw"))
    returns = []
    for kind in (lambda: gymnasium.make("CartPole-v1"), lambda: DummyVecEnv([lambda: gymnasium.make("CartPole-v1")])):
        inner = kind()
        inner.reset(seed=1) if isinstance(inner, gymnasium.Env) else inner.seed(1)
        wrapped = AttackObservation(inner, Attacker(attack, from_sb3(model), inner.observation_space, 1))
        returns.append(evaluate_policy(model, wrapped, n_eval_episodes=3, warn=False, return_episode_rewards=True)[0])
    assert all(reward >= 8 for one in returns for reward in one)


def test_an_attack_takes_the_return_of_a_policy_that_needs_what_it_sees():
    """Pushing the pole's fall back keeps it up for long; a victim that sees the other sign soon drops it."""
    balance = nn.Sequential(nn.Linear(4, 2))
    with torch.no_grad():
        balance[0].weight[:] = torch.tensor([[0.0, 0, -4, -2], [0.0, 0, 4, 2]])
        balance[0].bias[:] = 0
    victim, inner = ModulePolicy(balance, (4,), 2), gymnasium.make("CartPole-v1")
    attack = make_attack("fgsm", Budget(eps=0.5, space="raw"))
    wrapped = AttackObservation(inner, Attacker(attack, victim, inner.observation_space, 1))

    def length(env):
        obs, _ = env.reset(seed=0)
        for step in range(500):
            action = int(victim(torch.as_tensor(obs)[None]).actions.greedy)
            obs, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                return step
        return 500

    assert length(inner) > 150
    assert length(wrapped) < 20


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_episode_of_a_slot_has_a_stream_of_its_own(mode):
    def play():
        vector = SyncVectorEnv([Frames] * 2, autoreset_mode=mode)
        env = AttackObservation(vector, attacker(vector, 2, "noise", space="unit", eps=0.01))
        shown = [env.reset(seed=4)[0]]
        for step in range(1, 13):
            if mode == AutoresetMode.DISABLED and step % 6 == 0:
                shown.append(env.reset(options={"reset_mask": np.ones(2, dtype=bool)})[0])
            else:
                shown.append(env.step(np.zeros(2, dtype=np.int64))[0])
        return shown

    first, again = play(), play()
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    later = 5 if mode == AutoresetMode.SAME_STEP else 6  # the same clean observation, an episode later
    assert np.abs(first[0]).max() == np.abs(first[later]).max() == pytest.approx(2.55, abs=1e-4)
    assert not np.array_equal(first[0], first[later])
    assert not np.array_equal(first[0][0], first[0][1])


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_held_frames_are_cleared_in_every_autoreset_mode(mode):
    vector = SyncVectorEnv([Frames] * 2, autoreset_mode=mode)
    attack = make_attack("noise", Budget(eps=0.01))
    inner = Attacker(attack, random_linear_policy((4, 36, 36), 2), vector.single_observation_space, 2, model="frame")
    env = AttackObservation(vector, inner)
    before, _ = env.reset(seed=0)
    for step in range(1, 15):  # a frame held too long would not shift, which the attacker refuses
        if mode == AutoresetMode.DISABLED and step % 6 == 0:
            now, ended, info = env.reset(options={"reset_mask": np.ones(2, dtype=bool)})[0], np.zeros(2, bool), {}
        else:
            now, _, ended, _, info = env.step(np.zeros(2, dtype=np.int64))
        last = np.stack(list(info["final_obs"])) if "final_obs" in info and ended.any() else now
        if not (mode != AutoresetMode.SAME_STEP and step % 6 == 0):  # else an episode began
            assert np.array_equal(last[:, :-1], before[:, 1:])
        before = now.copy()
        now[:] = 0  # the caller's own


def test_an_unfinished_slot_keeps_what_was_shown_while_another_is_reset():
    vector = SyncVectorEnv([Frames] * 2, autoreset_mode=AutoresetMode.DISABLED)
    env = AttackObservation(vector, attacker(vector, 2, "noise", space="unit", eps=0.01))
    env.reset(seed=0)
    before, *_ = env.step(np.zeros(2, dtype=np.int64))
    after, _ = env.reset(seed=[None, 3], options={"reset_mask": np.asarray([False, True])})
    assert np.array_equal(after[0], before[0])
    assert not np.array_equal(after[1], before[1])


def test_seeds_one_an_environment_seed_the_attack_too():
    vector = SyncVectorEnv([Frames] * 2)
    env = AttackObservation(vector, attacker(vector, 2, "noise", space="unit", eps=0.01))
    first, _ = env.reset(seed=[3, 4])
    other, _ = env.reset(seed=[3, 5])
    again, _ = env.reset(seed=[3, 4])
    unseeded, _ = env.reset(seed=[None, None])
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(again, unseeded)


def test_the_seed_of_a_vecenv_seeds_the_attack():
    def shown(seed):
        inner = DummyVecEnv([Frames] * 2)
        env = AttackObservation(inner, attacker(inner, 2, "noise", space="unit", eps=0.01))
        env.seed(seed)
        return env.reset()

    assert np.array_equal(shown(1), shown(1))
    assert not np.array_equal(shown(1), shown(2))


def test_the_environment_underneath_is_left_as_it_was():
    class Shared(Frames):
        """Shows one array for ever, which may not be written."""

        shown = np.zeros((4, 36, 36), dtype=np.uint8)
        shown.flags.writeable = False

        def _show(self):
            return self.shown

    env = AttackObservation(Shared(), attacker(Shared(), space="unit", eps=0.01))
    obs, _ = env.reset(seed=0)
    assert np.abs(obs).max() > 2
    obs[:] = 9
    assert not Shared.shown.any()


def test_float64_is_shown_as_float32_in_its_own_range():
    class Wide(Frames):
        observation_space = gymnasium.spaces.Box(-1.5, 2.5, (4, 36, 36), np.float64)

        def _show(self):
            return np.full((4, 36, 36), 1 / 3)

    env = AttackObservation(Wide(), attacker(Wide()))
    assert env.observation_space == gymnasium.spaces.Box(-1.5, 2.5, (4, 36, 36), np.float32)
    assert env.observation_space.contains(env.reset(seed=0)[0])


def test_a_wrapped_environment_is_pickled_with_its_episode():
    env = gymnasium.make("CartPole-v1")
    wrapped = AttackObservation(env, attacker(env, name="noise"))
    wrapped.reset(seed=0)
    copy = pickle.loads(pickle.dumps(wrapped))
    for _ in range(3):
        assert np.array_equal(wrapped.step(1)[0], copy.step(1)[0])


def test_what_is_recorded_of_it_makes_the_same_environment_again():
    env = gymnasium.make("CartPole-v1")
    wrapped = AttackObservation(env, attacker(env, name="noise"), seed=3)
    again = [gymnasium.make(wrapped.spec) for _ in range(2)]
    assert wrapped.spec.additional_wrappers[-1].name == "AttackedEnv"
    expected, _ = wrapped.reset(seed=5)
    for one in again:  # each with an attacker of its own
        assert np.array_equal(one.reset(seed=5)[0], expected)
    steps = [[env.step(1)[0] for _ in range(3)] for env in (wrapped, *again)]
    assert np.array_equal(steps[0], steps[1])
    assert np.array_equal(steps[0], steps[2])
