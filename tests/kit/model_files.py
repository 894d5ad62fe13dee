"""Files as SA-PPO's family writes them: a victim, the statistics of what it saw, and an adversary."""

import sys
import types
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

MODULE = "policy_gradients.torch_utils"
"""Where the classes of its authors stand."""


def write_model(
    path: Path, entries: int, actions: int, *, memory: int = 0, adversary: bool = True, moves: int | None = None,
    seed: int = 0, mean: float = 0.5,
) -> str:  # fmt: skip
    """Writes a file of random weights and returns its path.

    Args:
        path: Where; it ends in `.model`.
        entries: Of an observation.
        actions: Entries of an action.
        memory: Size of LSTMs; 0 for layers of 8 without one.
        adversary: Whether an adversary is in it.
        moves: Entries that the adversary moves; all by default.
        seed: Of the weights.
        mean: Of every entry in the statistics, whose deviations go from 0.5 to 2.
    """
    torch.manual_seed(seed)
    moves = entries if moves is None else moves
    content = {
        "policy_model": _network(entries, actions, memory),
        "val_model": _network(entries, 1, memory, critic=True),
    }
    if adversary:
        content["adversary_policy_model"] = _network(entries, moves, memory, scale=3.0)
    module = types.ModuleType(MODULE)
    with mock.patch.dict(sys.modules, {MODULE.partition(".")[0]: types.ModuleType("policy_gradients"), MODULE: module}):
        deviation, count = np.linspace(0.5, 2.0, entries), 101
        statistic = _made(module, "RunningStat", _n=count, _M=np.full(entries, mean), _S=deviation**2 * (count - 1))
        content["envs"] = [_made(module, "ZFilter", rs=statistic, clip=10.0)]
        torch.save(content, path)
    return str(path)


def _network(entries: int, outputs: int, memory: int, *, critic: bool = False, scale: float = 1.0) -> dict[str, Tensor]:
    """Tensors of an actor or a critic by the names that its authors give them."""
    layers: dict[str, nn.Module]
    if memory:
        layers = {"embedding_layer": nn.Linear(entries, memory), "lstm": nn.LSTM(memory, memory)}
    else:
        layers = {"affine_layers.0": nn.Linear(entries, 8), "affine_layers.1": nn.Linear(8, 8)}
    last = "final" if critic else "output_layer" if memory else "final_mean"
    layers[last] = nn.Linear(memory or 8, outputs)
    found = {
        f"{name}.{of}": scale * tensor.detach() for name, one in layers.items() for of, tensor in one.named_parameters()
    }
    return found if critic else found | {"log_stdev": torch.full((outputs,), -1.0)}


def _made(module: types.ModuleType, name: str, **fields: Any) -> Any:
    """An object of a class of that name, as the authors' code would hold it."""
    kind = type(name, (), {"__module__": MODULE})
    setattr(module, name, kind)
    thing = kind()
    vars(thing).update(fields)
    return thing
