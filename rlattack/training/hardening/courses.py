"""Courses of play from which a student learns: what it or its teacher meets, and what the teacher says of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from rlattack.arrays import Array, IntArray
from rlattack.policies.policy import Policy
from rlattack.training.hardening.arrays import load_arrays, save_arrays

_ELSE = 1e9
"""By how much an action leads over what is never done."""
_BURST, _LONGEST = 0.008, 16
"""How often a burst of random actions starts, a step, and how long it is at most."""


@dataclass(frozen=True)
class Lesson:
    """States, with what the teacher says of them.

    Attributes:
        obs: What is looked at, shape (n, *seen), the game's dtype.
        chances: Of each action, float32, shape (n, actions).
        values: What the teacher expects, float32, shape (n,); 0 where it has no critic.
    """

    obs: Array
    chances: Tensor
    values: Tensor

    def chosen(self, scores: Tensor, accept: float) -> Tensor:
        """What a student does where it does right, int64, shape (n,).

        Args:
            scores: Its own, shape (n, actions).
            accept: Actions that the teacher would do at least so likely as its likeliest, as a share, are right.
        """
        wrong = self.chances < accept * self.chances.amax(dim=1, keepdim=True)
        found: Tensor = scores.detach().masked_fill(wrong, -_ELSE).argmax(dim=1)
        return found

    def save(self, path: Path) -> None:
        """Writes it; errors as of `save_arrays`."""
        save_arrays(path, {"obs": self.obs, "chances": self.chances.numpy(), "values": self.values.numpy()})

    @classmethod
    def load(cls, path: Path) -> "Lesson":
        """Reads it; errors as of `load_arrays`."""
        obs, chances, values = load_arrays(path, ("obs", "chances", "values"), "a lesson")
        return cls(obs, torch.as_tensor(chances), torch.as_tensor(values))


class Aggregate:
    """The states of all lessons so far: the data set of DAgger, in which old ones give way where there are too many.

    Args:
        most: States that are kept; at least those of one lesson.
    """

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._all: Lesson | None = None

    def add(self, lesson: Lesson, seed: tuple[int, ...]) -> None:
        """Takes a lesson in; which states give way for it is drawn by a seed."""
        count, chances, values = len(lesson.obs), lesson.chances, lesson.values
        if self._all is None:
            most = max(self._most, count)
            obs = np.empty((most, *lesson.obs.shape[1:]), dtype=lesson.obs.dtype)
            self._all = Lesson(obs, chances.new_empty(most, chances.shape[1]), values.new_empty(most))
        fresh = np.arange(self._held, min(self._held + count, len(self._all.obs)))
        gone = min(count - len(fresh), self._held)
        old = np.random.default_rng(seed).permutation(self._held)[:gone]
        rows = np.concatenate([fresh, old])
        taken = slice(len(rows))  # all, unless lessons became longer
        self._all.obs[rows] = lesson.obs[taken]
        self._all.chances[rows], self._all.values[rows] = chances[taken], values[taken]
        self._held += len(fresh)

    def drawn(self, count: int, rng: np.random.Generator) -> Lesson:
        """So many states, each as likely as any other."""
        assert self._all is not None, "a lesson was taken in"
        rows = rng.integers(0, self._held, count)
        return Lesson(self._all.obs[rows], self._all.chances[rows], self._all.values[rows])


def attend(
    env: VectorEnv[Any, Any, Any], teacher: Policy, newest: Callable[[Any], Any], states: int,
    leads: Callable[[Array], IntArray] | None, seed: tuple[int, ...],
) -> Lesson:  # fmt: skip
    """Plays from fresh games on and asks the teacher of every state (DAgger, Ross et al. 2011).

    Of every four copies the teacher plays in one, greedily or as it draws; in the others the student, where there is
    one yet. Bursts of random actions lead both off their course, but for two of the student's, in which it comes to
    know the rounds in which greedy play goes about for ever.

    Args:
        env: Copies of the game, SAME_STEP autoreset; eight, or a multiple.
        teacher: Says how likely it would do what.
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
        said, expected = _asked(teacher, torch.as_tensor(obs, dtype=torch.float32))
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
def _asked(teacher: Policy, obs: Tensor) -> tuple[Tensor, Tensor]:
    out = teacher(obs)
    chances: Tensor = out.actions.probabilities  # type: ignore[attr-defined]  # of a discrete teacher
    values = torch.zeros(len(obs)) if out.values is None else out.values.cpu()
    return chances.cpu(), values
