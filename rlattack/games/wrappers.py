"""Wrappers that show an agent attacked observations, around environments of Gymnasium and Stable-Baselines3.

They stand alone: give them an `Attacker`, and whatever plays in the environment plays under attack.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, overload

import gymnasium
import numpy as np
import numpy.typing as npt
import torch
from gymnasium import Space
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from torch import Tensor

from rlattack.errors import InvalidInput

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

__all__ = ["AttackObservation", "ObservationAttacker"]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


class ObservationAttacker(Protocol):
    """What a wrapper needs of an `rlattack.Attacker`."""

    slots: int
    space: Space[Any]
    grid: bool

    def restart(self, slots: npt.NDArray[np.int64], seeds: list[np.random.SeedSequence]) -> None:
        """Starts new episodes in slots."""

    def __call__(self, clean: Tensor, active: Mask | None = None) -> Tensor:
        """Perturbs float32 observations, shape (slots, *observation)."""


@overload
def AttackObservation(
    env: VectorEnv[Any, Any, Any], attacker: ObservationAttacker, seed: int = 0
) -> "AttackedVectorEnv": ...
@overload
def AttackObservation(env: gymnasium.Env[Any, Any], attacker: ObservationAttacker, seed: int = 0) -> "AttackedEnv": ...
@overload
def AttackObservation(env: "VecEnv", attacker: ObservationAttacker, seed: int = 0) -> "VecEnv": ...
def AttackObservation(env: Any, attacker: ObservationAttacker, seed: int = 0) -> Any:  # noqa: N802  # a constructor
    """Wraps an environment so that what it shows is attacked.

    With `grid` in the budget observations stay bytes. Otherwise they are float32 in the environment's own range (0..255
    for pixels): the policy must take floats in that range. Stable-Baselines3's CnnPolicy does, through `predict` and
    `evaluate_policy`, but `model.set_env` refuses the changed space, and its `DummyVecEnv` truncates floats to bytes
    where the environment in it declares bytes: what makes them floats must declare so, as this wrapper does.

    The last observation of an episode is attacked too (`final_obs`, `terminal_observation`).

    Args:
        env: A `gymnasium.Env`, a `gymnasium.vector.VectorEnv` or a Stable-Baselines3 `VecEnv`, of Box observations.
        attacker: Fitted to the environment's observation space, with one slot an environment.
        seed: Of the attack's random numbers until `reset(seed=...)` gives another.

    Raises:
        InvalidInput: Not an environment, one that steps only a part of its copies at once, or an attacker of another
            space or number of slots.
    """
    if isinstance(env, VectorEnv):
        return AttackedVectorEnv(env, attacker, seed)
    if isinstance(env, gymnasium.Env):
        return AttackedEnv(env, attacker, seed)
    if hasattr(env, "step_wait"):
        from rlattack.games.sb3_wrapper import AttackedVecEnv

        return AttackedVecEnv(env, attacker, seed)
    raise InvalidInput(f"expected a gymnasium Env or VectorEnv or a Stable-Baselines3 VecEnv, got {type(env).__name__}")


class Injector:
    """Arrays in, attacked arrays out; gives every episode of every slot its own random stream.

    Args:
        attacker: The attack at work.
        space: One observation of the environment.
        slots: Environments at once.
        seed: Root of the random streams.
    """

    def __init__(self, attacker: ObservationAttacker, space: Space[Any], slots: int, seed: int) -> None:
        if attacker.slots != slots:
            raise InvalidInput(
                f"the attacker has {attacker.slots} slots, the environment {slots}; make it with slots={slots}"
            )
        if attacker.space != space:
            raise InvalidInput(f"the attacker was fitted to {attacker.space}, the environment shows {space}")
        assert isinstance(space, Box)  # a budget fits no other space
        self.space = space if attacker.grid else Box(space.low.astype(np.float32), space.high.astype(np.float32))
        self._attacker = attacker
        self.seed(seed)

    def seed(self, seed: int | Sequence[int | None] | None) -> None:
        """Starts the random streams anew; None, for all or one environment, asks for nothing."""
        given = [int(one) for one in np.atleast_1d(np.asarray(seed, dtype=object)) if one is not None]
        if given:
            self._root = np.random.SeedSequence(given)

    def restart(self, mask: Mask) -> None:
        """Starts new episodes where `mask` is set."""
        slots = np.flatnonzero(mask)
        self._attacker.restart(slots, self._root.spawn(len(slots)))

    def attack(self, obs: Array, active: Mask | None = None) -> Array:
        """Attacks a batch, shape (slots, *observation); rows that are not active come back as they are."""
        received = self._attacker(torch.from_numpy(np.array(obs, dtype=np.float32)), active)
        attacked: Array = received.numpy().astype(self.space.dtype, copy=False)
        return attacked

    def attack_ended(self, finals: dict[int, Array], obs: Array) -> dict[int, Array]:
        """Attacks the last observations of episodes that ended, by slot, and leaves the other slots alone."""
        batch, active = np.array(obs), np.zeros(len(obs), dtype=np.bool_)
        for slot, final in finals.items():
            batch[slot], active[slot] = final, True
        attacked = self.attack(batch, active)
        return {slot: attacked[slot] for slot in finals}


@dataclass(frozen=True)
class _Recorded:
    """An attacker in an environment's `spec`: `gymnasium.make` gives each environment that it makes a copy."""

    attacker: ObservationAttacker


class AttackedEnv(gymnasium.Wrapper[Any, Any, Any, Any], gymnasium.utils.RecordConstructorArgs):
    """A single environment under attack; made by `AttackObservation`."""

    def __init__(
        self, env: gymnasium.Env[Any, Any], attacker: "ObservationAttacker | _Recorded", seed: int = 0
    ) -> None:
        if isinstance(attacker, _Recorded):
            attacker = copy.deepcopy(attacker.attacker)
        gymnasium.utils.RecordConstructorArgs.__init__(
            self, _disable_deepcopy=True, attacker=_Recorded(attacker), seed=seed
        )
        gymnasium.Wrapper.__init__(self, env)
        self._injector = Injector(attacker, env.observation_space, 1, seed)
        self.observation_space = self._injector.space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Resets; `seed` seeds the attack too."""
        obs, info = self.env.reset(seed=seed, options=options)
        self._injector.seed(seed)
        self._injector.restart(np.ones(1, dtype=np.bool_))
        return self._injector.attack(obs[None])[0], info

    def step(self, action: Any) -> tuple[Array, Any, bool, bool, dict[str, Any]]:  # the env's own
        """Steps and attacks what is shown."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        return self._injector.attack(obs[None])[0], reward, terminated, truncated, info


class AttackedVectorEnv(VectorWrapper[Any, Any, Any, Any, Any]):
    """A vector environment under attack, in any autoreset mode; made by `AttackObservation`."""

    def __init__(self, env: VectorEnv[Any, Any, Any], attacker: ObservationAttacker, seed: int = 0) -> None:
        super().__init__(env)
        if (shape := env.observation_space.shape) and shape[0] != env.num_envs:
            raise InvalidInput(
                f"expected all environments to step at once, got {shape[0]} of {env.num_envs}; leave out batch_size"
            )
        self._injector = Injector(attacker, env.single_observation_space, env.num_envs, seed)
        # ale-py 0.12 writes the mode into metadata that all vector environments share: the environment's own word first
        said = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        self._mode = AutoresetMode(getattr(env.unwrapped, "autoreset_mode", said))
        self._ended = np.zeros(env.num_envs, dtype=np.bool_)
        self._shown: Array | None = None
        self.single_observation_space = self._injector.space
        self.observation_space = batch_space(self._injector.space, env.num_envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Resets all, or those of `options["reset_mask"]`; `seed`, one or one an environment, seeds the attack too."""
        mask = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs)), dtype=np.bool_)
        obs, info = self.env.reset(seed=seed, options=options)
        self._injector.seed(seed)
        self._injector.restart(mask)
        self._ended[mask] = False
        attacked = self._injector.attack(obs, mask)
        if self._shown is not None:
            attacked[~mask] = self._shown[~mask]
        self._shown = attacked
        return attacked.copy(), info

    def step(self, actions: Any) -> tuple[Array, Array, Mask, Mask, dict[str, Any]]:  # the env's own
        """Steps and attacks what is shown, `final_obs` included."""
        obs, rewards, terminated, truncated, info = self.env.step(actions)
        done = terminated | truncated
        if self._mode == AutoresetMode.SAME_STEP and done.any():
            finals = info["final_obs"]
            attacked = self._injector.attack_ended({int(slot): finals[slot] for slot in np.flatnonzero(done)}, obs)
            shown = np.array(finals) if finals.dtype == object else finals.astype(self._injector.space.dtype)
            for slot, final in attacked.items():
                shown[slot] = final
            info = {**info, "final_obs": shown}
            self._injector.restart(done)
        elif self._mode == AutoresetMode.NEXT_STEP:
            if self._ended.any():
                self._injector.restart(self._ended)
            self._ended = done
        self._shown = self._injector.attack(obs)
        return self._shown.copy(), rewards, terminated, truncated, info
