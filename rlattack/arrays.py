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


def rowwise(values: "Tensor", like: "Tensor") -> "Tensor":
    """One value a row, shape (n,), as it broadcasts over all that each row has in `like`, shape (n, ...)."""
    return values.view(-1, *[1] * (like.ndim - 1))
