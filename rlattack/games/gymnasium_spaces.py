"""Observations and actions of any Gymnasium environment as one array each: flattened, channels moved, clipped."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple, flatdim, flatten

from rlattack.arrays import Array
from rlattack.budget import Picture
from rlattack.errors import InvalidInput
from rlattack.games.card import GymnasiumOptions
from rlattack.games.game import Part

_OLD = "not enough values to unpack (expected 5, got 4)"
"""What Gymnasium's own wrappers say of a step of the old Gym."""
_NUMBERS = "biufO"
"""Kinds of arrays that may hold numbers."""
Do = Callable[[Array], Any]
"""From an action of a policy to one that the environment takes."""


class OneArray(gymnasium.Wrapper[Array, Any, Any, Any]):
    """An environment as a player has it: it shows one array (`Sight`) and takes actions on one axis (`acting`).

    Args:
        env: What is made.
        options: How it is shown.

    Attributes:
        parts: What a flattened observation is made of; empty for one array.

    Raises:
        InvalidInput: Observations or actions that are no numbers.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], options: GymnasiumOptions) -> None:
        super().__init__(env)
        for kind in (type(env.observation_space), type(env.action_space)):
            if not issubclass(kind, Space):  # none at all, or one of the old Gym
                raise InvalidInput(f"expected spaces of Gymnasium, got {kind.__module__}.{kind.__qualname__}")
        self._sight = Sight(env.observation_space, options)
        self.action_space, self._do = acting(env.action_space)
        self.observation_space, self.parts = self._sight.space, self._sight.parts
        self._shown: Array = np.empty(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Starts an episode.

        Raises:
            InvalidInput: What comes is not what an environment gives, or not what it declares.
        """
        found: Any = self.env.reset(seed=seed, options=options)
        if not (isinstance(found, tuple) and len(found) == 2):
            raise InvalidInput("its reset gives no (observation, info), as one of the old Gym")
        self._shown = self._sight.fresh(found[0])
        return self._shown, found[1]

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Plays a step.

        Raises:
            InvalidInput: What comes is not what an environment gives, or not what it declares.
        """
        try:
            found: Any = self.env.step(self._do(np.asarray(action)))
        except ValueError as error:
            if str(error) != _OLD:
                raise
            found = (None,) * 4
        if not isinstance(found, tuple | list) or len(found) != 5:
            given = f"{len(found)} values" if isinstance(found, tuple | list) else type(found).__name__
            old = " (one of the old Gym)" if given == "4 values" else ""
            raise InvalidInput(
                f"its step gives {given}, expected 5: observation, reward, terminated, truncated, info{old}"
            )
        obs, reward, terminated, truncated, info = found
        self._shown = self._sight.next(self._shown, obs)
        paid = np.asarray(reward)
        if paid.size != 1 or paid.dtype.kind not in _NUMBERS:
            raise InvalidInput(f"pays {paid.dtype} of shape {paid.shape}, expected one number")
        return self._shown, paid.item(), bool(terminated), bool(truncated), info


class Sight:
    """What an environment shows as one array: a Box as it is, all else as Gymnasium's FlattenObservation shows it.

    Texts are left out, which no network of ours reads; of a Discrete one number a choice is shown, 1 at the choice.

    Args:
        space: What the environment declares.
        options: Whether channels come first, and how many observations are stacked.

    Attributes:
        space: One observation as a player sees it.
        parts: What a flattened one is made of; empty for one array.

    Raises:
        InvalidInput: Nothing of it can be made an array, or what is to be stacked is not one array.
    """

    def __init__(self, space: Space[Any], options: GymnasiumOptions) -> None:
        self._options, self._first = options, options.channels == "first"
        self._parts = tuple(_parts(space, channels_first=self._first))
        if not self._parts:
            raise InvalidInput(f"expected observations of numbers, got {space}")
        self._alone = isinstance(space, Box) and bool(space.shape)
        if options.stack > 1 and not self._alone:
            raise InvalidInput(f"--frame-stack is for observations that are one array, got {type(space).__name__}")
        self.parts = () if self._alone else tuple(one.part for one in self._parts)
        one = self._whole()
        self._axis = stacking_axis(one.shape)
        self.space = one
        if options.stack > 1:
            self.space = type(one)(self._repeated(one.low), self._repeated(one.high), dtype=one.dtype)

    def fresh(self, raw: Any) -> Array:
        """The first observation of an episode; before it the stack has zeros, or copies of it."""
        new = self._array(raw)
        if self._options.stack == 1:
            return new
        older = self._repeated(new if self._options.stack_fill == "first" else np.zeros_like(new))
        return self._pushed(older, new)

    def next(self, before: Array, raw: Any) -> Array:
        """An observation with those before it, where they are stacked."""
        new = self._array(raw)
        return new if self._options.stack == 1 else self._pushed(before, new)

    def _array(self, raw: Any) -> Array:
        """One observation of the environment as an array.

        Raises:
            InvalidInput: It is of another shape than declared, or lacks a part.
        """
        shown = [one.array(raw, channels_first=self._first) for one in self._parts]
        return shown[0] if self._alone else np.concatenate([part.ravel() for part in shown])

    def _whole(self) -> Box:
        ends = [[_moved(end, self._first) for end in one.ends] for one in self._parts]
        if self._alone:
            (low, high), space = ends[0], self._parts[0].space
            colours = low.shape != space.shape and len(low) > 1  # channels that were moved
            return (Picture if colours else Box)(low, high, dtype=space.dtype)  # type: ignore[arg-type]  # numpy's own dtype
        low, high = (np.concatenate([of[side].ravel() for of in ends]).astype(np.float32) for side in (0, 1))
        return Box(low, high, dtype=np.float32)

    def _repeated(self, one: Array) -> Array:
        framed = one[None] if one.ndim == 2 else one
        return np.concatenate([framed] * self._options.stack, axis=self._axis)

    def _pushed(self, before: Array, new: Array) -> Array:
        framed = new[None] if new.ndim == 2 else new
        rest = np.delete(before, np.s_[: framed.shape[self._axis]], axis=self._axis)
        return np.concatenate([rest, framed], axis=self._axis)


@dataclass(frozen=True)
class _Leaf:
    """A part of what an environment shows."""

    path: tuple[str | int, ...]
    space: Space[Any]
    part: Part

    @property
    def ends(self) -> tuple[Array, Array]:
        """Smallest and largest values."""
        if isinstance(self.space, Box):
            return np.atleast_1d(self.space.low), np.atleast_1d(self.space.high)
        return np.zeros(self.part.entries), np.ones(self.part.entries)

    def array(self, raw: Any, *, channels_first: bool) -> Array:
        """Its values, of an observation of the environment."""
        for step in self.path:
            try:
                raw = raw[step]
            except (KeyError, IndexError, TypeError) as error:
                raise InvalidInput(f"shows no {self.part.name!r}, which its space declares") from error
        what = repr(self.part.name) if self.part.name else "observations"
        if not isinstance(self.space, Box):
            return _chosen(self.space, raw, what)
        found = np.asarray(raw)
        if found.shape != self.space.shape:
            raise InvalidInput(f"shows {what} of shape {found.shape}, its space declares {self.space.shape}")
        if not _holds(self.space.dtype, found):
            raise InvalidInput(
                f"shows {what} of {found.dtype} that are no {self.space.dtype}, which its space declares"
            )
        return _moved(found, channels_first)


def _holds(declared: np.dtype[Any], found: Array) -> bool:
    """Whether numbers stay what they are as those that a space declares, but for the precision of floats."""
    if found.dtype == declared or found.dtype.kind not in _NUMBERS:
        return found.dtype == declared
    with np.errstate(invalid="ignore"):
        return declared.kind == "f" or np.array_equal(found.astype(declared), found)


def _chosen(space: Space[Any], raw: Any, what: str) -> Array:
    """What was chosen of the choices of a space, as 0 and 1s, 1 at the choice."""
    most = space.n if isinstance(space, Discrete) else getattr(space, "nvec", 2)
    number = np.asarray(raw) - getattr(space, "start", 0)
    if number.shape != space.shape or not ((number >= 0) & (number < most)).all():
        raise InvalidInput(f"shows {what} as {raw}, its space declares {space}")
    return np.asarray(flatten(space, raw))


def _parts(
    space: Space[Any], path: tuple[str | int, ...] = (), start: int = 0, *, channels_first: bool = False
) -> Iterator[_Leaf]:
    """What numbers a space holds, in its own order."""
    if isinstance(space, Dict | Tuple):
        for key, one in space.spaces.items() if isinstance(space, Dict) else enumerate(space.spaces):
            for leaf in _parts(one, (*path, key), start, channels_first=channels_first):
                start = leaf.part.start + leaf.part.entries
                yield leaf
    elif isinstance(space, Box | Discrete | MultiDiscrete | MultiBinary):
        numbers = isinstance(space, Box)
        shape = _moved(np.zeros(space.shape or ()), channels_first).shape if numbers else (flatdim(space),)
        yield _Leaf(path, space, Part(".".join(map(str, path)), start, flatdim(space), shape, numbers))
    elif not isinstance(space.sample(), str):  # a Text, or a space of others such as Minigrid's missions
        raise InvalidInput(f"expected observations of numbers, got {type(space).__name__}")


def parts_of(space: Space[Any]) -> tuple[Part, ...]:
    """What lies where in an observation that is shown flattened."""
    return tuple(one.part for one in _parts(space))


def stacking_axis(shape: tuple[int, ...]) -> int:
    """The axis along which observations are stacked: that of the channels of a picture, the only one of a vector."""
    return len(shape) - 1 if len(shape) == 3 and shape[-1] < shape[0] else 0


def _moved(picture: Array, channels_first: bool) -> Array:
    """A picture (height, width, channels) as (channels, height, width), as Stable-Baselines3 shows it to networks."""
    return (
        np.moveaxis(picture, -1, 0)
        if channels_first and picture.ndim == 3 and stacking_axis(picture.shape)
        else picture
    )


def acting(space: Space[Any]) -> tuple[Space[Any], Do]:
    """What a policy may do, on one axis and counted from 0, and how that becomes an action of the environment.

    Continuous actions are clipped to their range first, as Stable-Baselines3 and CleanRL do.

    Raises:
        InvalidInput: Actions of another kind.
    """
    if isinstance(space, Discrete):
        start = int(space.start)
        return (space if start == 0 else Discrete(int(space.n))), lambda action: int(action) + start
    if isinstance(space, MultiDiscrete):
        first, whole = space.start, space.nvec.shape
        return MultiDiscrete(space.nvec.ravel()), lambda action: action.reshape(whole).astype(space.dtype) + first
    if isinstance(space, MultiBinary):
        return MultiDiscrete([2] * flatdim(space)), lambda action: action.reshape(space.shape).astype(space.dtype)
    if isinstance(space, Box) and space.dtype.kind == "f":
        low, high, kind = space.low, space.high, space.dtype
        flat = space if len(space.shape) == 1 else Box(low.ravel(), high.ravel(), dtype=kind)
        return flat, lambda action: action.reshape(low.shape).astype(kind).clip(low, high)
    raise InvalidInput(f"expected Discrete, MultiDiscrete, MultiBinary or a Box of floats as actions, got {space}")


def choices(space: Space[Any]) -> int:
    """Entries of a mask of legal actions: one a choice, of every number in turn; 0 of continuous actions."""
    return int(space.n) if isinstance(space, Discrete) else sum(map(int, getattr(space, "nvec", ())))
