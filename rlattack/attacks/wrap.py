"""Wrappers that show an agent attacked observations, around environments of Gymnasium and Stable-Baselines3.

They stand alone: give them an `Attacker`, and whatever plays in the environment plays under attack.
"""

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from rlattack.arrays import Array, BoolArray
from rlattack.attacks.attacker import Attacker
from rlattack.attacks.inject import Injector
from rlattack.errors import InvalidInput

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv


@overload
def AttackObservation(env: VectorEnv[Any, Any, Any], attacker: Attacker, seed: int = 0) -> "AttackedVectorEnv": ...
@overload
def AttackObservation(env: gymnasium.Env[Any, Any], attacker: Attacker, seed: int = 0) -> "AttackedEnv": ...
@overload
def AttackObservation(env: "VecEnv", attacker: Attacker, seed: int = 0) -> "VecEnv": ...
def AttackObservation(env: Any, attacker: Attacker, seed: int = 0) -> Any:  # noqa: N802  # a constructor
    """Wraps an environment so that what it shows is attacked.

    With `grid` in the budget observations stay bytes. Otherwise they are float32 in the environment's own range (0..255
    for pixels): the policy must take floats in that range. Stable-Baselines3's CnnPolicy does, through `predict` and
    `evaluate_policy`, but `model.set_env` refuses the changed space, and its `DummyVecEnv` truncates floats to bytes
    where the environment in it declares bytes: what makes them floats must declare so, as this wrapper does.

    The last observation of an episode is attacked too (`final_obs`, `terminal_observation`).

    A `VecNormalize` around this is noticed at reset; one around a `SubprocVecEnv` is not, since the environments in
    that are in processes of their own: wrap the `VecEnv`, not what is in it.

    Args:
        env: A `gymnasium.Env`, a `gymnasium.vector.VectorEnv` or a Stable-Baselines3 `VecEnv`, wrapped in whatever the
            network sees it through: `AttackObservation(VecNormalize(...), ...)`, not the other way round.
        attacker: Fitted to the environment (`Attacker(attack, model, env)`), with one slot an environment.
        seed: Of the attack's random numbers until `reset(seed=...)` gives another.

    Raises:
        InvalidInput: Not an environment, one that steps only a part of its copies at once, an attacker of another
            space or number of slots, or (at reset) an environment inside of a wrapper that normalises what it shows.

    >>> import gymnasium
    >>> from rlattack import AttackObservation, Attacker, Budget, make_attack
    >>> env = gymnasium.make("CartPole-v1")
    >>> attack = make_attack("fgsm", Budget(eps=0.1, space="raw"))
    >>> attacked = AttackObservation(env, Attacker(attack, "gymnasium/CartPole-v1/dqn", env))
    >>> f"{abs(attacked.reset(seed=0)[0] - env.reset(seed=0)[0]).max():.4f}"
    '0.1000'
    """
    if isinstance(env, VectorEnv):
        return AttackedVectorEnv(env, attacker, seed)
    if isinstance(env, gymnasium.Env):
        return AttackedEnv(env, attacker, seed)
    if hasattr(env, "step_wait"):
        from rlattack.attacks.wrap_sb3 import AttackedVecEnv

        return AttackedVecEnv(env, attacker, seed)
    raise InvalidInput(f"expected a gymnasium Env or VectorEnv or a Stable-Baselines3 VecEnv, got {type(env).__name__}")


@dataclass(frozen=True)
class _Recorded:
    """An attacker in an environment's `spec`: `gymnasium.make` gives each environment that it makes a copy."""

    attacker: Attacker


class AttackedEnv(gymnasium.Wrapper[Any, Any, Any, Any], gymnasium.utils.RecordConstructorArgs):
    """A single environment under attack; made by `AttackObservation`."""

    def __init__(self, env: gymnasium.Env[Any, Any], attacker: "Attacker | _Recorded", seed: int = 0) -> None:
        if isinstance(attacker, _Recorded):
            attacker = copy.deepcopy(attacker.attacker)
        gymnasium.utils.RecordConstructorArgs.__init__(
            self, _disable_deepcopy=True, attacker=_Recorded(attacker), seed=seed
        )
        gymnasium.Wrapper.__init__(self, env)
        self._injector = Injector(attacker, env, 1, seed)
        self.observation_space = self._injector.space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Resets; `seed` seeds the attack too."""
        self._injector.check_around()
        obs, info = self.env.reset(seed=seed, options=options)
        self._injector.seed(seed)
        self._injector.restart(np.ones(1, dtype=np.bool_))
        return self._attacked(obs), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:  # the env's own
        """Steps and attacks what is shown."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        return self._attacked(obs), reward, terminated, truncated, info

    def _attacked(self, obs: Any) -> Any:
        """One observation after the attack: an array, or a dictionary of them."""
        if not isinstance(obs, dict):
            return self._injector.attack(obs[None])[0]
        attacked = self._injector.attack({name: np.asarray(part)[None] for name, part in obs.items()})
        return {name: part[0] for name, part in attacked.items()}


class AttackedVectorEnv(VectorWrapper[Any, Any, Any, Any, Any]):
    """A vector environment under attack, in any autoreset mode; made by `AttackObservation`."""

    def __init__(self, env: VectorEnv[Any, Any, Any], attacker: Attacker, seed: int = 0) -> None:
        super().__init__(env)
        if (shape := env.observation_space.shape) and shape[0] != env.num_envs:
            raise InvalidInput(
                f"expected all environments to step at once, got {shape[0]} of {env.num_envs}; leave out batch_size"
            )
        if isinstance(env.single_observation_space, gymnasium.spaces.Dict):
            raise InvalidInput(
                "a VectorEnv of Dict observations: expected a single environment of them, or SB3's VecEnv"
            )
        self._injector = Injector(attacker, env, env.num_envs, seed)
        # ale-py 0.12 writes the mode into metadata that all vector environments share: the environment's own word first
        said = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        self._mode = AutoresetMode(getattr(env.unwrapped, "autoreset_mode", said))
        self._ended = np.zeros(env.num_envs, dtype=np.bool_)
        self._shown: Array | None = None
        self.single_observation_space = self._injector.space
        self.observation_space = batch_space(self._injector.space, env.num_envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Resets all, or those of `options["reset_mask"]`; `seed`, one or one an environment, seeds the attack too."""
        self._injector.check_around()
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

    def step(self, actions: Any) -> tuple[Array, Array, BoolArray, BoolArray, dict[str, Any]]:  # the env's own
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
            self._injector.restart(self._ended)
            self._ended = done
        self._shown = self._injector.attack(obs)
        return self._shown.copy(), rewards, terminated, truncated, info
