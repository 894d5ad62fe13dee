"""What several policies would do, each in rows of its own: one batch of distributions over one space of actions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from rlattack.draws import Draws, RowDraws
from rlattack.policies.distributions import Actions


@dataclass(frozen=True)
class Mixed:
    """Distributions of rows that are played by different policies, all over one space of actions.

    Attributes:
        parts: The rows of each policy, bool, shape (n,), and their distributions in that order.
    """

    parts: Sequence[tuple[Tensor, Actions]]

    @property
    def greedy(self) -> Tensor:
        """The most likely action of each row."""
        return self._joined([part.greedy for _, part in self.parts])

    def sample(self, draws: Draws) -> Tensor:
        """Drawn actions; every part draws for all rows, so that what one gets does not depend on the others."""
        return self._joined([part.sample(RowDraws(draws, rows)) for rows, part in self.parts])

    def divergence(self, clean: "Mixed") -> Tensor:
        """KL(clean || this) of each row, shape (n,)."""
        pairs = zip(self.parts, clean.parts, strict=True)
        return self._joined([now.divergence(before) for (_, now), (_, before) in pairs])

    def moved(self, clean: "Mixed") -> Tensor:
        """How much the greedy action of each row moved, shape (n,)."""
        pairs = zip(self.parts, clean.parts, strict=True)
        return self._joined([now.moved(before) for (_, now), (_, before) in pairs])

    def among(self, legal: Tensor | None) -> Self:
        """The same with no more than the legal actions of each row."""
        if legal is None:
            return self
        return replace(self, parts=[(rows, part.among(legal[rows])) for rows, part in self.parts])

    def detach(self) -> Self:
        """The same without its graph."""
        return replace(self, parts=[(rows, part.detach()) for rows, part in self.parts])

    def _joined(self, found: Sequence[Tensor]) -> Tensor:
        (first, _), *_ = self.parts
        whole = torch.zeros(len(first), *found[0].shape[1:], dtype=found[0].dtype)
        for (rows, _), values in zip(self.parts, found, strict=True):
            whole[rows] = values
        return whole
