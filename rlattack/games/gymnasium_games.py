"""Any Gymnasium environment with array observations and discrete actions, in copies that are stepped one by one."""

import contextlib
import warnings
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import DependencyNotInstalled
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TransformAction

from rlattack.arrays import Array, BoolArray, IntArray
from rlattack.errors import InvalidInput, MissingExtra
from rlattack.games.camera import FILMED, Camera, Picture, enlarge
from rlattack.games.card import GameCard, Variant
from rlattack.games.game import OVER, PLAYER, Seat, Step, View, always, check_seeds, one_seat_step

_FPS = 30
"""Steps a second of an environment that does not tell."""


def gymnasium_ids() -> list[str]:
    """Returns the ids that are registered now, without ale-py's own: those games are played as `atari/<rom>`."""
    return sorted(key for key, spec in gymnasium.registry.items() if not str(spec.entry_point).startswith("ale_py"))


def make_env(card: GameCard, *, camera: bool = False) -> gymnasium.Env[Any, Any]:
    """Makes one copy of the environment of a card, which draws itself for a camera; its actions count from 0.

    Raises:
        MissingExtra: It needs a package that is not installed.
        InvalidInput: It cannot be made, or its spaces are not an array and discrete actions.
    """
    try:
        drawn: dict[str, Any] = {"render_mode": "rgb_array"} if camera else {}
        env = gymnasium.make(card.id.removeprefix("gymnasium/"), disable_env_checker=True, **drawn)
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


class GymnasiumGame:
    """A Gymnasium environment of one seat, in copies that are stepped one by one, whatever the threads.

    An episode depends on its seed alone as far as the environment's own `reset(seed=)` sees to it.
    """

    endings: tuple[str, ...] = OVER

    def __init__(self, variant: Variant, slots: int, threads: int = 1, *, camera: bool = False) -> None:
        variant.check_nothing_hidden()
        if camera:
            _check_camera(variant.card)
        self._envs = [make_env(variant.card, camera=camera) for _ in range(slots)]
        first = self._envs[0]
        self.slots = slots
        self.seats = (Seat(PLAYER, first.observation_space, first.action_space),)
        self._obs: Array = np.zeros((slots, *(first.observation_space.shape or ())), first.observation_space.dtype)
        self._idle: BoolArray = np.ones(slots, dtype=np.bool_)
        self._turn = always(slots)

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        """Starts new episodes in the slots of `mask`."""
        for slot, seed in zip(np.flatnonzero(mask), check_seeds(mask, seeds), strict=True):
            self._obs[slot], _ = self._envs[slot].reset(seed=int(seed))
        self._idle[mask] = False
        return (View(self._obs.copy(), self._turn),)

    def step(self, actions: Sequence[Array]) -> Step:
        """Plays one action a slot, `actions[0]`, shape (slots,)."""
        rewards = np.zeros(self.slots)
        terminated, truncated = np.zeros((2, self.slots), dtype=np.bool_)
        for slot in np.flatnonzero(~self._idle):
            result = self._envs[slot].step(int(actions[0][slot]))
            self._obs[slot], rewards[slot], terminated[slot], truncated[slot], _ = result
        self._idle |= terminated | truncated
        return one_seat_step(View(self._obs.copy(), self._turn), rewards, terminated, truncated)

    def camera(self, size: tuple[int, int]) -> Camera:
        """Shows what the environment draws, enlarged by the largest whole number that `size` (width, height) holds."""
        fps = float(self._envs[0].metadata.get("render_fps") or _FPS)
        return Camera(lambda slot: enlarge(_picture(self._envs[slot]), size), fps)

    def close(self) -> None:
        """Closes the copies."""
        for env in self._envs:
            env.close()


def _check_camera(card: GameCard) -> None:
    """Draws a copy that is thrown away, so that what keeps a game from being filmed is told before it is played."""
    try:
        with warnings.catch_warnings(action="ignore"):  # told by the error
            env = make_env(card, camera=True)
        with contextlib.closing(env):
            env.reset(seed=0)
            _picture(env)
    except MissingExtra:
        raise
    except (ImportError, DependencyNotInstalled) as error:
        raise MissingExtra(f"game {card.id}: pictures need a package that is missing: {_line(error)}") from error
    except Exception as error:  # somebody else's renderer can raise anything
        raise InvalidInput(f"{card.id} cannot be filmed, {FILMED}: {_line(error)}") from error


def _picture(env: gymnasium.Env[Any, Any]) -> Picture:
    drawn = np.asarray(env.render())
    if drawn.ndim != 3 or drawn.shape[2] != 3 or drawn.dtype != np.uint8:
        raise InvalidInput(f"expected a picture (height, width, 3) of bytes, got {drawn.dtype} of shape {drawn.shape}")
    return drawn


def _kind(space: gymnasium.Space[Any]) -> str:
    return f"{type(space).__name__} of shape ()" if isinstance(space, Box) and not space.shape else type(space).__name__


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
