"""Small games to train on, made to be known by hand."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import VecMonitor

from rlattack.games.card import GameCard
from rlattack.training import GymnasiumVecEnv

SPACES = {
    "images": Box(0, 255, (4, 40, 36), np.uint8),
    "floats": Box(-1, 1, (4, 40, 36), np.float32),
    "vectors": Box(-5, 5, (4,), np.float32),
    "table": Box(-5, 5, (3, 2), np.float32),
}
CARD = GameCard(id="gymnasium/CartPole-v1", title="a stand-in: export asks for no more than options and id")


class Countdown(gymnasium.Env[Any, int]):
    """Shows the step and its own number; step t pays t; ends by the rules, or is cut off, after `length` steps."""

    observation_space = Box(0, 100, (2,), np.float32)
    action_space = Discrete(3)

    def __init__(self, number: int, length: int, *, cut: bool) -> None:
        self.number, self.length, self.cut = number, length, cut
        self.step_ = 0
        self.resets: list[tuple[int | None, Any]] = []
        self.played: list[int] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.resets.append((seed, options))
        self.step_ = 0
        return self._obs(), {"fresh": len(self.resets)}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.played.append(int(action))
        self.step_ += 1
        over = self.step_ >= self.length
        info = {"is_success": not self.cut} if over else {"at": self.step_}
        return self._obs(), float(self.step_), over and not self.cut, over and self.cut, info

    def double(self, value: int) -> int:
        return 2 * value

    def _obs(self) -> Any:
        return np.array([self.step_, self.number], dtype=np.float32)


class Noise(gymnasium.Env[Any, int]):
    """Shows noise of a space; the action 0 pays."""

    action_space = Discrete(3)

    def __init__(self, space: Box, length: int = 7) -> None:
        self.observation_space = space
        self.length, self.step_ = length, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.step_ = 0
        return self._obs(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.step_ += 1
        return self._obs(), float(action == 0), self.step_ == self.length, False, {}

    def _obs(self) -> Any:
        space = self.observation_space
        if space.dtype == np.uint8:
            return self.np_random.integers(0, 256, space.shape, dtype=np.uint8)
        return self.np_random.uniform(-1, 1, space.shape).astype(np.float32)


def same_step(makers: list[Callable[[], gymnasium.Env[Any, Any]]]) -> SyncVectorEnv:
    return SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)


def noise(space: str | Box, envs: int = 2) -> SyncVectorEnv:
    box = SPACES[space] if isinstance(space, str) else space
    return same_step([lambda: Noise(box)] * envs)


def vec(space: str | Box, envs: int = 2) -> VecMonitor:
    return VecMonitor(GymnasiumVecEnv(noise(space, envs)))
