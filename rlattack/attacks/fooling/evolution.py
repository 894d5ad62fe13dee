"""Evolution of inputs by MAP-Elites: one elite for every target, and children of any for all (Mouret and Clune 2015).

As in Nguyen et al. 2015, sec. 2.2, where targets are the classes of an image network; there and here inputs are
encoded directly, as pixels, or by a CPPN that paints them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from rlattack.arrays import Array, FloatArray, IntArray
from rlattack.attacks.fooling.cppn import CPPN, coordinates

_CHANGED = 0.1
"""Part of an input's entries that a child changes (Nguyen et al. 2015, sec. 2.2)."""
_STRENGTH = 15
"""Of the polynomial mutation (Deb 2001), as there: the larger, the smaller the changes."""
AT_ONCE = 20
"""Children that are asked about at once."""
G = TypeVar("G")


class Encoding(Protocol[G]):
    """How inputs are written down, and what becomes of what is written."""

    def random(self, rng: np.random.Generator) -> G:
        """A first one."""

    def mutated(self, genome: G, rng: np.random.Generator) -> G:
        """A child."""

    def shown(self, genome: G) -> Array:
        """The input, in shares of its range, float32, shape (*observation)."""


@dataclass(frozen=True)
class Direct:
    """Every entry by itself, from noise.

    Attributes:
        shape: Of one input.
    """

    shape: tuple[int, ...]

    def random(self, rng: np.random.Generator) -> Array:
        """Noise."""
        return rng.random(self.shape, dtype=np.float32)

    def mutated(self, genome: Array, rng: np.random.Generator) -> Array:
        """A tenth of the entries moved by the polynomial mutation, and at least one."""
        changed = rng.random(self.shape) < _CHANGED
        changed.flat[rng.integers(changed.size)] = True
        drawn = rng.random(int(changed.sum()))
        power = 1 / (_STRENGTH + 1)
        apart = np.where(drawn < 0.5, (2 * drawn) ** power - 1, 1 - (2 * (1 - drawn)) ** power)
        child = genome.copy()
        child[changed] = np.clip(child[changed] + apart, 0, 1)
        return child

    def shown(self, genome: Array) -> Array:
        """Itself."""
        return genome


class Painted:
    """Pictures painted by a CPPN.

    Args:
        channels: Frames or colours, height and width.
        laid: Makes an observation of them.
    """

    def __init__(self, channels: tuple[int, int, int], laid: Callable[[Array], Array]) -> None:
        self._shape, self._laid, self._where = channels, laid, coordinates(*channels)

    def random(self, rng: np.random.Generator) -> CPPN:
        """A network of one node."""
        return CPPN.random(rng)

    def mutated(self, genome: CPPN, rng: np.random.Generator) -> CPPN:
        """Its child."""
        return genome.mutated(rng)

    def shown(self, genome: CPPN) -> Array:
        """What it paints."""
        return self._laid(genome.paint(self._where).reshape(self._shape))


@dataclass(frozen=True)
class Evolved(Generic[G]):
    """What came of an evolution.

    Attributes:
        reached: Queries until each target was sure enough; -1 of one that never was, shape (targets,).
        sure: How sure the best is, shape (targets,).
        best: The elites' inputs, in shares of their range, shape (targets, *observation).
        queries: In all.
    """

    reached: IntArray
    sure: FloatArray
    best: Array
    queries: int


def evolve(
    encoding: Encoding[G], ask: Callable[[Sequence[Array]], FloatArray], enough: float, queries: int,
    rng: np.random.Generator, tell: Callable[[int], None] = lambda done: None,
) -> Evolved[G]:  # fmt: skip
    """Evolves until every target has an input of which the agent is sure enough, or nothing more may be asked.

    Args:
        encoding: Of inputs.
        ask: Gives how sure the agent is of each target, shape (inputs, targets), of inputs in shares of their range.
        enough: How sure it is to be.
        queries: Inputs that may be asked about, at least 1.
        rng: Of parents and their children.
        tell: Told how many were asked about.
    """
    elites: list[G] = []
    sure, reached = np.zeros(0), np.zeros(0, dtype=np.int64)
    asked = 0
    while asked < queries and (not elites or (reached < 0).any()):
        count = min(AT_ONCE, queries - asked)
        if elites:
            children = [encoding.mutated(elites[rng.integers(len(elites))], rng) for _ in range(count)]
        else:
            children = [encoding.random(rng) for _ in range(count)]
        found = ask([encoding.shown(child) for child in children])
        if not elites:
            elites = [children[0]] * found.shape[1]
            sure, reached = np.full(found.shape[1], -1.0), np.full(found.shape[1], -1)
        for number, row in enumerate(found):
            better = row > sure
            for target in np.flatnonzero(better):
                elites[target] = children[number]
            sure = np.where(better, row, sure)
            reached[(reached < 0) & (row >= enough)] = asked + number + 1
        asked += count
        tell(asked)
    return Evolved(reached, sure, np.stack([encoding.shown(one) for one in elites]), asked)
