"""Any Gymnasium environment, in copies that are stepped one by one; what goes wrong in one names its slot."""

import contextlib
import copy
import importlib.util
import os
import re
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import DependencyNotInstalled

from rlattack.arrays import Array, BoolArray, IntArray
from rlattack.content import find_card
from rlattack.errors import InvalidInput, MissingExtra, RlattackError, said_by
from rlattack.games.camera import FILMED, Camera, Picture, enlarge
from rlattack.games.card import SCHEMA, GameCard, Variant
from rlattack.games.game import OVER, PLAYER, Seat, SlotFault, Step, View, always, check_seeds, one_seat_step
from rlattack.games.gymnasium_ids import env_id, find_spec
from rlattack.games.gymnasium_spaces import OneArray, choices

_FPS = 30
"""Steps a second of an environment that does not tell."""


def make_env(card: GameCard, *, camera: bool = False) -> OneArray:
    """Makes one copy of the environment of a card as a player has it, which draws itself for a camera.

    Raises:
        UnknownName: No such environment is registered.
        MissingExtra: It needs a package that is not installed.
        InvalidInput: It cannot be made, or observations or actions are no numbers.
    """
    env = _made(card, camera=camera)
    try:
        return OneArray(env, card.gymnasium)
    except InvalidInput as error:
        env.close()
        raise InvalidInput(f"game {card.id}: {error}") from error


def _made(card: GameCard, *, camera: bool) -> gymnasium.Env[Any, Any]:
    """One copy of the environment as it registers."""
    find_spec(card)
    drawn: dict[str, Any] = {"render_mode": "rgb_array"} if camera else {}
    try:
        with _no_imageio(), warnings.catch_warnings(action="ignore"):  # of its age: who names a version wants that one
            return gymnasium.make(env_id(card), disable_env_checker=True, **{**card.gymnasium.args, **drawn})
    except (ImportError, DependencyNotInstalled) as error:
        ours = f"; {task} is that task by the rules of today" if (task := _own_task(card)) else ""
        raise MissingExtra(f"game {card.id}: it needs a package that is missing: {_line(error)}{ours}") from error
    except (Exception, SystemExit) as error:  # somebody else's constructor can raise anything
        raise InvalidInput(f"game {card.id}: the environment cannot be made: {_line(error)}") from error


class GymnasiumGame:
    """A Gymnasium environment of one seat, in copies that are stepped one by one, whatever the threads.

    An episode depends on its seed alone as far as the environment's own `reset(seed=)` sees to it.
    """

    endings: tuple[str, ...] = OVER

    def __init__(self, variant: Variant, slots: int, threads: int = 1, *, camera: bool = False) -> None:
        card = variant.card
        variant.check_nothing_hidden()
        if camera:
            _check_camera(card)
        self._envs = [make_env(card, camera=camera) for _ in range(slots)]
        first, self.slots = self._envs[0], slots
        space, action = first.observation_space, first.action_space
        self.seats = (Seat(PLAYER, space, action, parts=first.parts, stacked=card.gymnasium.stack),)
        self._obs: Array = np.zeros((slots, *(space.shape or ())), space.dtype)
        self._idle: BoolArray = np.ones(slots, dtype=np.bool_)
        self._turn = always(slots)
        self._legal: BoolArray | None = None
        if choices(action) and first.has_wrapper_attr("action_masks"):
            self._legal = np.ones((slots, choices(action)), dtype=np.bool_)

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        """Starts new episodes in the slots of `mask`.

        Raises:
            SlotFault: A copy fails, or shows what it does not declare.
        """
        for slot, seed in zip(np.flatnonzero(mask).tolist(), check_seeds(mask, seeds), strict=True):
            with faults("reset", partial(SlotFault, slot)):
                self._obs[slot], _ = self._envs[slot].reset(seed=int(seed))
                self._look(slot)
        self._idle[mask] = False
        return (self._view(),)

    def step(self, actions: Sequence[Array]) -> Step:
        """Plays one action a slot, `actions[0]`, shape (slots, *action).

        Raises:
            SlotFault: A copy fails, or shows or pays what it does not declare.
        """
        rewards = np.zeros(self.slots)
        terminated, truncated = np.zeros((2, self.slots), dtype=np.bool_)
        for slot in np.flatnonzero(~self._idle).tolist():
            with faults("step", partial(SlotFault, slot)):
                found = self._envs[slot].step(actions[0][slot])
                self._obs[slot], rewards[slot], terminated[slot], truncated[slot], _ = found
                self._look(slot)
        self._idle |= terminated | truncated
        return one_seat_step(self._view(), rewards, terminated, truncated)

    def save(self, slots: IntArray) -> list[object]:
        """Copies of the environments of these slots.

        Raises:
            SlotFault: One cannot be copied.
        """
        return [self._copied(slot) for slot in slots.tolist()]

    def restore(self, slots: IntArray, states: Sequence[Any]) -> None:
        """Puts copies of what was saved into these slots."""
        for slot, (env, legal) in zip(slots.tolist(), states, strict=True):
            with faults("being copied", partial(SlotFault, slot)):
                self._envs[slot] = copy.deepcopy(env)
            self._idle[slot] = False
            if self._legal is not None:
                self._legal[slot] = legal

    def _copied(self, slot: int) -> tuple[OneArray, BoolArray | None]:
        with faults("being copied", partial(SlotFault, slot)):
            return copy.deepcopy(self._envs[slot]), None if self._legal is None else self._legal[slot].copy()

    def camera(self, size: tuple[int, int]) -> Camera:
        """Shows what the environment draws, enlarged by the largest whole number that `size` (width, height) holds."""
        fps = float(self._envs[0].metadata.get("render_fps") or _FPS)
        return Camera(lambda slot: enlarge(_picture(self._envs[slot]), size), fps)

    def close(self) -> None:
        """Closes the copies."""
        for env in self._envs:
            with contextlib.suppress(Exception):  # somebody else's code, of which nothing is wanted any more
                env.close()

    def _view(self) -> View:
        return View(self._obs.copy(), self._turn, None if self._legal is None else self._legal.copy())

    def _look(self, slot: int) -> None:
        """Asks a copy for what is legal now, where it tells."""
        if self._legal is not None:
            legal = np.asarray(self._envs[slot].get_wrapper_attr("action_masks")(), dtype=np.bool_).ravel()
            if legal.shape != self._legal[slot].shape:
                raise InvalidInput(f"its action_masks has {legal.size} entries, its actions {self._legal.shape[1]}")
            self._legal[slot] = legal


@contextlib.contextmanager
def faults(what: str, fault: Callable[[str], InvalidInput]) -> Iterator[None]:
    """Runs an environment's own code, `reset` or `step`: whatever goes wrong in it is what `fault` makes of a line."""
    try:
        yield
    except RlattackError as error:
        raise fault(str(error)) from error
    except (Exception, SystemExit, GeneratorExit) as error:  # the user's code: anything
        raise fault(f"fails in {what}: {said_by(error)}") from error


@contextlib.contextmanager
def _no_imageio() -> Iterator[None]:
    """Lets Gymnasium's MuJoCo tasks be imported without imageio, which they need for one key of their window alone."""
    absent = "imageio" not in sys.modules and importlib.util.find_spec("imageio") is None
    if absent:
        sys.modules["imageio"] = types.ModuleType("imageio")
    try:
        yield
    finally:
        if absent:
            del sys.modules["imageio"]


def _own_task(card: GameCard) -> str:
    """The control task of ours that a task of Gymnasium's is: `mujoco/half-cheetah` of `HalfCheetah-v3`; else empty."""
    base = re.sub(r"-v\d+$", "", env_id(card))
    name = "mujoco/" + re.sub(r"(?<=[a-z])(?=[A-Z])", "-", base).lower()
    return name if find_card("envs", "*.toml", SCHEMA, name) else ""


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


def _line(error: BaseException) -> str:
    """The first line of what it says; of an assertion that says nothing, the line that failed."""
    said = "" if isinstance(error, SystemExit) else str(error)
    if said:
        return said.splitlines()[0]
    if not isinstance(error, AssertionError):
        return said_by(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {last.name} of {os.path.basename(last.filename)}: {last.line}"
