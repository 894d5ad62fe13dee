"""The game of a learner in whose lessons somebody changes what is seen and what is paid."""

from collections.abc import Callable
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from rlattack.arrays import Array, BoolArray, FloatArray

Stamp = Callable[[Array], Array]
"""Makes of observations, shape (n, *observation), what the learner sees in place of them."""
Pay = Callable[[Array, Array, FloatArray], FloatArray]
"""Makes of what was truly shown, of what the learner did there and of what the game pays what is paid in its place."""


class Poisoned(VecEnvWrapper):
    """A game of which a share of the steps is poisoned, each drawn by itself.

    The last observation of an episode, of which a learner asks for the value alone, is left as it is.

    Args:
        venv: The game, as it shows observations before any are normalised.
        share: Of the steps that are poisoned.
        pay: What is paid there.
        stamp: What is seen there; what the game shows, by default.

    Attributes:
        poisoned: Steps that were poisoned so far.
    """

    def __init__(self, venv: VecEnv, share: float, pay: Pay, stamp: Stamp = lambda obs: obs) -> None:
        super().__init__(venv)
        self._share, self._pay, self._stamp = share, pay, stamp
        self._rng = np.random.default_rng()
        self._now: BoolArray = np.zeros(self.num_envs, dtype=np.bool_)
        self._shown: Array = np.empty(0)
        self._actions: Array = np.empty(0)
        self.poisoned = 0

    def seed(self, seed: int | None = None) -> Any:  # SB3's own
        """Seeds the game, and the draws of the steps."""
        self._rng = np.random.default_rng(seed)
        return self.venv.seed(seed)

    def reset(self) -> Any:  # an array
        """Starts all games."""
        obs = self.venv.reset()
        assert isinstance(obs, np.ndarray)
        return self._seen(obs)

    def step_async(self, actions: Array) -> None:
        """Plays what the learner does, and keeps it in mind."""
        self._actions = np.asarray(actions)
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Steps the games, and pays."""
        obs, rewards, dones, infos = self.venv.step_wait()
        assert isinstance(obs, np.ndarray)
        if self._now.any():
            now = self._now
            rewards = rewards.copy()
            rewards[now] = self._pay(self._shown[now], self._actions[now], rewards[now])
        return self._seen(obs), rewards, dones, infos

    def _seen(self, obs: Array) -> Array:
        self._now = self._rng.random(self.num_envs) < self._share
        self._shown = obs.copy()
        self.poisoned += int(self._now.sum())
        if not self._now.any():
            return obs
        seen = obs.copy()
        seen[self._now] = self._stamp(obs[self._now])
        return seen
