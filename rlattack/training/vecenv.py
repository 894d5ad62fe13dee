"""A Gymnasium vector environment as Stable-Baselines3's `VecEnv`, so that SB3 trains on the C++ Atari."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import Env
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.env_util import is_wrapped
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from rlattack.errors import InvalidInput
from rlattack.games.solo import Solo

_LARGEST_SEED = 2**31 - 1


class GymnasiumVecEnv(VecEnv):
    """Adapts a vector environment with SAME_STEP autoreset, whose `final_obs` becomes `terminal_observation`.

    Args:
        env: The vector environment; array observations, not dictionaries.

    Raises:
        InvalidInput: Another autoreset mode, in which SB3 would learn from the step that only resets.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        if (mode := env.metadata.get("autoreset_mode")) != AutoresetMode.SAME_STEP:
            raise InvalidInput(
                f"expected autoreset mode SAME_STEP, got {getattr(mode, 'name', mode)}: "
                "pass autoreset_mode=AutoresetMode.SAME_STEP when making the vector environment"
            )
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._actions: np.ndarray[Any, Any] = np.zeros(env.num_envs, dtype=np.int64)

    def reset(self) -> VecEnvObs:
        """Resets all; takes the seeds and options that `seed()` and `set_options()` left.

        Raises:
            InvalidInput: Options that are not the same for all.
        """
        if any(options != self._options[0] for options in self._options):
            raise InvalidInput("expected the same reset options for every copy: a vector environment takes one set")
        first = self._seeds[0]  # the others follow it one by one, in SB3 as in Gymnasium
        if first is not None:  # SB3's own draws are larger than ale-py takes
            first %= _LARGEST_SEED - self.num_envs
        obs, info = self.env.reset(seed=first, options=self._options[0] or None)
        self.reset_infos = _rows(info, self.num_envs)
        self._reset_seeds()
        self._reset_options()
        return obs  # type: ignore[no-any-return]  # an array: dictionaries are not adapted

    def step_async(self, actions: np.ndarray[Any, Any]) -> None:
        """Keeps the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Steps all environments; an ended slot returns the first observation of its next episode."""
        obs, rewards, terminated, truncated, info = self.env.step(self._actions)
        dones = terminated | truncated
        infos = _rows(info, self.num_envs)
        for slot in np.flatnonzero(dones):
            row = infos[slot]
            self.reset_infos[slot] = {key: row[key] for key in row.keys() - {"final_obs", "final_info"}}
            infos[slot] = {
                **row.get("final_info", row),  # where there is none, it is not known which episode the rest is of
                "terminal_observation": np.array(info["final_obs"][slot]),
                "TimeLimit.truncated": bool(truncated[slot] and not terminated[slot]),
            }
        return obs, np.array(rewards, dtype=np.float32), dones, infos

    def close(self) -> None:
        """Closes the vector environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Reads an attribute of the copies, or of the vector environment where it has no copies of its own."""
        return [
            copy.get_wrapper_attr(attr_name) if isinstance(copy, Env) else getattr(copy, attr_name)
            for copy in self._copies(indices)
        ]

    def set_attr(self, attr_name: str, value: object, indices: VecEnvIndices = None) -> None:
        """Sets an attribute of the copies, or of the vector environment."""
        for copy in self._copies(indices):
            setattr(copy, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Calls a method of the copies, or of the vector environment, once an index."""
        methods = self.get_attr(method_name, indices)
        return [method(*method_args, **method_kwargs) for method in methods]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: VecEnvIndices = None) -> list[bool]:
        """Tells whether the copies stand in a wrapper of that class."""
        return [isinstance(copy, Env) and is_wrapped(copy, wrapper_class) for copy in self._copies(indices)]

    def _copies(self, indices: VecEnvIndices) -> Sequence[Any]:
        """The environments in a `SyncVectorEnv`; for the C++ one, which shows none, itself for each."""
        copies = getattr(self.env.unwrapped, "envs", None) or [self.env] * self.num_envs
        return [copies[i] for i in self._get_indices(indices)]


class SoloVecEnv(GymnasiumVecEnv):
    """A game whose other seats are held, which says to sb3-contrib's `MaskablePPO` what is legal."""

    env: Solo

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Calls a method; the masks of all copies are asked for at once."""
        if method_name == "action_masks":
            return list(self.env.action_masks())
        return super().env_method(method_name, *method_args, indices=indices, **method_kwargs)


def _rows(info: dict[str, Any], slots: int) -> list[dict[str, Any]]:
    """What a vector environment's `info` says of each slot: `_key` is the mask of the slots that `key` holds for."""
    rows: list[dict[str, Any]] = [{} for _ in range(slots)]
    for name, mask in info.items():
        if name.startswith("_"):
            value = info[name[1:]]
            values = _rows(value, slots) if isinstance(value, dict) else value
            for slot in np.flatnonzero(mask):
                rows[slot][name[1:]] = values[slot]
    return rows
