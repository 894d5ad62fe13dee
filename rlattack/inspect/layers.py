"""Layers of any policy that is made of torch's own functions: their names, and what their units do."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from rlattack.arrays import Array
from rlattack.errors import InvalidInput, UnknownName, nearest
from rlattack.inspect.subject import States, Subject, batches
from rlattack.inspect.twins import modules_of
from rlattack.policies.policy import Policy

_APPLY = frozenset({"linear", "conv1d", "conv2d", "conv3d", "addmm", "matmul", "mm", "lstm_cell", "gru_cell", "lstm"})
"""Functions that apply weights."""
_ACTIVATE = frozenset(
    {"relu", "relu_", "relu6", "tanh", "tanh_", "sigmoid", "elu", "leaky_relu", "gelu", "silu", "softplus", "hardtanh"}
)
_TRIED = 4
"""Observations by which is found which layers there are."""


class Tap(TorchFunctionMode):
    """Keeps what layers make of a batch while it is active: after the activation that follows, where one does.

    Functions are looked at and not modules, since a network may use its weights without calling the modules that
    hold them.

    Args:
        names: The layer of each weight, by the id of its tensor.
        cut: A layer whose output is 0.

    Attributes:
        found: What each layer made, by its name, in the order in which they came; first axis the batch.
    """

    def __init__(self, names: Mapping[int, str], cut: str = "") -> None:
        super().__init__()
        self._names, self._cut, self._last = names, cut, ""
        self.found: dict[str, Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Calls a function, and looks at what comes of it."""
        out = func(*args, **(kwargs or {}))
        called = getattr(func, "__name__", "")
        if called in _APPLY:
            given = tree_leaves((args, kwargs))
            name = next((self._names[id(one)] for one in given if id(one) in self._names), "")
            if name:
                if name == self._cut:
                    out = torch.zeros_like(out) if isinstance(out, Tensor) else tuple(map(torch.zeros_like, out))
                self._last, self.found[name] = name, out if isinstance(out, Tensor) else out[0]
        elif called in _ACTIVATE and args and args[0] is self.found.get(self._last):
            self.found[self._last] = out
        return out


def layers_of(subject: Subject, states: States) -> list[str]:
    """Hidden layers on which the action depends, in the order of the network, by the names of their weights.

    A layer counts where the action is another one once it says 0; the last one, which says the scores, does not.

    Raises:
        InvalidInput: An agent that is no network, or one whose layers cannot be seen.
    """
    tried = States(
        states.obs[:_TRIED], None if states.before is None else states.before[:_TRIED], states.episode[:_TRIED]
    )
    whole, said = _tapped(subject, tried, "")
    rows = {name: one for name, one in whole.items() if len(one) == len(tried)}
    deciding = [name for name in rows if not torch.equal(_tapped(subject, tried, name)[1], said)]
    if len(deciding) < 2:
        raise InvalidInput(f"--victim: expected an agent with hidden layers of torch's own, got {subject.name}")
    return deciding[:-1]


def chosen(names: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The layers that were asked for; all where none were.

    Raises:
        UnknownName: No such layer; those that there are, are named.
    """
    for name in asked:
        if name not in names:
            raise UnknownName(f"--layers: expected {', '.join(names)}, got {name!r}{nearest(name, names)}")
    return list(dict.fromkeys(asked)) or list(names)


def activations(subject: Subject, states: States, names: Sequence[str]) -> dict[str, Array]:
    """What the units of layers do in observations, float32, shape (n, units), by layer; maps are laid flat."""
    parts: dict[str, list[Array]] = {name: [] for name in names}
    for obs, before in batches(torch.as_tensor(states.obs), states.before):
        tap = Tap(_weights(subject.policy))
        with torch.no_grad(), tap:
            subject.policy(obs, before)
        for name, kept in parts.items():
            kept.append(tap.found[name].flatten(1).numpy(force=True).astype(np.float32))
    return {name: np.concatenate(kept) for name, kept in parts.items()}


def _tapped(subject: Subject, states: States, cut: str) -> tuple[dict[str, Tensor], Tensor]:
    tap = Tap(_weights(subject.policy), cut)
    with torch.no_grad(), tap:
        out = subject.policy(torch.as_tensor(states.obs).to(torch.float32), states.before)
    return tap.found, subject.certainty.numbers(out.actions)


def _weights(policy: Policy) -> dict[int, str]:
    """The layer of every weight of a policy, by the id of its tensor: its name without the last part."""
    modules = modules_of(policy)
    return {
        id(weight): (f"{number}." if len(modules) > 1 else "") + name.rpartition(".")[0]
        for number, module in enumerate(modules)
        for name, weight in module.named_parameters()
        if weight.ndim >= 2
    }
