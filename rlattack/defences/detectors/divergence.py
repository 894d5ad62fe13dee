"""Which action follows which, beside clean play: AD3 (Tekgul et al. 2022, sec. 5): for attacks that act all the time.

The share of each pair of successive actions in an episode so far is compared with that in clean play. An alarm is
raised where that divergence was above a threshold in nine tenths of the last 200 steps, from the 400th step on: where
the value that nine tenths of them exceed is above it, which is the score, whatever the threshold.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import torch
from torch import Tensor

from rlattack.arrays import IntArray, rowwise
from rlattack.attacks import Fitted
from rlattack.defences.detectors.detector import Clean, Detector, DetectorConfig, Look, classes, enough
from rlattack.policies.distributions import Actions, Categorical
from rlattack.policies.policy import State
from rlattack.specs import Count, Fraction, Range

_UNSEEN = 1e-5
"""Share that a pair has at least, as in the code of Tekgul et al. 2022."""


@dataclass(frozen=True, kw_only=True)
class DivergenceConfig(DetectorConfig):
    """Parameters of `ad3`, by default the published ones."""

    window: Count = 200
    """Steps over which the divergence must stay high."""
    share: Fraction = 0.9
    """In what part of them."""
    skip: Annotated[int, Range(least=0)] = 400
    """Steps at the beginning of an episode of which it says nothing: so few tell no distribution."""


class Divergence(Detector[DivergenceConfig]):
    """How long the pairs of actions of an episode have been unlike those of clean play."""

    name = "ad3"
    config_type = DivergenceConfig
    needs: ClassVar[frozenset[type[Actions]]] = frozenset({Categorical})
    smooth: ClassVar[bool] = False

    def fit(self, clean: Iterator[Clean], say: Callable[[str], None]) -> Fitted:
        """Counts pairs of actions."""
        before: IntArray | None = None
        memory = self._start(0)
        total = memory.counts.sum(dim=0)
        for step in clean:
            if before is None:
                memory = self._start(len(step.episode))
            else:
                new = torch.as_tensor(step.episode != before)
                total = total + memory.counts[new].sum(dim=0)
                pairs = zip(self._start(len(new)), memory, strict=True)
                memory = _Memory(*(fresh.where(rowwise(new, fresh), one) for fresh, one in pairs))
            memory, before = self._counted(memory, step.look), step.episode
        total = total + memory.counts.sum(dim=0)
        enough(int(total.sum()), 1, self.name, self.config.episodes)
        return Fitted({"usual": total / total.sum()})

    def memory(self, n: int) -> State:
        """What followed what, and how far that was from the usual in the last steps."""
        return self._start(n).joined

    def score(self, look: Look, memory: State) -> Tensor:
        """The divergence that most of the last steps exceeded; no number before there were so many."""
        last = self._read(memory).last
        fewest = self.config.window - math.ceil(self.config.share * self.config.window) + 1
        return last.kthvalue(fewest, dim=1).values.where(~last.isnan().any(dim=1), torch.nan)

    def after(self, look: Look, memory: State) -> State:
        """Counts the pair of this action and the one before."""
        now = self._counted(self._read(memory), look)
        usual, counts = _distribution(self.known("usual").flatten()[None]), now.counts.flatten(1)
        own = _distribution(counts / counts.sum(dim=1, keepdim=True).clamp_min(1))
        apart = (usual * (usual / own).log()).sum(dim=1)
        last = torch.cat([now.last[:, 1:], apart[:, None]], dim=1)
        return now._replace(last=last.where(now.steps > self.config.skip, now.last)).joined

    def _start(self, n: int) -> "_Memory":
        _, actions = classes(self.seat, torch.zeros(1))
        last = torch.full((n, self.config.window), torch.nan)
        return _Memory(torch.zeros(n, actions, actions), torch.full((n, 1), -1.0), torch.zeros(n, 1), last)

    def _read(self, memory: State) -> "_Memory":
        assert memory is not None, "it has one"
        parts = self._start(len(memory))
        sizes = [part[0].numel() for part in parts]
        split = zip(torch.split(memory, sizes, dim=1), parts, strict=True)
        return _Memory(*(one.view_as(like) for one, like in split))

    def _counted(self, memory: "_Memory", look: Look) -> "_Memory":
        """With what was done in rows that act."""
        action, _ = classes(self.seat, look.done)
        acting = torch.as_tensor(look.acting)
        before = memory.before[:, 0].long()
        pairs = torch.zeros_like(memory.counts)
        pairs[torch.arange(len(action)), before.clamp_min(0), action] = (acting & (before >= 0)).float()
        now = action.float().where(acting, memory.before[:, 0])
        return _Memory(memory.counts + pairs, now[:, None], memory.steps + acting[:, None], memory.last)


class _Memory(NamedTuple):
    """Counts of successive actions, (n, actions, actions), the last one, how many, and the last divergences."""

    counts: Tensor
    before: Tensor
    steps: Tensor
    last: Tensor

    @property
    def joined(self) -> Tensor:
        """All of a row side by side."""
        return torch.cat([part.flatten(1) for part in self], dim=1)


def _distribution(shares: Tensor) -> Tensor:
    """Shares of pairs, each above nothing and in sum 1."""
    return (shares + _UNSEEN) / (shares + _UNSEEN).sum(dim=1, keepdim=True)
