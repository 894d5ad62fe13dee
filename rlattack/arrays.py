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


def packed(received: npt.NDArray[np.float32], shown: Array) -> Array:
    """What was received as bytes beside what was shown, both of one shape: (4, entries), 0 where nothing changed."""
    apart = received.astype("<f4").view("<u4") ^ shown.astype("<f4").view("<u4")
    return np.ascontiguousarray(apart.reshape(-1, 1).view(np.uint8).T)


def unpacked(planes: Array, shown: Array) -> npt.NDArray[np.float32]:
    """What was received, float32, of the shape of what was shown, shape (n, *observation); planes (n, 4, entries)."""
    apart = np.ascontiguousarray(planes.transpose(0, 2, 1)).view("<u4").reshape(shown.shape)
    received: npt.NDArray[np.float32] = (apart ^ shown.astype("<f4").view("<u4")).view("<f4")
    return received


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
