"""Games to train on: Gymnasium vector environments that start the next episode in the step that ends the last one."""

from functools import partial
from typing import Any

import numpy as np
from gymnasium import Wrapper
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from rlattack.arrays import Array, BoolArray, IntArray, finite
from rlattack.errors import InvalidInput
from rlattack.games.atari import Frames, Preprocessing, vector_env
from rlattack.games.card import GameCard
from rlattack.games.find import make_game
from rlattack.games.gymnasium_games import faults, make_env


def training_env(card: GameCard, envs: int, threads: int = 1) -> VectorEnv[Any, Any, Any]:
    """Builds a game in `envs` copies with SAME_STEP autoreset; an ended slot's last observation is in `final_obs`.

    Atari rewards are clipped to their signs and a lost life ends an episode, but not the game, as in Mnih et al. 2015.
    When a game is over, `info["game_score"]` is the sum of its own rewards.

    Args:
        card: The game.
        envs: Copies.
        threads: That step them, where the game can; changes no result.

    Raises:
        InvalidInput: Fewer than one copy, or a game that cannot be played as it is.
        MissingExtra: The game needs a package that is not installed.
    """
    if envs < 1:
        raise InvalidInput(f"game {card.id}: expected at least 1 copy, got {envs}")
    if card.family == "atari":
        return _AtariTraining(card, envs, threads)
    if card.family == "gymnasium":
        return SyncVectorEnv([partial(_Sound, card)] * envs, autoreset_mode=AutoresetMode.SAME_STEP)
    from rlattack.games.solo import EmbedOpponent  # which needs torch

    return EmbedOpponent(make_game(card, envs, threads=threads), 0, {}, sparse=1.0)  # nobody sits elsewhere


class _Sound(Wrapper[Array, Any, Any, Any]):
    """A copy of a Gymnasium environment whose faults name the game; no play loop looks at its numbers, so it does."""

    def __init__(self, card: GameCard) -> None:
        super().__init__(make_env(card))
        self._name = card.id

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        with faults("reset", self._fault):
            obs, info = self.env.reset(seed=seed, options=options)
        self._check("shows", obs)
        return obs, info

    def step(self, action: Any) -> tuple[Array, Any, bool, bool, dict[str, Any]]:
        with faults("step", self._fault):
            found = self.env.step(action)
        self._check("shows", found[0])
        self._check("pays", np.asarray(found[1], dtype=np.float64))
        return found

    def _check(self, does: str, numbers: Array) -> None:
        if numbers.dtype.kind == "f" and not finite(numbers).all():
            raise self._fault(f"{does} what is no finite number of 32 bits")

    def _fault(self, said: str) -> InvalidInput:
        return InvalidInput(f"game {self._name}: {said}")


class _AtariTraining(VectorWrapper[Frames, IntArray, Frames, IntArray, Array]):
    """The C++ environment with the card's crop, fill and action list, in `final_obs` too, and with scores of games."""

    def __init__(self, card: GameCard, envs: int, threads: int) -> None:
        super().__init__(vector_env(card, envs, threads=threads, training=True))
        self._preprocessing = Preprocessing(card.atari, self.env.single_action_space, envs)
        self._lives: Array = np.zeros(envs, dtype=np.int32)
        self._scores: Array = np.zeros(envs, dtype=np.int64)
        self.single_observation_space = self._preprocessing.observation_space
        self.single_action_space = self._preprocessing.action_space
        self.observation_space = batch_space(self.single_observation_space, envs)
        self.action_space = batch_space(self.single_action_space, envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Frames, dict[str, Any]]:
        obs, info = self.env.reset(seed=seed, options=options)
        begun = (options or {}).get("reset_mask", slice(None))
        self._preprocessing.age[begun] = self._scores[begun] = 0
        self._lives = info["lives"]
        return self._preprocessing.show(obs), info

    def step(self, actions: IntArray) -> tuple[Frames, Array, BoolArray, BoolArray, dict[str, Any]]:
        obs, rewards, terminated, truncated, info = self.env.step(self._preprocessing.actions[actions])
        self._preprocessing.age += 1
        self._scores += rewards
        # with the last life the count begins anew; games without lives count 0 for ever
        goes_on = terminated & ~truncated & (info["lives"] < self._lives)
        over = (terminated | truncated) & ~goes_on
        self._lives = info["lives"]
        if "final_obs" in info:  # which ale-py 0.12 leaves unwritten where the game goes on
            final = np.where(goes_on[:, None, None, None], obs, info["final_obs"])
            info = {**info, "final_obs": self._preprocessing.show(final)}
        if over.any():
            info = {**info, "game_score": self._scores.copy(), "_game_score": over}
            self._preprocessing.age[over] = self._scores[over] = 0
        return self._preprocessing.show(obs), np.sign(rewards), terminated, truncated, info
