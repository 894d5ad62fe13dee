"""Random numbers: the seed tree of a run, and streams that give every episode draws of its own.

Episode i draws its start, the actions of each seat and its attacks from (run seed, i, purpose) alone.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rlattack.arrays import BoolArray

_GAME, _, _ATTACK, _SEATS, _LEDGER = range(5)


def game_seed(run: int, episode: int) -> int:
    """The seed that a game is reset with for an episode of a run, 0..2^31-1."""
    return int(_branch(run, episode, _GAME).generate_state(1)[0] >> 1)


def attack_seed(run: int, episode: int, number: int = 0) -> np.random.SeedSequence:
    """The seed of the random numbers of an attack in an episode; `number` tells several attacks apart."""
    return _branch(run, episode, _ATTACK, *([number] if number else []))


def seat_seed(run: int, episode: int, seat: int) -> np.random.SeedSequence:
    """The seed of the random numbers by which the player of a seat acts in an episode."""
    return _branch(run, episode, _SEATS, seat)


def ledger_seed(run: int, episode: int) -> np.random.SeedSequence:
    """The seed that draws the steps of an episode of which a ledger keeps all."""
    return _branch(run, episode, _LEDGER)


def _branch(run: int, episode: int, *purpose: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(run, spawn_key=(episode, *purpose))


class Draws(Protocol):
    """Random numbers of shape (n, *shape), float32, for n rows at once: drawn on the CPU, whatever the device."""

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1)."""

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""

    def laplace(self, *shape: int) -> Tensor:
        """Standard Laplace numbers."""

    def signs(self, *shape: int) -> Tensor:
        """-1 or 1 with equal probability."""

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers 0..high-1, int64."""


class Streams:
    """Draws from one generator a slot, so that an episode's numbers do not depend on what other slots do.

    Every method returns shape (slots, *shape), zeros in idle slots, which draw nothing.

    Args:
        slots: Number of slots.
    """

    def __init__(self, slots: int) -> None:
        self.generators = [np.random.Generator(np.random.SFC64(0)) for _ in range(slots)]
        self.active: BoolArray = np.ones(slots, dtype=np.bool_)

    def restart(self, slot: int, seed: np.random.SeedSequence) -> None:
        """Gives a slot the stream of a new episode."""
        self.generators[slot] = np.random.Generator(np.random.SFC64(seed))

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1), float32."""
        return self._draw(shape, lambda rng, row: rng.random(dtype=np.float32, out=row))

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers, float32."""
        return self._draw(shape, lambda rng, row: rng.standard_normal(dtype=np.float32, out=row))

    def laplace(self, *shape: int) -> Tensor:
        """Standard Laplace numbers, float32."""
        drawn = self._draw(shape, lambda rng, row: rng.standard_exponential(dtype=np.float32, out=row))
        return drawn.mul_(self.signs(*shape))

    def signs(self, *shape: int) -> Tensor:
        """-1 or 1 with equal probability, float32; one random bit each."""
        count = int(np.prod(shape))

        def draw(rng: np.random.Generator, row: npt.NDArray[np.float32]) -> None:
            bits = np.unpackbits(np.frombuffer(rng.bytes(-(-count // 8)), dtype=np.uint8), count=count)
            np.subtract(np.multiply(bits.reshape(shape), 2, dtype=np.float32), 1, out=row)

        return self._draw(shape, draw)

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers 0..high-1, int64."""
        drawn = np.zeros((len(self.generators), *shape), dtype=np.int64)
        for slot in np.flatnonzero(self.active):
            drawn[slot] = self.generators[slot].integers(high, size=shape)
        return torch.as_tensor(drawn)

    def _draw(
        self, shape: tuple[int, ...], draw: Callable[[np.random.Generator, npt.NDArray[np.float32]], object]
    ) -> Tensor:
        drawn = np.zeros((len(self.generators), *shape), dtype=np.float32)
        for slot in np.flatnonzero(self.active):  # drawing costs more than this loop: 1 ns a bit, 5 ns a normal
            draw(self.generators[slot], drawn[slot])
        return torch.as_tensor(drawn)


class SharedDraws:
    """Draws from one generator for all rows, for training, which needs no stream a slot.

    Args:
        rows: Number of rows.
        seed: Of the numbers.
    """

    def __init__(self, rows: int, seed: int) -> None:
        self._rows, self._generator = rows, torch.Generator().manual_seed(seed)

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1)."""
        return self._drawn(shape, lambda numbers: numbers.uniform_(generator=self._generator))

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return self._drawn(shape, lambda numbers: numbers.normal_(generator=self._generator))

    def laplace(self, *shape: int) -> Tensor:
        """Standard Laplace numbers."""
        drawn = self._drawn(shape, lambda numbers: numbers.exponential_(generator=self._generator))
        return drawn * self.signs(*shape)

    def signs(self, *shape: int) -> Tensor:
        """-1 or 1 with equal probability."""
        return self.integers(2, *shape).float() * 2 - 1

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers 0..high-1, int64."""
        drawn = torch.randint(high, (self._rows, *shape), generator=self._generator, device="cpu")
        return torch.as_tensor(drawn)

    def _drawn(self, shape: tuple[int, ...], draw: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.as_tensor(draw(torch.empty(self._rows, *shape, device="cpu")))


class RowDraws:
    """The draws of some rows; all rows draw, so that what one gets does not depend on who else is there.

    Args:
        draws: Of all rows.
        rows: Which rows, bool, shape (n,).
    """

    def __init__(self, draws: Draws, rows: Tensor) -> None:
        self._draws, self._rows = draws, rows

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1)."""
        return self._draws.uniform(*shape)[self._rows]

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return self._draws.normal(*shape)[self._rows]

    def laplace(self, *shape: int) -> Tensor:
        """Standard Laplace numbers."""
        return self._draws.laplace(*shape)[self._rows]

    def signs(self, *shape: int) -> Tensor:
        """-1 or 1 with equal probability."""
        return self._draws.signs(*shape)[self._rows]

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers 0..high-1, int64."""
        return self._draws.integers(high, *shape)[self._rows]


class CopyDraws:
    """The draws of several copies of each row, which follow one another: a row draws for all of its own.

    Args:
        draws: Of the rows.
        copies: Of each row.
    """

    def __init__(self, draws: Draws, copies: int) -> None:
        self._draws, self._copies = draws, copies

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1)."""
        return self._draws.uniform(self._copies, *shape).flatten(0, 1)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return self._draws.normal(self._copies, *shape).flatten(0, 1)

    def laplace(self, *shape: int) -> Tensor:
        """Standard Laplace numbers."""
        return self._draws.laplace(self._copies, *shape).flatten(0, 1)

    def signs(self, *shape: int) -> Tensor:
        """-1 or 1 with equal probability."""
        return self._draws.signs(self._copies, *shape).flatten(0, 1)

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers 0..high-1, int64."""
        return self._draws.integers(high, self._copies, *shape).flatten(0, 1)
