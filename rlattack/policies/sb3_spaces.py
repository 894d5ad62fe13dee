"""Spaces and settings as Stable-Baselines3 zips tell them: JSON, in which much is the printed form of something."""

import ast
import math
import re
from collections.abc import Mapping
from typing import Any

from rlattack.errors import RefusedFile

_LONGEST = 10_000
"""Characters of the printed bounds of a space, from which numpy leaves out the middle."""
_TRUST = "; --trust loads it with Stable-Baselines3, which runs the code in it"


def foreign(what: str) -> RefusedFile:
    """The refusal of what Stable-Baselines3 itself can load."""
    return RefusedFile(f"{what}{_TRUST}")


def observation(space: Mapping[str, Any], normalize: bool) -> tuple[tuple[int, ...], float]:
    """Returns shape and input scale of a box; SB3 divides uint8 images by 255, whose bounds are elided in the text."""
    if class_of(space) != "Box":
        raise RefusedFile(f"observations of {class_of(space)}; boxes and Dicts of them are read")
    listed = plain(space.get("_shape", space.get("shape")))
    if not isinstance(listed, list | tuple) or not 0 < len(listed) <= 4:
        raise RefusedFile(f"observations of shape {listed!r}")
    shape = tuple(whole(side, "a side of the observation") for side in listed)
    if not normalize or len(shape) != 3 or not re.search(r"\buint8\b", str(space.get("dtype"))):
        return shape, 1.0
    if _numbers(space.get("low")) - {"0"} or _numbers(space.get("high")) - {"255"}:
        raise foreign("images whose bounds are not 0 and 255")
    return shape, 255.0


def actions(space: Mapping[str, Any]) -> int:
    """How many actions there are to choose from, or entries of a continuous one."""
    if class_of(space) == "Box":
        listed = plain(space.get("_shape", space.get("shape")))
        if not isinstance(listed, list | tuple) or len(listed) != 1:
            raise RefusedFile(f"actions of shape {listed!r}; those of one axis are read")
        return whole(listed[0], "the entries of an action")
    if several := choices(space):
        return sum(several)
    if class_of(space) != "Discrete":
        raise RefusedFile(f"actions of {class_of(space)}; discrete ones, one or several at once, and boxes are read")
    if plain(space.get("start", 0)) != 0:
        raise RefusedFile(f"actions counted from {space.get('start')}")
    return whole(space.get("n"), "the number of actions")


def choices(space: Mapping[str, Any]) -> tuple[int, ...]:
    """How many actions each entry of a MultiDiscrete has; empty for another space."""
    if class_of(space) != "MultiDiscrete":
        return ()
    text = str(space.get("nvec"))
    if not re.fullmatch(r"\[[\d\s]{1,1000}\]", text):
        raise RefusedFile(f"actions of MultiDiscrete {text[:40]}; those of one axis are read")
    return tuple(whole(int(number), "the number of actions") for number in text[1:-1].split())


def bounds(space: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The smallest and the largest action of a Box; empty where its printed form leaves anything out."""
    texts = [str(space.get(name)) for name in ("low", "high")]
    if not all(re.fullmatch(r"\[[-+.\de\sinf]{1,1000}\]", text) for text in texts):
        return (), ()
    try:
        low, high = (tuple(float(number) for number in text[1:-1].split()) for text in texts)
    except ValueError:
        return (), ()
    return (low, high) if len(low) == len(high) and all(map(math.isfinite, low + high)) else ((), ())


def table(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A table within a table; empty where there is none.

    Raises:
        RefusedFile: Something else is there.
    """
    value = data.get(name) or {}
    if not isinstance(value, dict):
        raise RefusedFile(f"{name} is not a table")
    return value


def class_of(space: Mapping[str, Any]) -> str:
    """Name of a space's class, of Gym or of Gymnasium."""
    match = re.fullmatch(r"<class '(?:gym|gymnasium)\.spaces\.\w+\.(\w+)'>", str(space.get(":type:")))
    return match[1] if match else repr(space.get(":type:"))


def whole(value: object, what: str) -> int:
    """A whole number above 0.

    Raises:
        RefusedFile: Something else, under the name of `what`.
    """
    number = plain(value)
    if type(number) is not int or not 0 < number < 2**31:
        raise RefusedFile(f"{what}: expected a whole number above 0, got {value!r}")
    return number


def plain(value: object) -> object:
    """Reads the text of a Python literal; anything but text is returned as it is."""
    if not isinstance(value, str) or len(value) > 1000:
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value


def _numbers(text: object) -> set[str]:
    """Numbers that the printed form of an array shows, whatever it leaves out."""
    if len(shown := str(text)) > _LONGEST:
        raise RefusedFile(f"bounds of {len(shown):,} characters")
    return set(re.findall(r"[-\w.]*\d[\w.]*", shown))
