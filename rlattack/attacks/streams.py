"""Random numbers for many slots at once, each slot from its own generator, so that an episode's draws are its own."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["Streams"]

Array = npt.NDArray[np.float32]


class Streams:
    """One generator a slot; every method returns shape (slots, *shape), zeros in idle slots, which draw nothing.

    Args:
        slots: Number of slots.
    """

    def __init__(self, slots: int) -> None:
        self.generators = [np.random.Generator(np.random.SFC64(0)) for _ in range(slots)]
        self.active: npt.NDArray[np.bool_] = np.ones(slots, dtype=np.bool_)

    def restart(self, slot: int, seed: np.random.SeedSequence) -> None:
        """Gives a slot the stream of a new episode."""
        self.generators[slot] = np.random.Generator(np.random.SFC64(seed))

    def uniform(self, *shape: int) -> Tensor:
        """Uniform in [0, 1), float32."""
        return self._draw(shape, lambda rng, row: rng.random(dtype=np.float32, out=row))

    def normal(self, *shape: int) -> Tensor:
        """Standard normal, float32."""
        return self._draw(shape, lambda rng, row: rng.standard_normal(dtype=np.float32, out=row))

    def laplace(self, *shape: int) -> Tensor:
        """Standard Laplace, float32."""
        drawn = self._draw(shape, lambda rng, row: rng.standard_exponential(dtype=np.float32, out=row))
        return drawn.mul_(self.signs(*shape))

    def signs(self, *shape: int) -> Tensor:
        """-1 or 1 with equal probability, float32; one random bit each."""
        count = int(np.prod(shape))

        def draw(rng: np.random.Generator, row: Array) -> None:
            bits = np.unpackbits(np.frombuffer(rng.bytes(-(-count // 8)), dtype=np.uint8), count=count)
            np.subtract(np.multiply(bits.reshape(shape), 2, dtype=np.float32), 1, out=row)

        return self._draw(shape, draw)

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers 0..high-1, int64."""
        drawn = np.zeros((len(self.generators), *shape), dtype=np.int64)
        for slot in np.flatnonzero(self.active):
            drawn[slot] = self.generators[slot].integers(high, size=shape)
        return torch.from_numpy(drawn)

    def _draw(self, shape: tuple[int, ...], draw: Callable[[np.random.Generator, Array], object]) -> Tensor:
        drawn = np.zeros((len(self.generators), *shape), dtype=np.float32)
        for slot in np.flatnonzero(self.active):  # drawing costs more than this loop: 1 ns a bit, 5 ns a normal
            draw(self.generators[slot], drawn[slot])
        return torch.from_numpy(drawn)
