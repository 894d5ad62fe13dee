"""The `[network]` table of agents that see numbers, or several things at once: enough to rebuild the network."""

import itertools
import math
from dataclasses import dataclass
from typing import Literal

from rlattack.errors import ContentError
from rlattack.games.game import Part

_LARGEST = 100_000
_LARGEST_SEEN = 10_000_000
"""Entries of an observation; those of pictures are many."""
_MOST_LAYERS = 100


@dataclass(frozen=True, kw_only=True)
class GaussianSpec:
    """The `[network]` table of an agent card whose `kind` is `gaussian`."""

    kind: Literal["gaussian"] = "gaussian"
    observation: tuple[int, ...]
    """Shape of one observation: (entries,); a Dict lies in it flattened."""
    keys: tuple[str, ...] = ()
    """Keys of a Dict, in the order of their entries; none for one array."""
    shapes: tuple[tuple[int, ...], ...] = ()
    """Shape of each key; of pictures (channels, height, width)."""
    pictures: tuple[int, ...] = ()
    """Features that a NatureCNN (Mnih et al. 2015) of its own makes of each key; 0 of one that is seen as it is."""
    scale: float = 255.0
    """Pictures are divided by this."""
    raw: tuple[str, ...] = ()
    """Keys that are seen as they are, where the others are normalised."""
    actions: int
    """Entries of an action; the number of actions of a `categorical` head."""
    head: Literal["normal", "squashed", "point", "squashed-point", "categorical", "q"] = "normal"
    """What the actor's outputs are: means, means before tanh, actions, actions before tanh, scores of actions, or the
    values of discrete actions, by which it acts."""
    choices: tuple[int, ...] = ()
    """How many actions each entry of a MultiDiscrete has, of a `categorical` head; together they are `actions`."""
    deviation: Literal["fixed", "layer", "bounded-layer", "sde"] = "fixed"
    """Whether the deviation of a normal distribution depends on nothing, on the state by a layer of its own (clipped,
    or bounded by tanh), or by state-dependent exploration."""
    hidden: tuple[int, ...] = (64, 64)
    """Layers of the actor before its memory."""
    memory: int = 0
    """Size of the actor's and the critic's LSTM after the hidden layers; 0 for none."""
    after: tuple[int, ...] = ()
    """Layers of the actor after its memory."""
    critic: tuple[int, ...] | None = None
    """Layers of a critic, where they are not those of the actor."""
    critic_after: tuple[int, ...] = ()
    """Layers of a critic of states after its memory."""
    critic_memory: Literal["own", "actor", "none"] = "own"
    """Whose memory a critic of states reads, where the actor has one."""
    critics: int = 1
    """How many critics there are; none or one of states, any number of actions."""
    judges: Literal["states", "actions"] = "states"
    """What critics judge: states (V), or actions in states (Q)."""
    quantiles: int = 1
    """Outputs of a critic, whose mean is its value."""
    activation: Literal["tanh", "relu"] | None = None
    """Of hidden layers; by default ReLU with `memory`, else tanh."""
    clip: float = 5.0
    """Normalised observations are clipped to this size; 0 for observations as they are."""
    largest_mean: float = 0.0
    """Means before tanh are clipped to this size; 0 for not."""
    low: tuple[float, ...] = ()
    """The smallest action of the game that it was trained for, where that is known."""
    high: tuple[float, ...] = ()
    """The largest one."""

    def __post_init__(self) -> None:
        """Checks what the types cannot say.

        Raises:
            ContentError: A size outside its range, or parts that do not go together.
        """
        layers = (*self.hidden, *self.after, *(self.critic or ()), *self.critic_after, *filter(None, self.pictures))
        sizes = (self.actions, self.quantiles, *layers)
        if min(sizes) < 1 or max(*sizes, self.memory) > _LARGEST or self.memory < 0:
            raise ContentError(f"network: expected sizes from 1 to {_LARGEST:,}, got {sizes} and memory {self.memory}")
        if len(self.observation) != 1 or not 1 <= self.observation[0] <= _LARGEST_SEEN:
            raise ContentError(f"network: expected observations of 1 to {_LARGEST_SEEN:,} numbers in a row, got "
                               f"{self.observation}")  # fmt: skip
        self._check_keys()
        if len(layers) > _MOST_LAYERS or not 0 <= self.critics <= _MOST_LAYERS:
            raise ContentError(f"network: expected at most {_MOST_LAYERS} layers and critics")
        if not (0 <= self.clip < math.inf and 0 <= self.largest_mean < math.inf):
            raise ContentError(f"network: expected clips of 0 or more, got {self.clip} and {self.largest_mean}")
        if self.choices and (self.head != "categorical" or sum(self.choices) != self.actions or min(self.choices) < 1):
            raise ContentError(f"network: expected choices of {self.actions} actions together, got {self.choices}")
        apart = all(low < high for low, high in zip(self.low, self.high, strict=False))
        if len(self.low) != len(self.high) or len(self.low) not in (0, self.actions) or not apart:
            raise ContentError(f"network: expected ends of {self.actions} actions, got {self.low} and {self.high}")
        if self.judges == "states" and self.critics > 1:
            raise ContentError(f"network: expected at most one critic of states, got {self.critics}")

    @property
    def own_activation(self) -> Literal["tanh", "relu"]:
        """That of hidden layers."""
        return self.activation or ("relu" if self.memory else "tanh")

    @property
    def parts(self) -> tuple[Part, ...]:
        """What lies where in an observation of several things; none of one array."""
        sizes = [math.prod(shape) for shape in self.shapes]
        starts = itertools.accumulate(sizes, initial=0)
        return tuple(map(Part, self.keys, starts, sizes, self.shapes, [True] * len(sizes)))

    @property
    def features(self) -> int:
        """Inputs of the first layer: entries, and features of pictures in place of theirs."""
        pictures = zip(self.pictures, self.parts, strict=True)
        return self.observation[0] + sum(features - part.entries for features, part in pictures if features)

    def _check_keys(self) -> None:
        """Checks what is seen of a Dict."""
        if not self.keys:
            if self.shapes or self.pictures or self.raw:
                raise ContentError("network: shapes, pictures and raw are of keys, and there are none")
            return
        if not len(set(self.keys)) == len(self.keys) == len(self.shapes) == len(self.pictures):
            raise ContentError("network: expected a name, a shape and features for each key")
        if min((1, *itertools.chain(*self.shapes))) < 1 or sum(map(math.prod, self.shapes)) != self.observation[0]:
            raise ContentError(f"network: expected keys of {self.observation[0]} entries, got shapes {self.shapes}")
        flat = [shape for shape, features in zip(self.shapes, self.pictures, strict=True) if features]
        if any(len(shape) != 3 for shape in flat) or min((0, *self.pictures)) < 0 or not 0 < self.scale < math.inf:
            raise ContentError(f"network: expected pictures (channels, height, width), got {flat}")
        if not set(self.raw) <= set(self.keys):
            raise ContentError(f"network: expected raw keys of {', '.join(self.keys)}, got {', '.join(self.raw)}")
