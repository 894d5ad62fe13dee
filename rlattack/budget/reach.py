"""What an attack may change and how that is measured: the base of balls, patches and natural changes."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from rlattack.arrays import BoolArray, FloatArray, IntArray
from rlattack.draws import Draws

TOLERANCE = 1e-6
"""By how much a size may exceed its budget: float rounding (DESIGN rule 4)."""


@dataclass(frozen=True)
class Sizes:
    """What a reach measured of a batch.

    Attributes:
        values: Sizes of each row in the order of the reach's `names`, shape (n, len(names)), in the budget's units.
        legal: Whether a row is in the reach and in the observation space, shape (n,).
        changed: Whether a row is another than the clean one, shape (n,).
    """

    values: FloatArray
    legal: BoolArray
    changed: BoolArray


class Reach(ABC):
    """What an attack may do to one thing (an observation, an action), and how that is measured.

    Attributes:
        kind: `linf`, `l2`, `l1`, `l0`, `rotation`, ...: what `eps` counts.
        names: What `measure` measures.
        radius: The largest size of `kind`, in the budget's units.
    """

    kind: ClassVar[str]
    names: ClassVar[tuple[str, ...]]
    radius: float
    remembers: ClassVar[bool] = False
    """Whether what it allows depends on the steps before, which it is then told by `see`."""

    @abstractmethod
    def settle(self, wanted: Tensor, clean: Tensor) -> Tensor:
        """The point of the reach near `wanted`: the only way out of an attack. A new tensor, always legal."""

    @abstractmethod
    def measure(self, received: Tensor, clean: Tensor) -> Sizes:
        """Sizes of what was received, by whoever holds an own copy of the clean thing; shape (n, *thing) both."""

    def as_eps(self, sizes: Sizes) -> FloatArray:
        """What was measured as a budget would say it, shape (n,): the smallest `eps` that allows each row."""
        found: FloatArray = sizes.values[:, self.names.index(self.kind)]
        return found

    @abstractmethod
    def random(self, clean: Tensor, draws: Draws) -> Tensor:
        """The control: as far as the reach goes, in a random direction."""

    # most reaches remember nothing
    def see(self, shown: Tensor, received: Tensor, acting: BoolArray) -> None:  # noqa: B027
        """Keeps a step in which these slots acted, for a reach that remembers; shape (slots, *thing) both."""

    def restart(self, slots: IntArray) -> None:  # noqa: B027
        """Forgets the episodes that ended in these slots."""

    def judged(self) -> Self:
        """The same as the judge has it, with a memory of its own."""
        return self


def finite(wanted: Tensor, clean: Tensor) -> Tensor:
    """What is wanted, and the clean value wherever that is no number or an infinite one; itself where nothing is."""
    least, most = wanted.aminmax()  # not a number where one is not: one pass, where all is well
    if (least > -torch.inf) & (most < torch.inf):
        return wanted
    return torch.where(wanted.isfinite(), wanted, clean)
