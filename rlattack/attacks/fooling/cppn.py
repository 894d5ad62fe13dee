"""Compositional pattern-producing networks: small graphs that paint a picture from coordinates (Stanley 2007)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rlattack.arrays import Array

INPUTS = 5
"""Across, down, from the middle, frame or colour, and 1."""
Numbers = npt.NDArray[np.float32]
_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "sine": np.sin,
    "gauss": lambda x: np.exp(-np.square(x)),
    "tanh": np.tanh,
    "line": lambda x: x,
}
_START, _STEP = 2.0, 0.7
"""Standard deviations of weights at first, and of their changes."""
_NODE, _EDGE, _FUNCTION = 0.15, 0.2, 0.1
"""Probabilities that a node or an edge is added, and that a node becomes another function."""
_LARGEST = 1e4
"""Sum, so that squares stay finite."""
_WEIGHT = 0.6
"""Probability that a weight changes."""


@dataclass(frozen=True)
class Node:
    """One function of a weighted sum.

    Attributes:
        function: Its name.
        edges: Number of what comes in (first the inputs, then the nodes before it), and the weight.
    """

    function: str
    edges: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class CPPN:
    """A network without loops; the last node paints.

    Attributes:
        nodes: Each after all that it takes from.
    """

    nodes: tuple[Node, ...]

    @classmethod
    def random(cls, rng: np.random.Generator) -> "CPPN":
        """One node that takes all inputs."""
        return cls((_node(rng, range(INPUTS)),))

    def mutated(self, rng: np.random.Generator) -> "CPPN":
        """A child: other weights, now and then another function, one more node or one more edge."""
        child = CPPN(tuple(_changed(node, rng) for node in self.nodes))
        if rng.random() < _NODE:
            child = child._with_node(rng)
        if rng.random() < _EDGE:
            child = child._with_edge(rng)
        return child

    def paint(self, where: Numbers) -> Numbers:
        """Paints points.

        Args:
            where: Inputs of each, shape (INPUTS, points).

        Returns:
            Shape (points,), in (0, 1).
        """
        made = list(where)
        for node in self.nodes:
            total = np.zeros_like(where[0])
            for source, weight in node.edges:
                total += np.float32(weight) * made[source]
            made.append(_FUNCTIONS[node.function](np.clip(total, -_LARGEST, _LARGEST)))
        painted: Numbers = 0.5 * (1 + np.tanh(made[-1]))
        return painted

    def _with_node(self, rng: np.random.Generator) -> "CPPN":
        """A node in the middle of an edge, by a line at first, so that the picture stays nearly the same."""
        place = int(rng.integers(len(self.nodes)))
        node = self.nodes[place]
        number = int(rng.integers(len(node.edges)))
        source, weight = node.edges[number]
        at = INPUTS + place
        between = Node(str(rng.choice(list(_FUNCTIONS))), ((source, 1.0),))
        moved = tuple(_shifted(one, at) for one in self.nodes)
        edges = [*moved[place].edges]
        edges[number] = (at, weight)
        after = (replace(moved[place], edges=tuple(edges)), *moved[place + 1 :])
        return CPPN((*moved[:place], between, *after))

    def _with_edge(self, rng: np.random.Generator) -> "CPPN":
        place = int(rng.integers(len(self.nodes)))
        edge = int(rng.integers(INPUTS + place)), float(rng.normal(0, _STEP))
        node = self.nodes[place]
        return CPPN((*self.nodes[:place], replace(node, edges=(*node.edges, edge)), *self.nodes[place + 1 :]))


def coordinates(channels: int, height: int, width: int) -> Numbers:
    """The inputs of every point of pictures, shape (INPUTS, channels * height * width), from -1 to 1."""
    lines = [np.linspace(-1, 1, side) if side > 1 else np.zeros(1) for side in (channels, height, width)]
    which, down, across = np.meshgrid(*lines, indexing="ij")
    middle = np.sqrt(across**2 + down**2) / math.sqrt(2) * 2 - 1
    inputs = [across, down, middle, which, np.ones_like(across)]
    return np.stack([one.ravel() for one in inputs]).astype(np.float32)


def _node(rng: np.random.Generator, sources: range) -> Node:
    edges = tuple((source, float(rng.normal(0, _START))) for source in sources)
    return Node(str(rng.choice(list(_FUNCTIONS))), edges)


def _changed(node: Node, rng: np.random.Generator) -> Node:
    edges = tuple(
        (source, weight + float(rng.normal(0, _STEP)) if rng.random() < _WEIGHT else weight)
        for source, weight in node.edges
    )
    function = str(rng.choice(list(_FUNCTIONS))) if rng.random() < _FUNCTION else node.function
    return Node(function, edges)


def _shifted(node: Node, at: int) -> Node:
    """The same where a node was put at a number."""
    return replace(node, edges=tuple((source + (source >= at), weight) for source, weight in node.edges))
