"""Games, normalisers and players of the wrappers through which networks see."""

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from tests.attacks.frames import Clock
from tests.kit.agents import linear_policy


class Weights(Clock):
    """Pays 1 for the action that is the sign of the first of two heavy numbers; four steps long."""

    observation_space = gymnasium.spaces.Box(900.0, 1100.0, (2,), np.float32)
    steps = 4

    def step(self, action):
        reward = float(action == (self._shown[0] > 1000))
        obs, _, *rest = super().step(action)
        return obs, reward, *rest

    def _show(self):
        self._shown = self.np_random.choice(np.float32([990, 1010]), 2)
        return self._shown


class Picture(Clock):
    """Shows grey noise with channels last; five steps long."""

    observation_space = gymnasium.spaces.Box(0, 255, (36, 36, 1), np.uint8)

    def _show(self):
        return self.np_random.integers(30, 200, (36, 36, 1), np.uint8)


class Both(Clock):
    """Shows a picture and numbers; three steps long."""

    observation_space = gymnasium.spaces.Dict(
        picture=gymnasium.spaces.Box(0, 255, (1, 36, 36), np.uint8),
        place=gymnasium.spaces.Box(-5.0, 5.0, (3,), np.float32),
        speed=gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32),
        door=gymnasium.spaces.Discrete(2),
    )
    steps = 3

    def _show(self):
        return {
            "picture": np.full((1, 36, 36), 100, np.uint8), "place": np.full(3, self._time, np.float32),
            "speed": np.zeros(2, np.float32), "door": self._time % 2,
        }  # fmt: skip


def normalised(**settings):
    """Two copies of `Weights` whose normaliser has seen enough, and no longer learns."""
    env = VecNormalize(DummyVecEnv([Weights] * 2), norm_reward=False, **settings)
    env.seed(0)
    env.reset()
    for _ in range(200):
        env.step(np.zeros(2, dtype=np.int64))
    env.training = False
    return env


def signs():
    """A policy of normalised observations that acts by the sign of the first one, and is sure of it."""
    return linear_policy([[-1.0, 0.0], [1.0, 0.0]])


class Acting:
    """A policy as `evaluate_policy` asks it."""

    def __init__(self, policy):
        self._policy = policy

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        return self._policy(torch.as_tensor(obs)).actions.greedy.numpy(), None
