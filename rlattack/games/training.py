"""Games to train on: Gymnasium vector environments that start the next episode in the step that ends the last one."""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from rlattack.errors import InvalidInput
from rlattack.games.atari import View, vector_env
from rlattack.games.batch import BoolArray, IntArray
from rlattack.games.card import GameCard
from rlattack.games.gymnasium_games import make_env

__all__ = ["training_env"]

_Frames = npt.NDArray[np.uint8]


def training_env(card: GameCard, envs: int) -> VectorEnv[Any, Any, Any]:
    """Builds a game in `envs` copies with SAME_STEP autoreset; an ended slot's last observation is in `final_obs`.

    Atari rewards are clipped to their signs and a lost life ends an episode, as in Mnih et al. 2015.

    Raises:
        InvalidInput: Fewer than one copy, or a game that cannot be played as it is.
        MissingExtra: The game needs a package that is not installed.
    """
    if envs < 1:
        raise InvalidInput(f"game {card.id}: expected at least 1 copy, got {envs}")
    if card.family == "atari":
        return _AtariTraining(card, envs)
    return SyncVectorEnv([partial(make_env, card)] * envs, autoreset_mode=AutoresetMode.SAME_STEP)


class _AtariTraining(VectorWrapper[_Frames, IntArray, _Frames, IntArray, npt.NDArray[Any]]):
    """The C++ environment with the card's crop, fill and action list, in `final_obs` too."""

    def __init__(self, card: GameCard, envs: int) -> None:
        super().__init__(vector_env(card, envs, training=True))
        self._view = View(card.atari, self.env.single_action_space, envs)
        self.single_observation_space = self._view.observation_space
        self.single_action_space = self._view.action_space
        self.observation_space = batch_space(self.single_observation_space, envs)
        self.action_space = batch_space(self.single_action_space, envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[_Frames, dict[str, Any]]:
        obs, info = self.env.reset(seed=seed, options=options)
        self._view.age[(options or {}).get("reset_mask", slice(None))] = 0
        return self._view.show(obs), info

    def step(self, actions: IntArray) -> tuple[_Frames, npt.NDArray[Any], BoolArray, BoolArray, dict[str, Any]]:
        obs, rewards, terminated, truncated, info = self.env.step(self._view.actions[actions])
        self._view.age += 1
        if "final_obs" in info:
            info = {**info, "final_obs": self._view.show(info["final_obs"])}
        self._view.age[terminated | truncated] = 0
        return self._view.show(obs), rewards, terminated, truncated, info
