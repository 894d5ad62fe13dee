"""What a policy would do: a batch of distributions of actions, of one kind; discrete, continuous or certain."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor

from rlattack.draws import Draws

ILLEGAL = -1e30
"""Score of what the game does not allow now: probability 0, and a number, so that divergences stay numbers."""
_INSIDE = 1 - 1e-6
"""How near an action behind tanh may come to the end of its range, as a share of it, and still have a density."""


class Actions(Protocol):
    """A batch of n distributions of actions of one kind."""

    @property
    def greedy(self) -> Tensor:
        """The most likely action, shape (n,) int64 or (n, entries) float32."""

    def sample(self, draws: Draws) -> Tensor:
        """Drawn actions, of the shape and dtype of `greedy`."""

    def divergence(self, clean: Self) -> Tensor:
        """How far this is from the clean distributions, shape (n,): KL(clean || this); of points the squared way."""

    def moved(self, clean: Self) -> Tensor:
        """How much the greedy action moved, shape (n,), in [0, 1]: another choice, or the share of the range."""

    def among(self, legal: Tensor | None) -> Self:
        """The same with no more than the legal actions of each row, bool, (n, actions); itself where none is given."""

    def detach(self) -> Self:
        """The same without its graph."""


@dataclass(frozen=True)
class _Tensors:
    """Distributions that are nothing but tensors."""

    def detach(self) -> Self:
        """The same without its graph."""
        return replace(self, **{name: tensor.detach() for name, tensor in vars(self).items()})


@dataclass(frozen=True)
class Categorical(_Tensors):
    """Distributions of discrete actions.

    Attributes:
        scores: Log-probabilities up to a constant a row, shape (n, actions), float32: logits, or Q over a temperature.
    """

    scores: Tensor

    @property
    def probabilities(self) -> Tensor:
        """Probability of each action, shape (n, actions)."""
        return self.scores.softmax(dim=1)

    @property
    def greedy(self) -> Tensor:
        """The most likely action, shape (n,), int64; the lowest number among equals."""
        return self.scores.argmax(dim=1)

    def sample(self, draws: Draws) -> Tensor:
        """Draws actions by inverting the distribution function at one uniform number a row; shape (n,), int64."""
        scores = self.scores.numpy(force=True).astype(np.float64)  # numpy: a tenth of torch's time for so few numbers
        uniform = draws.uniform(1).numpy(force=True)
        cumulative = np.exp(scores - scores.max(axis=1, keepdims=True)).cumsum(axis=1)
        drawn = (cumulative <= uniform * cumulative[:, -1:]).sum(axis=1)
        return torch.as_tensor(np.minimum(drawn, cumulative.shape[1] - 1), device=self.scores.device)

    def divergence(self, clean: "Categorical") -> Tensor:
        """Kullback-Leibler divergence KL(clean || this), shape (n,)."""
        before, now = clean.scores.log_softmax(dim=1), self.scores.log_softmax(dim=1)
        return (before.exp() * (before - now)).sum(dim=1)

    def moved(self, clean: "Categorical") -> Tensor:
        """1 where the greedy action is another one, else 0; shape (n,), float32."""
        return (self.greedy != clean.greedy).float()

    def among(self, legal: Tensor | None) -> Self:
        """The same with no more than the legal actions of each row, bool, (n, actions); itself where none is given."""
        return self if legal is None else replace(self, scores=self.scores.masked_fill(~legal, ILLEGAL))


@dataclass(frozen=True)
class Choices:
    """Several discrete actions at once, each drawn by itself: those of a MultiDiscrete.

    Attributes:
        scores: Those of all entries side by side, as of `Categorical`, shape (n, sum of counts), float32.
        counts: How many actions each entry has.
    """

    scores: Tensor
    counts: tuple[int, ...]

    @property
    def parts(self) -> tuple[Categorical, ...]:
        """The distribution of each entry."""
        return tuple(Categorical(scores) for scores in torch.split(self.scores, list(self.counts), dim=1))

    @property
    def greedy(self) -> Tensor:
        """The most likely action of each entry, shape (n, entries), int64."""
        return torch.stack([part.greedy for part in self.parts], dim=1)

    def sample(self, draws: Draws) -> Tensor:
        """Drawn actions, shape (n, entries), int64; one uniform number an entry."""
        return torch.stack([part.sample(draws) for part in self.parts], dim=1)

    def divergence(self, clean: "Choices") -> Tensor:
        """KL(clean || this), shape (n,): the sum over the entries, which are independent."""
        pairs = zip(self.parts, clean.parts, strict=True)
        return torch.stack([now.divergence(before) for now, before in pairs]).sum(dim=0)

    def moved(self, clean: "Choices") -> Tensor:
        """The share of entries whose greedy action is another one, shape (n,), float32."""
        return (self.greedy != clean.greedy).float().mean(dim=1)

    def among(self, legal: Tensor | None) -> Self:
        """The same with no more than the legal actions of each row, bool, side by side as `scores`."""
        return self if legal is None else replace(self, scores=self.scores.masked_fill(~legal, ILLEGAL))

    def detach(self) -> Self:
        """The same without its graph."""
        return replace(self, scores=self.scores.detach())


@dataclass(frozen=True)
class _Continuous(_Tensors):
    """What distributions over a box of actions share.

    Attributes:
        mean: The greedy action, shape (n, entries), float32.
        low: Smallest action, shape (entries,); -inf where there is no bound.
        high: Largest action, shape (entries,).
    """

    mean: Tensor
    low: Tensor
    high: Tensor

    @property
    def greedy(self) -> Tensor:
        """The most likely action, shape (n, entries)."""
        return self.mean

    def moved(self, clean: Self) -> Tensor:
        """Mean share of the range by which the greedy action moved, as the game clips it; shape (n,), in [0, 1].

        An entry without bounds counts as moved wholly once it is another number.
        """
        now, before = (torch.clamp(one.greedy, self.low, self.high) for one in (self, clean))
        share = (now - before).abs() / (self.high - self.low)
        wholly = (now != before).float()
        return torch.where(torch.isfinite(self.high - self.low), share, wholly).mean(dim=1)

    def among(self, legal: Tensor | None) -> Self:
        """Itself: no continuous action is illegal."""
        return self


@dataclass(frozen=True)
class Normal(_Continuous):
    """Normal distributions of continuous actions.

    Attributes:
        deviation: Standard deviation of each entry, shape (entries,) or (n, entries).
    """

    deviation: Tensor

    def sample(self, draws: Draws) -> Tensor:
        """Drawn actions, shape (n, entries); not clipped."""
        return self.mean + self.deviation * draws.normal(self.mean.shape[1]).to(self.mean.device)

    def surprise(self, action: Tensor) -> Tensor:
        """How unlikely actions are: minus the log-density up to a constant a row, shape (n,)."""
        return ((action - self.mean) / self.deviation).square().sum(dim=1) / 2

    def divergence(self, clean: "Normal") -> Tensor:
        """KL(clean || this), shape (n,); with equal deviations the MAD of Zhang et al. 2020, sec. 3.3."""
        apart = ((self.mean - clean.mean) / self.deviation).square() / 2
        if self.deviation is not clean.deviation:
            ratio = (clean.deviation / self.deviation).square()
            apart = apart + (ratio - 1 - ratio.log()) / 2
        return apart.sum(dim=1)


@dataclass(frozen=True)
class SquashedNormal(Normal):
    """Normal distributions behind tanh, scaled to the range (SAC; Haarnoja et al. 2018, appendix C).

    `mean` and `deviation`, each of shape (n, entries), are those before tanh.
    """

    @property
    def greedy(self) -> Tensor:
        """The action of the mean, shape (n, entries), within the range."""
        return self._scaled(self.mean)

    def sample(self, draws: Draws) -> Tensor:
        """Drawn actions, shape (n, entries), within the range."""
        return self._scaled(super().sample(draws))

    def surprise(self, action: Tensor) -> Tensor:
        """How unlikely actions within the range are: minus the log-density up to a constant a row, shape (n,)."""
        share = (2 * (action - self.low) / (self.high - self.low) - 1).clamp(-_INSIDE, _INSIDE)
        return (((share.atanh() - self.mean) / self.deviation).square() / 2 + (1 - share.square()).log()).sum(dim=1)

    def divergence(self, clean: "Normal") -> Tensor:
        """KL(clean || this), shape (n,): tanh changes both alike, so that of the normal distributions before it."""
        ratio = (clean.deviation / self.deviation).square()
        apart = ((self.mean - clean.mean) / self.deviation).square()
        return ((apart + ratio - 1 - ratio.log()) / 2).sum(dim=1)

    def _scaled(self, point: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * (point.tanh() + 1) / 2


@dataclass(frozen=True)
class Point(_Continuous):
    """Actions that are certain: those of TD3 and DDPG, or of who does nothing."""

    def sample(self, draws: Draws) -> Tensor:
        """The action itself; draws nothing."""
        return self.mean

    def surprise(self, action: Tensor) -> Tensor:
        """How far actions are from those that are certain: the squared distance, shape (n,)."""
        return (action - self.mean).square().sum(dim=1)

    def divergence(self, clean: "Point") -> Tensor:
        """Squared distance of the actions, shape (n,)."""
        return (self.mean - clean.mean).square().sum(dim=1)


@dataclass(frozen=True)
class Uniform(_Continuous):
    """Actions drawn uniformly from the range; `mean` is its middle."""

    def sample(self, draws: Draws) -> Tensor:
        """Drawn actions, shape (n, entries)."""
        return self.low + (self.high - self.low) * draws.uniform(self.mean.shape[1]).to(self.mean.device)

    def divergence(self, clean: "Uniform") -> Tensor:
        """0, shape (n,): what is seen changes nothing."""
        return torch.zeros(len(self.mean))


def kinds(needs: Iterable[type[Actions]]) -> str:
    """Says which actions somebody needs, by their distributions: `discrete`, `continuous`."""
    words = {"discrete" if kind in (Categorical, Choices) else "continuous" for kind in needs}
    return " or ".join(sorted(words))
