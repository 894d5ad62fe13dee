"""What linear functions look at: a row of a batch each, or a window of a picture in a row."""

import torch
from torch import Tensor, nn


class Picking:
    """Takes of a batch what functions of its rows need: whole rows.

    Args:
        rows: The row of each function, int64, shape (m,), in order.
    """

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows

    def __call__(self, values: Tensor) -> Tensor:
        """Takes of (n, *entries), shape (m, *entries); of one row, itself."""
        return values if len(values) == 1 else values[self.rows]

    def dot(self, weight: Tensor, values: Tensor) -> Tensor:
        """Sums of what is taken of (n, *entries), by weights (m, *entries); shape (m,)."""
        flat, values = weight.flatten(1), values.flatten(1)
        if len(values) == 1:
            return flat @ values[0]
        rows, counts = torch.unique_consecutive(self.rows, return_counts=True)
        parts = torch.split(flat, counts.tolist())  # a product a row reads each weight once
        return torch.cat([part @ values[row] for part, row in zip(parts, rows.tolist(), strict=True)])


class Windows(Picking):
    """The same of windows in pictures: what a convolution of convolutions sees of them.

    Args:
        rows: The row of each function, int64, shape (m,).
        top: The first line of each window, int64, shape (m,).
        left: The first column.
        size: Height and width.
    """

    def __init__(self, rows: Tensor, top: Tensor, left: Tensor, size: tuple[int, int] = (1, 1)) -> None:
        super().__init__(rows)
        self.top, self.left, self.size = top, left, size

    def before(self, layer: nn.Conv2d) -> "Windows":
        """The windows that a convolution looks at to make these."""
        (down, across), (tall, wide), (height, width) = layer.stride, layer.kernel_size, self.size
        size = (height - 1) * down + tall, (width - 1) * across + wide
        return Windows(self.rows, self.top * down, self.left * across, size)

    def __call__(self, values: Tensor) -> Tensor:
        """Takes of (n, channels, height, width), shape (m, channels, *size)."""
        rows = torch.zeros_like(self.rows) if len(values) == 1 else self.rows
        height, width = self.size
        return values.unfold(2, height, 1).unfold(3, width, 1)[rows, :, self.top, self.left]

    def dot(self, weight: Tensor, values: Tensor) -> Tensor:
        """Sums of what is taken of (n, channels, height, width), by weights (m, channels, *size); shape (m,)."""
        return (weight * self(values)).flatten(1).sum(dim=1)
