"""Policies on the device where they are to play: copies, since what a program lent is its own."""

import copy
import types
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from rlattack.device import CPU

T = TypeVar("T")
_WHOLE = (type, types.ModuleType, types.FunctionType, Optimizer)
"""What is not looked into: nothing of it plays."""


def device_of(part: object) -> str:
    """Where the tensors of a policy, or of a part of one, lie; on the CPU where it has none."""
    return next((str(tensor.device) for tensor in _tensors(part, set())), CPU)


def placed(part: T, device: str) -> T:
    """A policy, or a part of one, whose tensors all lie on a device: itself, or a copy where some lie elsewhere."""
    if all(tensor.device == torch.device(device) for tensor in _tensors(part, set())):
        return part
    made: T = _moved(copy.deepcopy(part), device, {})
    return made


def _parts(part: object) -> Iterator[Any]:
    """What an object is made of, one level down."""
    if isinstance(part, dict):
        yield from part.values()
    elif isinstance(part, list | tuple | set):
        yield from part
    elif hasattr(part, "__dict__") and not isinstance(part, _WHOLE):
        yield from vars(part).values()


def _tensors(part: object, seen: set[int]) -> Iterator[Tensor]:
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, Tensor):
        yield part
        return
    for one in _parts(part):
        yield from _tensors(one, seen)


def _moved(part: Any, device: str, seen: dict[int, Any]) -> Any:
    """The same with its tensors there: new containers, and objects that are changed in place."""
    if id(part) in seen:
        return seen[id(part)]
    if isinstance(part, nn.Module):
        part.to(device)  # its own parameters keep what ties them
    if isinstance(part, Tensor):
        there = part if part.device == torch.device(device) else part.detach().to(device)
        seen[id(part)] = nn.Parameter(there, part.requires_grad) if isinstance(part, nn.Parameter) else there
    elif isinstance(part, dict):
        seen[id(part)] = part
        part.update({name: _moved(one, device, seen) for name, one in part.items()})
    elif isinstance(part, list):
        seen[id(part)] = part
        part[:] = [_moved(one, device, seen) for one in part]
    elif type(part) is tuple:
        seen[id(part)] = tuple(_moved(one, device, seen) for one in part)
    else:
        seen[id(part)] = part
        if hasattr(part, "__dict__") and not isinstance(part, _WHOLE):
            for name, one in vars(part).copy().items():
                object.__setattr__(part, name, _moved(one, device, seen))  # frozen dataclasses too: they are our copy
    return seen[id(part)]
