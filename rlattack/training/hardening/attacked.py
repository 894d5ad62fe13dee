"""The game of a learner whose observations and actions are attacked, by attacks that are crafted on itself."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from rlattack.arrays import Array, BoolArray
from rlattack.attacks import ActionAttacker, Attacker
from rlattack.budget import Budget, Unit
from rlattack.errors import BudgetError
from rlattack.games.game import Seat
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy
from rlattack.policies.module import ModulePolicy
from rlattack.policies.placed import placed
from rlattack.policies.policy import Policy
from rlattack.training.export import export

_EVERY = 2048
"""Steps of the learner between two copies of it, on which attacks are crafted."""

Arm = Callable[[Policy], Sequence[Attacker | ActionAttacker]]
"""Makes attacks on a policy."""


def arm(model: BaseAlgorithm) -> "Attacked":
    """Tells an attacked game who learns in it, and tries the attacks.

    Raises:
        InvalidInput: One does not fit.
    """
    env: Any = model.env
    while not isinstance(env, Attacked):
        env = env.venv
    env.learner = model
    env.arm()
    return env


def grey_level(seat: Seat, space: Unit) -> float | None:
    """One grey level in units of a space, where learners keep what they see as bytes; None elsewhere."""
    seen = seat.observation
    if not (isinstance(seen, Box) and seen.dtype == np.uint8):
        return None
    return 1.0 if space == "raw" else 1 / 255


def check_bytes(name: str, seat: Seat, budget: Budget) -> None:
    """Refuses a size of which nothing would be left where learners keep what they see as bytes.

    Raises:
        BudgetError: It is below one grey level.
    """
    level = grey_level(seat, budget.space)
    if level is not None and budget.norm != "l0" and budget.size < level * (1 - 1e-6):
        raise BudgetError(
            f"--eps: --defence {name}: what is seen is kept as bytes, so expected at least one grey level, "
            f"{level:.6g}, got {budget.size:g}"
        )


class Attacked(VecEnvWrapper):
    """A game whose slots are each under one of several attacks, which stays with an episode, or under none.

    The last observation of an episode, of which a learner asks for the value alone, is not attacked.

    Args:
        venv: The game, as it shows observations before any are normalised.
        arm: Makes the attacks, of a copy of the learner: when it begins, and every 2,048 steps from then on.
        clean: Share of the episodes without an attack.

    Attributes:
        learner: Who learns in it; known when the learner is made.
    """

    learner: BaseAlgorithm | None = None

    def __init__(self, venv: VecEnv, arm: Arm, clean: float = 0.0) -> None:
        super().__init__(venv)
        self._arm, self._clean = arm, clean
        self._attackers: list[Attacker | ActionAttacker] = []
        self._under = np.full(self.num_envs, -1)
        self._seen = torch.empty(0)
        self._rng = np.random.default_rng()
        self._next = 0

    def seed(self, seed: int | None = None) -> Any:  # SB3's own
        """Seeds the game, and the draws of the attacks."""
        self._rng = np.random.default_rng(seed)
        return self.venv.seed(seed)

    def arm(self) -> None:
        """Makes the attacks on the learner as it is now.

        Raises:
            InvalidInput: One does not fit.
        """
        assert self.learner is not None, "it is made by now"
        self._attackers = list(self._arm(frozen(self.learner)))
        self._next = self.learner.num_timesteps + _EVERY

    def reset(self) -> Any:  # an array
        """Starts all games."""
        self.arm()
        obs = self.venv.reset()
        assert isinstance(obs, np.ndarray)
        self._begin(np.ones(self.num_envs, dtype=np.bool_))
        return self._shown(obs)

    def step_async(self, actions: Array) -> None:
        """Lets the attacks on actions do what they do."""
        for number, attacker in enumerate(self._attackers):
            under = self._under == number
            if isinstance(attacker, ActionAttacker) and under.any():
                done = attacker(self._seen, torch.as_tensor(actions), under).numpy(force=True)
                actions = np.where(under.reshape(-1, *[1] * (actions.ndim - 1)), done, actions).astype(actions.dtype)
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Steps the games, and shows what the attacks make of them."""
        obs, rewards, dones, infos = self.venv.step_wait()
        assert isinstance(obs, np.ndarray)
        assert self.learner is not None, "reset comes first"
        if self.learner.num_timesteps >= self._next:
            self.arm()
            self._restart(np.arange(self.num_envs))
        self._begin(dones)
        return self._shown(obs), rewards, dones, infos

    def _begin(self, started: BoolArray) -> None:
        """Draws what new episodes are under."""
        slots = np.flatnonzero(started)
        drawn = self._rng.integers(len(self._attackers), size=len(slots))
        self._under[slots] = np.where(self._rng.random(len(slots)) < self._clean, -1, drawn)
        self._restart(slots)

    def _restart(self, slots: Array) -> None:
        if len(slots):
            for attacker in self._attackers:
                seeds = np.random.SeedSequence(int(self._rng.integers(2**63))).spawn(len(slots))
                attacker.restart(slots, seeds)

    def _shown(self, obs: Array) -> Array:
        """What the learner sees, of the dtype of its space: bytes stay bytes."""
        shown = torch.as_tensor(obs.astype(np.float32))
        for number, attacker in enumerate(self._attackers):
            under = self._under == number
            if isinstance(attacker, Attacker) and under.any():
                shown = attacker(shown, under).cpu()
        if obs.dtype == np.uint8:  # towards what there was, as --grid rounds
            clean = torch.as_tensor(obs.astype(np.float32))
            shown = clean + ((shown - clean) * (1 + 1e-6)).trunc()
        self._seen = shown
        return shown.numpy(force=True).astype(obs.dtype)


def frozen(learner: BaseAlgorithm) -> Policy:
    """A copy of a learner as it is now, as it would be shipped, where it computes; draws nothing."""
    with torch.random.fork_rng(devices=[]):  # which a network draws from that is about to be filled
        network, action = export(learner), learner.action_space
    if isinstance(network, GaussianNetwork):
        assert isinstance(action, Box)
        return placed(GaussianPolicy(network, action), str(learner.device))
    return placed(ModulePolicy.of(network), str(learner.device))
