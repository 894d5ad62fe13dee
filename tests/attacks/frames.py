"""A small environment of stacked frames, a linear policy, and who attacks it."""

import gymnasium
import numpy as np

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from tests.kit.agents import random_linear_policy


class Clock(gymnasium.Env):
    """Shows something at every step of an episode, and pays 1 for whatever is done."""

    action_space = gymnasium.spaces.Discrete(2)
    steps = 5

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._time = 0
        return self._show(), {}

    def step(self, action):
        self._time += 1
        return self._show(), 1.0, self._time == self.steps, False, {}


class Frames(Clock):
    """Counts up on stacked byte frames; an episode is five steps long."""

    observation_space = gymnasium.spaces.Box(0, 255, (4, 36, 36), np.uint8)

    def _show(self):
        frames = [np.full((36, 36), 40 * max(0, self._time - age), dtype=np.uint8) for age in (3, 2, 1, 0)]
        return np.stack(frames)


def attacker(env, slots=1, name="fgsm", eps=0.1, space="raw", **budget):
    seen = env.single_observation_space if isinstance(env, gymnasium.vector.VectorEnv) else env.observation_space
    sure = {"loss": "margin"} if name == "fgsm" else {}  # a linear policy on pixels is too certain for cross-entropy
    attack = make_attack(name, Budget(eps=eps, space=space, **budget), **sure)
    return Attacker(attack, random_linear_policy(seen.shape, 2), seen, slots)
