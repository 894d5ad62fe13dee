"""Any Gymnasium environment with array observations and discrete actions, in copies that are stepped one by one."""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.error import DependencyNotInstalled
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TransformAction

from rlattack.errors import InvalidInput, MissingExtra
from rlattack.games.batch import BoolArray, IntArray, Step, check_seeds
from rlattack.games.card import GameCard

__all__ = ["GymnasiumBatch", "gymnasium_ids", "make_env"]


def gymnasium_ids() -> list[str]:
    """Returns the ids that are registered now, without ale-py's own: those games are played as `atari/<rom>`."""
    return sorted(key for key, spec in gymnasium.registry.items() if not str(spec.entry_point).startswith("ale_py"))


def make_env(card: GameCard) -> gymnasium.Env[Any, Any]:
    """Makes one copy of the environment of a card; its actions count from 0.

    Raises:
        MissingExtra: It needs a package that is not installed.
        InvalidInput: It cannot be made, or its spaces are not an array and discrete actions.
    """
    try:
        env = gymnasium.make(card.id.removeprefix("gymnasium/"), disable_env_checker=True)
    except (ImportError, DependencyNotInstalled) as error:
        raise MissingExtra(f"game {card.id}: it needs a package that is missing: {_line(error)}") from error
    except Exception as error:  # somebody else's constructor can raise anything
        raise InvalidInput(f"game {card.id}: the environment cannot be made: {_line(error)}") from error
    seen, done = env.observation_space, env.action_space
    if not isinstance(seen, Box) or not seen.shape:
        raise InvalidInput(f"game {card.id}: expected a Box of at least one axis as observations, got {_kind(seen)}")
    if not isinstance(done, Discrete):
        raise InvalidInput(f"game {card.id}: expected Discrete actions, got {_kind(done)}")
    if done.start == 0:
        return env
    return TransformAction(env, lambda action: action + done.start, Discrete(int(done.n)))


class GymnasiumBatch:
    """A Gymnasium environment in `slots` copies.

    An episode depends on its seed alone as far as the environment's own `reset(seed=)` sees to it.

    Args:
        card: The game, `gymnasium/<env id>`.
        slots: Number of copies.

    Raises:
        RlattackError: See `make_env`.
    """

    def __init__(self, card: GameCard, slots: int) -> None:
        self._envs = [make_env(card) for _ in range(slots)]
        self.slots = slots
        self.observation_space = self._envs[0].observation_space
        self.action_space = self._envs[0].action_space
        space = self.observation_space
        self._obs: npt.NDArray[Any] = np.zeros((slots, *(space.shape or ())), dtype=space.dtype)
        self._idle: BoolArray = np.ones(slots, dtype=np.bool_)

    def reset(self, mask: BoolArray, seeds: IntArray) -> npt.NDArray[Any]:
        """See `BatchedGame`."""
        for slot, seed in zip(np.flatnonzero(mask), check_seeds(mask, seeds), strict=True):
            self._obs[slot], _ = self._envs[slot].reset(seed=int(seed))
        self._idle[mask] = False
        return self._obs.copy()

    def step(self, actions: IntArray) -> Step:
        """See `BatchedGame`."""
        rewards = np.zeros(self.slots)
        terminated, truncated = np.zeros((2, self.slots), dtype=np.bool_)
        for slot in np.flatnonzero(~self._idle):
            result = self._envs[slot].step(int(actions[slot]))
            self._obs[slot], rewards[slot], terminated[slot], truncated[slot], _ = result
        self._idle |= terminated | truncated
        return Step(self._obs.copy(), rewards, terminated, truncated)

    def close(self) -> None:
        """See `BatchedGame`."""
        for env in self._envs:
            env.close()


def _kind(space: gymnasium.Space[Any]) -> str:
    return f"{type(space).__name__} of shape ()" if isinstance(space, Box) and not space.shape else type(space).__name__


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
