"""Courses of play from which a student learns: what it or its teacher meets, and what the teacher says of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from rlattack.arrays import Array, IntArray
from rlattack.policies.policy import Policy

_BURST, _LONGEST = 0.008, 16
"""How often a burst of random actions starts, a step, and how long it is at most."""


@dataclass(frozen=True)
class Lesson:
    """States, with what the teacher says of them.

    Attributes:
        obs: What is looked at, shape (n, *seen), the game's dtype.
        chances: Of each action, as the student is to read them, float32, shape (n, actions).
        values: What the teacher expects, float32, shape (n,); 0 where it has no critic.
    """

    obs: Array
    chances: Tensor
    values: Tensor


def attend(
    env: VectorEnv[Any, Any, Any], teacher: Policy, follows: Tensor, newest: Callable[[Any], Any], states: int,
    leads: Callable[[Array], IntArray] | None, seed: tuple[int, ...],
) -> Lesson:  # fmt: skip
    """Plays from fresh games on and asks the teacher of every state (DAgger, Ross et al. 2011).

    Of every four copies the teacher plays in one, greedily or as it draws; in the others the student, where there is
    one yet. Bursts of random actions lead both off their course, but for two of the student's, in which it comes to
    know the rounds in which greedy play goes about for ever.

    Args:
        env: Copies of the game, SAME_STEP autoreset; eight, or a multiple.
        teacher: Says how likely it would do what.
        follows: The action as which the student reads each one of the teacher, int64, shape (actions,).
        newest: The part of observations that is kept.
        states: How many.
        leads: What the student does, shape (n,), of observations.
        seed: Of the games and all draws.
    """
    rng = np.random.default_rng(seed)
    obs, _ = env.reset(seed=int(rng.integers(2**31 - env.num_envs)))
    copies = np.arange(env.num_envs)
    kept = np.empty((-(-states // len(copies)), *newest(obs).shape), dtype=obs.dtype)
    chances, values, left = [], [], np.zeros(len(copies), dtype=np.int64)
    for row in kept:
        row[:] = newest(obs)
        said, expected = _asked(teacher, torch.as_tensor(obs, dtype=torch.float32), follows)
        chances.append(said)
        values.append(expected)
        drawn = torch.as_tensor(rng.random(len(copies)), dtype=torch.float32)[:, None]
        sampled = (said.cumsum(dim=1) < drawn).sum(dim=1).clamp_max(said.shape[1] - 1)
        actions = np.where(copies % 8 < 4, said.argmax(dim=1).numpy(force=True), sampled.numpy(force=True))
        if leads is not None:
            actions = np.where(copies % 4 > 0, leads(obs), actions)
        starts = (left == 0) & (rng.random(len(copies)) < _BURST) & ((copies % 4 < 2) | (leads is None))
        left = np.where(starts, rng.integers(4, _LONGEST, len(copies)), np.maximum(left - 1, 0))
        actions = np.where(left > 0, rng.integers(0, said.shape[1], len(copies)), actions)
        obs = env.step(actions)[0]
    return Lesson(kept.reshape(-1, *kept.shape[2:]), torch.cat(chances), torch.cat(values))


@torch.no_grad()
def _asked(teacher: Policy, obs: Tensor, follows: Tensor) -> tuple[Tensor, Tensor]:
    out = teacher(obs)
    chances: Tensor = out.actions.probabilities  # type: ignore[attr-defined]  # of a discrete teacher
    values = torch.zeros(len(obs)) if out.values is None else out.values.cpu()
    return torch.zeros_like(chances).index_add_(1, follows, chances).cpu(), values
