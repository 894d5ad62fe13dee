"""A second device for machines that have none: tensors that say they lie there, and are computed on the CPU.

They take the place of torch's `meta` device. As between a GPU and the CPU, what lies on both does not mix, an array of
numpy is made only of what was brought back, and every crossing is told.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

SECOND = "meta"
_MIXES = ("aten::_to_copy", "aten::copy_", "aten::index", "aten::index_put", "aten::index_put_")
"""What takes tensors of two devices on a GPU too: copies, and numbers of rows."""


@dataclass
class Crossings:
    """How many numbers were brought to the second device and back, one entry a copy."""

    there: list[int] = field(default_factory=list)
    back: list[int] = field(default_factory=list)


class _There(Tensor):
    """A tensor that says that it lies on the second device."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "_There":
        made = Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            device=torch.device(SECOND),
        )  # fmt: skip
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {}, Crossings())

    def numpy(self, *, force: bool = False) -> Any:
        if not force:
            raise TypeError("can't convert a tensor of the second device to numpy")
        return self.detach().cpu().numpy()

    def tolist(self) -> Any:
        return self.cpu().tolist()


def _compute(func: Any, args: Any, kwargs: Any, crossings: Crossings) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = any(isinstance(one, _There) for one in tensors)
    name, device = func._schema.name, kwargs.get("device")
    here = [one for one in tensors if not isinstance(one, _There) and one.dim() > 0]
    if there and here and name not in _MIXES:
        raise RuntimeError(f"{name}: expected all tensors to be on one device")
    goes = there if device is None else torch.device(device).type == SECOND
    if name == "aten::_to_copy" and goes != there:
        (crossings.there if goes else crossings.back).append(tensors[0].numel())
    args, kwargs = tree_map_only(_There, lambda one: one.held, (args, kwargs))
    found = func(*args, **(kwargs if device is None else {**kwargs, "device": "cpu"}))
    if func._schema.is_mutable:
        return next(iter(tensors))
    return tree_map_only(Tensor, _There, found) if goes else found


class _Dispatch(TorchDispatchMode):
    def __init__(self, crossings: Crossings) -> None:
        super().__init__()
        self._crossings = crossings

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {}, self._crossings)


class _Data(TorchFunctionMode):
    """What torch makes of numbers, which it brings there unseen: makes it on the CPU, and brings it there."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        made = func in (torch.tensor, torch.as_tensor) and not isinstance(args[0], Tensor)
        if made and str(kwargs.get("device")) == SECOND:
            return func(*args, **{**kwargs, "device": "cpu"}).to(SECOND)
        return func(*args, **kwargs)


@contextmanager
def second_device() -> Iterator[Crossings]:
    """Lends the device for as long as it lasts; what is brought there and back is written down."""
    crossings = Crossings()
    swapped = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)  # optimisers go on with the same parameters
    try:
        with _Dispatch(crossings), _Data():
            yield crossings
    finally:
        torch.__future__.set_swap_module_params_on_conversion(swapped)
