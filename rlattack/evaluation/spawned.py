"""What a spawned process must be told and set before it plays: names, objects and modules of this one, one thread."""

import ast
import contextlib
import ctypes
import pickle
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import torch
from gymnasium.envs.registration import EnvSpec

from rlattack.attacks import ATTACKS, SCHEDULES
from rlattack.defences import FRONTS
from rlattack.defences.detectors import DETECTORS
from rlattack.errors import is_typed, typed
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.observers import OBSERVERS
from rlattack.games.find import FAMILIES
from rlattack.policies.lent import lent_agents, receive
from rlattack.registry import Registry, plug, plugged
from rlattack.specs import split_spec

_REGISTRIES: tuple[Registry[Any], ...] = (ATTACKS, DETECTORS, FAMILIES, FRONTS, OBSERVERS, SCHEDULES)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt`."""


@dataclass(frozen=True)
class Names:
    """What this process knows by name, of which a spawned one knows nothing.

    Attributes:
        added: Names that were added to each registry.
        plugins: Modules that were imported for what they register.
        environments: What is registered with Gymnasium, pickled.
        agents: Agents in memory, pickled.
        options: Whether messages speak of options.
    """

    added: tuple[dict[str, str], ...]
    plugins: tuple[str, ...]
    environments: Mapping[str, bytes]
    agents: Mapping[str, bytes]
    options: bool


def added_names() -> Names:
    """What a spawned process is to be told; what cannot be sent (`held_back`) is left out."""
    environments, agents = (
        {name: raw for name, thing in things.items() if (raw := _pickled(thing)) is not None}
        for things in (_environments(), lent_agents())
    )
    return Names(tuple(registry.added for registry in _REGISTRIES), plugged(), environments, agents, is_typed())


def set_up(names: Names) -> None:
    """Prepares this process for play, which was spawned by one that has these `added_names`."""
    typed(names.options).__enter__()
    torch.set_num_threads(1)
    _keep_memory()
    plug(names.plugins)
    for registry, added in zip(_REGISTRIES, names.added, strict=True):
        for name, target in added.items():
            registry.add(name, target)
    for name, raw in names.environments.items():
        if name not in gymnasium.registry:
            gymnasium.registry[name] = pickle.loads(raw)
    receive(names.agents)


def held_back(cells: Iterable[Cell]) -> str:
    """Why no other process can play these cells; empty where one can."""
    if _is_bare_script():
        return (
            "this script plays while it is imported, as a worker does too; put that under `if __name__ == '__main__':`"
        )
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if main.__spec__ is None and file is not None and not Path(file).is_file():
        return f"this script was read from {file}, which no other process can read again; save it as a file"
    used: set[str] = set()
    for cell in cells:
        used.add(cell.game.card.id.removeprefix("gymnasium/"))
        used |= {ref.spec for ref in (*cell.players, *(one.surrogate for one in cell.attacks)) if ref is not None}
        used |= {ref.spec.name for ref in cell.attacks}
        used |= {split_spec(text, FRONTS)[0] for player in cell.players for text in player.fronts}
        used |= {split_spec(ref.spec, DETECTORS)[0] for ref in cell.detectors}
    lost = [name for registry in _REGISTRIES for name, kind in registry.lent.items() if not _is_found(kind)]
    lent: Mapping[str, object] = {**_environments(), **lent_agents()}
    lost += [name for name in used if name in lent and _pickled(lent[name]) is None]
    kept = sorted(used.intersection(lost))
    where = "code that no other process can import, such as a notebook's own; a module of its own could be"
    return f"{' and '.join(kept)} {'is' if len(kept) == 1 else 'are'} {where}" if kept else ""


def _is_bare_script() -> bool:
    """Whether this is called by a script as it runs from top to bottom: whoever imports it would run it again."""
    file, frame = getattr(sys.modules["__main__"], "__file__", None), sys._getframe()
    while file is not None and frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename == file:
            with contextlib.suppress(OSError, SyntaxError, ValueError):
                return not _is_guarded(ast.parse(Path(file).read_bytes()), frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]  # None at the end
    return False


def _is_guarded(script: ast.Module, line: int) -> bool:
    tests = (node for node in script.body if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test))
    return any(node.lineno <= line <= (node.end_lineno or line) for node in tests)


def _is_found(kind: Any) -> bool:
    """Whether another process finds a class or a function where it stands."""
    place: Any = sys.modules.get(kind.__module__)
    if place is None or (kind.__module__ == "__main__" and not hasattr(place, "__file__")):
        return False
    for part in kind.__qualname__.split("."):
        place = getattr(place, part, None)
    return place is kind


def _environments() -> dict[str, EnvSpec]:
    """What is registered in this process, but ale-py's thousand."""
    return {name: spec for name, spec in gymnasium.registry.items() if not str(spec.entry_point).startswith("ale_py.")}


def _pickled(thing: object) -> bytes | None:
    """Something as it is sent; None where its code cannot be found elsewhere."""
    try:
        raw = pickle.dumps(thing)
    except Exception:  # the user's code: anything
        return None
    here_alone = b"__main__" in raw and not hasattr(sys.modules["__main__"], "__file__")
    return None if here_alone else raw


def _keep_memory() -> None:
    """Lets glibc keep what is freed for the next step; does nothing where there is no glibc.

    By default it returns big tensors to the system when they are freed, and each step faults their pages in again: of
    a step of PGD-10 (Pong, 8 slots) 704 page faults, and 25.2 ms in place of 24.0 ms.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
