"""What a spawned process must be told and set before it plays: names that were added, one thread, memory it keeps."""

import contextlib
import ctypes
from collections.abc import Sequence
from typing import Any

import torch

from rlattack.attacks import ATTACKS, SCHEDULES
from rlattack.defences import FRONTS
from rlattack.evaluation.observers import OBSERVERS
from rlattack.games.find import FAMILIES
from rlattack.registry import Registry

_REGISTRIES: tuple[Registry[Any], ...] = (ATTACKS, FAMILIES, FRONTS, OBSERVERS, SCHEDULES)
Names = Sequence[dict[str, str]]
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt`."""


def added_names() -> Names:
    """Names that were added to each registry of this process, of which a spawned one knows nothing."""
    return [registry.added for registry in _REGISTRIES]


def set_up(names: Names) -> None:
    """Prepares this process for play, which was spawned by one that has these `added_names`."""
    torch.set_num_threads(1)
    _keep_memory()
    for registry, added in zip(_REGISTRIES, names, strict=True):
        for name, target in added.items():
            registry.add(name, target)


def _keep_memory() -> None:
    """Lets glibc keep what is freed for the next step; does nothing where there is no glibc.

    By default it returns big tensors to the system when they are freed, and each step faults their pages in again: of
    a step of PGD-10 (Pong, 8 slots) 704 page faults, and 25.2 ms in place of 24.0 ms.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
