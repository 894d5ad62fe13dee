"""Bounds of what a smoothed policy earns under attack, from the returns that it earned with its noise alone.

The noise makes whole episodes one random variable, of which perturbations of l2 norm B together move any event's
probability p to no less than Phi(Phi^-1(p) - B / sigma): also where each depends on all that was seen before (Kumar et
al. 2022, theorem 1). CROP's bounds of the expectation and of percentiles (Wu et al. 2022, theorems 2 and 3) follow.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from rlattack.arrays import FloatArray
from rlattack.errors import InvalidInput


@dataclass(frozen=True)
class SmoothedReturns:
    """Returns of episodes in which what is seen is noised in every step, once.

    Attributes:
        returns: One an episode, shape (episodes,).
        alpha: Probability that a bound is wrong.
        low: The least that the game can give; the bounds say nothing below the returns that were seen without it.
        high: The most.

    Raises:
        InvalidInput: No returns, a probability outside (0, 1), or returns outside of what the game can give.
    """

    returns: FloatArray
    alpha: float = 0.05
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if not len(self.returns):
            raise InvalidInput("return bound: expected returns of at least one episode, got none")
        if not 0 < self.alpha < 1:
            raise InvalidInput(f"alpha: expected a probability above 0 and below 1, got {self.alpha:g}")
        least, most = float(self.returns.min()), float(self.returns.max())
        if (self.low is not None and least < self.low) or (self.high is not None and most > self.high):
            raise InvalidInput(
                f"return bound: expected low and high around all returns, which are {least:g} to {most:g}"
            )

    def percentile(self, share: float, size: float) -> float | None:
        """Lower bound of a quantile of the return under attack (CROP, theorem 3; S-DQN as coded).

        Args:
            share: Which quantile: .5 for the median.
            size: l2 norm of all perturbations of an episode together, as a part of sigma.

        Returns:
            None where nothing is known.
        """
        noisy = float(stats.norm.cdf(stats.norm.ppf(share) - size)) - self._band
        if noisy < 0:
            return self.low
        return float(np.sort(self.returns)[math.floor(noisy * len(self.returns))])

    def expectation(self, size: float) -> float | None:
        """Lower bound of the mean return, from the whole distribution (Kumar et al. 2022, sec. 5, by DKW).

        Args:
            size: l2 norm of all perturbations of an episode together, as a part of sigma.

        Returns:
            None where the least that the game can give is not known.
        """
        if self.low is None:
            return None
        ordered = np.sort(self.returns)
        above = np.clip(1 - np.arange(len(ordered)) / len(ordered) - self._band, 0, 1)  # at least so many reach each
        kept = stats.norm.cdf(stats.norm.ppf(above) - size)
        return float(self.low + (np.diff(ordered, prepend=self.low) * kept).sum())

    def lipschitz(self, size: float) -> float | None:
        """Lower bound of the mean return by how fast it may fall (CROP, theorem 2), clipped to what the game can give.

        Args:
            size: l2 norm of all perturbations of an episode together, as a part of sigma.

        Returns:
            None where the range of what the game can give is not known.
        """
        if self.low is None or self.high is None:
            return None
        span = self.high - self.low
        error = span * math.sqrt(math.log(1 / self.alpha) / (2 * len(self.returns)))
        return max(self.low, float(self.returns.mean()) - error - span * math.sqrt(2 / math.pi) * size)

    @property
    def _band(self) -> float:
        """By how much the share of returns below any number may be off (Dvoretzky, Kiefer, Wolfowitz; one side)."""
        return math.sqrt(math.log(1 / self.alpha) / (2 * len(self.returns)))
