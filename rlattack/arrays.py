"""Arrays of numpy by what they hold, and rows that broadcast."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
_LARGEST = float(np.finfo(np.float32).max)


def finite(values: Array) -> BoolArray:
    """Whether floats are finite numbers in 32 bits too: networks see no others, and squares of them stay finite."""
    return np.abs(values) <= _LARGEST


def rowwise(values: "Tensor", like: "Tensor") -> "Tensor":
    """One value a row, shape (n,), as it broadcasts over all that each row has in `like`, shape (n, ...)."""
    return values.view(-1, *[1] * (like.ndim - 1))


def same(one: "Tensor", other: "Tensor") -> bool:
    """Whether two tensors of one device are equal; on the CPU numpy compares, in a fifth of torch's time."""
    on_cpu = one.device.type == "cpu"
    return np.array_equal(one.numpy(), other.numpy()) if on_cpu else one.equal(other)


def renewed(rows: "Tensor", new: "Tensor | None", old: "Tensor | None") -> "Tensor | None":
    """A recurrent state, shape (n, width), with `rows` (bool, shape (n,)) from the new one and the rest from the old.

    Either may be None, of a policy without memory; then the new one is given back.
    """
    if new is None or old is None or rows.all():
        return new
    return new.where(rowwise(rows, new), old)
