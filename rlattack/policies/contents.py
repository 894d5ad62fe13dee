"""What tells one object of the user's code from another: the tensors and arrays that it holds, and its classes."""

import functools
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from rlattack.source import code_digest, live_digest

_PACKAGES = {"builtins", "functools", "rlattack", "sb3_contrib", "stable_baselines3", "torch"}
"""Packages whose code is told by their versions."""
_LEFT_OUT = (ModuleType, torch.optim.Optimizer)
_VALUES = (type(None), type, str, bytes, int, float, complex, np.generic)
_PLAYING = ("policy", "obs_rms", "mean", "var", "env", "venv")
"""What plays of learners and environments: the rest, as buffers and what was seen last, is for learning."""


def tensor_digest(thing: object) -> str:
    """Returns the SHA-256 of all tensors and arrays in a thing's attributes, and in theirs in turn, with their places.

    What does not play is left out: optimisers, environments, what only learning needs of a Stable-Baselines3 model.

    Returns:
        64 hexadecimal digits; empty where there is no tensor and no array: then nothing but its source tells it apart,
        so what it reads elsewhere (a table in a file, a global of its module) is not noticed.
    """
    return _digest([(place, part) for place, part in _held(thing) if not isinstance(part, _VALUES)])


def value_digest(thing: object) -> str:
    """Returns the SHA-256 of all that a thing holds, in turn: tensors and arrays, numbers, texts, and names of classes.

    Returns:
        64 hexadecimal digits; empty where there is none of them.
    """
    return _digest(_held(thing))


def class_digest(thing: object) -> str:
    """Returns a digest of the user's code that define the classes of a thing and of the torch modules in it.

    Returns:
        64 hexadecimal digits; empty where all of them come with installed packages.
    """
    parts = [thing, *(part for _, part in _held(thing) if isinstance(part, nn.Module))]
    kinds = {f"{kind.__module__}:{kind.__qualname__}": kind for kind in map(type, parts)}
    ours = [kinds[place] for place in sorted(kinds) if place.partition(":")[0].partition(".")[0] not in _PACKAGES]
    digests = dict.fromkeys(code_digest(kind.__module__) or live_digest(kind) for kind in ours)
    return hashlib.sha256("".join(digests).encode()).hexdigest() if ours else ""


def is_sb3(thing: object) -> bool:
    """Whether it is a learner or a policy of Stable-Baselines3 or of its contributions."""
    return any(
        kind.__module__.partition(".")[0] in ("sb3_contrib", "stable_baselines3") for kind in type(thing).__mro__
    )


def _digest(parts: Iterable[tuple[str, object]]) -> str:
    """Of tensors, arrays and values by their places; empty where there are none."""
    told = [f"{place} {text}" for place, part in parts if (text := _told(part))]
    return hashlib.sha256("\n".join(told).encode()).hexdigest() if told else ""


def _told(part: object) -> str:
    """Tells one tensor, array or value from another; empty for all else, whose parts come by themselves."""
    if isinstance(part, type):
        return f"{part.__module__}.{part.__qualname__}"
    if isinstance(part, _VALUES):
        return repr(part)
    if isinstance(part, Tensor):
        raw = part.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    elif isinstance(part, np.ndarray) and part.dtype != np.object_:
        raw = part.tobytes()
    else:
        return ""
    return f"{part.dtype} {tuple(part.shape)} {hashlib.sha256(raw).hexdigest()}"


def _held(thing: object) -> Iterator[tuple[str, object]]:
    """All that a thing holds, itself included, objects once, in an order of its own code, with its place in it."""
    seen: dict[int, object] = {}  # kept, so that no two have one id
    waiting = [("", thing)]
    while waiting:
        place, part = waiting.pop()
        if isinstance(part, _LEFT_OUT) or id(part) in seen:
            continue
        yield place, part
        if isinstance(part, _VALUES):  # small ones are shared
            continue
        seen[id(part)] = part
        waiting += reversed([(f"{place}.{name}", inner) for name, inner in _inside(part)])


def _inside(thing: Any) -> Iterable[tuple[object, object]]:
    """What a thing holds directly, by names or numbers."""
    match thing:
        case Tensor():
            return ()
        case np.ndarray():
            return enumerate(thing.flat) if thing.dtype == np.object_ else ()
        case torch.jit.ScriptModule():
            return thing.state_dict().items()
        case MethodType():
            return [("self", thing.__self__), ("function", thing.__func__)]
        case FunctionType():
            return enumerate([thing.__defaults__, thing.__kwdefaults__, *map(_content, thing.__closure__ or ())])
        case functools.partial():
            return enumerate([thing.func, thing.args, thing.keywords])
    learns = is_sb3(thing) and not isinstance(thing, nn.Module)
    if learns or isinstance(thing, gymnasium.Env | gymnasium.vector.VectorEnv):
        return [(name, getattr(thing, name, None)) for name in _PLAYING]
    inner: list[tuple[object, object]] = []
    if isinstance(thing, dict):
        inner += [(key if isinstance(key, str) else place, one) for place, (key, one) in enumerate(thing.items())]
    elif isinstance(thing, list | tuple | deque | set | frozenset):
        inner += enumerate(thing)
    slots = [name for kind in type(thing).__mro__ for name in _names(kind.__dict__.get("__slots__", ()))]
    inner += [(name, getattr(thing, name, None)) for name in slots]
    named = getattr(thing, "__dict__", None)
    return inner + list(named.items()) if isinstance(named, dict) else inner


def _names(slots: Any) -> tuple[str, ...]:
    """The names that a class reserves, however it says so."""
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def _content(cell: Any) -> object:
    """What a function took from around it; None where that is not there yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return None
