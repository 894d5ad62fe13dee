"""A Gymnasium vector environment as Stable-Baselines3's `VecEnv`, so that SB3 trains on the C++ Atari."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from rlattack.errors import InvalidInput

__all__ = ["GymnasiumVecEnv"]


class GymnasiumVecEnv(VecEnv):
    """Adapts a vector environment with SAME_STEP autoreset, whose `final_obs` becomes `terminal_observation`.

    Args:
        env: The vector environment; discrete or box spaces, not dictionaries.

    Raises:
        InvalidInput: Another autoreset mode, in which SB3 would learn from the step that only resets.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        if env.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
            raise InvalidInput(
                f"expected autoreset mode SAME_STEP, got {env.metadata.get('autoreset_mode')}: "
                "pass autoreset_mode=AutoresetMode.SAME_STEP when making the vector environment"
            )
        self.env = env
        self.render_mode = None
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._actions: np.ndarray[Any, Any] = np.zeros(env.num_envs, dtype=np.int64)

    def reset(self) -> VecEnvObs:
        """Resets all; takes the seeds that `seed()` left."""
        first = self._seeds[0]
        obs, _ = self.env.reset(seed=first)
        self._reset_seeds()
        return obs  # type: ignore[no-any-return]  # an array: dictionaries are not adapted

    def step_async(self, actions: np.ndarray[Any, Any]) -> None:
        """Keeps the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Steps all environments."""
        obs, rewards, terminated, truncated, info = self.env.step(self._actions)
        dones = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for slot in np.flatnonzero(dones):
            infos[slot] = {
                "terminal_observation": info["final_obs"][slot],
                "TimeLimit.truncated": bool(truncated[slot] and not terminated[slot]),
            }
        return obs, np.asarray(rewards, dtype=np.float32), dones, infos

    def close(self) -> None:
        """Closes the vector environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Reads an attribute of the vector environment, once an index."""
        return [getattr(self.env, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: object, indices: VecEnvIndices = None) -> None:
        """Sets an attribute of the vector environment."""
        setattr(self.env, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Calls a method of the vector environment, once an index."""
        method = getattr(self.env, method_name)
        return [method(*method_args, **method_kwargs) for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        """Tells whether the vector environment is of that class."""
        return [isinstance(self.env, wrapper_class) for _ in self._get_indices(indices)]

    def _get_indices(self, indices: VecEnvIndices) -> Sequence[int]:
        return list(super()._get_indices(indices))
