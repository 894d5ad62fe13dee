"""Numbers of several training seeds: bootstrap over seeds and episodes, permutation tests, areas, worst deciles."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from rlattack.arrays import FloatArray
from rlattack.evaluation.estimates import Interval, Mean
from rlattack.evaluation.statistics import bca, sign_flips

_DRAWS = 2000
"""Resamples; ends of an interval then have a standard error of about 2 % of its width."""
_ARRANGEMENTS = 9999
_EXACT = 65_536
"""So many arrangements are all tried."""


@dataclass(frozen=True)
class Estimate:
    """A mean over training seeds and episodes.

    Attributes:
        mean: Of the seeds' means.
        ci: 95 % interval: of one seed BCa over its episodes, of several a bootstrap over seeds and their episodes.
        median: Of the seeds' means.
        iqm: Their interquartile mean.
        seeds: How many.
        episodes: Of all seeds together.
    """

    mean: float
    ci: Interval
    median: float
    iqm: float
    seeds: int
    episodes: int

    @property
    def as_mean(self) -> Mean:
        """The mean with its interval alone."""
        return Mean(self.mean, self.ci, self.ci[0] == self.ci[1])


def over_seeds(seeds: Sequence[FloatArray]) -> Estimate:
    """The mean of what several training seeds earned (two-level bootstrap: seeds, then episodes within each).

    Args:
        seeds: Of each seed one number an episode, shape (episodes,); at least one seed.
    """
    means = np.asarray([one.mean() for one in seeds])
    return Estimate(
        mean=float(means.mean()),
        ci=bca(seeds[0]) if len(seeds) == 1 else _interval(resampled(seeds)),
        median=float(np.median(means)),
        iqm=float(stats.trim_mean(means, 0.25)),
        seeds=len(seeds),
        episodes=sum(map(len, seeds)),
    )


def resampled(seeds: Sequence[FloatArray]) -> FloatArray:
    """Means of resamples of seeds and of their episodes, shape (_DRAWS,); the same draws for equal numbers."""
    rng = np.random.default_rng(0)
    pools = np.stack([one[rng.integers(0, len(one), (_DRAWS, len(one)))].mean(axis=1) for one in seeds])
    picked = rng.integers(0, len(seeds), (_DRAWS, len(seeds)))
    means: FloatArray = pools[picked, rng.integers(0, _DRAWS, picked.shape)].mean(axis=1)
    return means


def _interval(draws: FloatArray) -> Interval:
    low, high = np.percentile(draws, (2.5, 97.5))
    return float(low), float(high)


def p_value(first: Sequence[FloatArray], second: Sequence[FloatArray]) -> float | None:
    """Two-sided p-value that two contenders earn the same; None where they cannot be compared so.

    Of one seed each, which played the same episodes, by the signs of their differences; of several seeds by who of
    them could as well be the other's (permutation tests, all arrangements where they are few).

    Args:
        first: Of each seed one number an episode.
        second: Of the other contender.
    """
    if len(first) == len(second) == 1:
        if len(first[0]) != len(second[0]):
            return None
        return sign_flips(first[0] - second[0])
    if min(len(first), len(second)) < 2:
        return None
    return _arranged(np.asarray([one.mean() for one in first]), np.asarray([one.mean() for one in second]))


def _arranged(one: FloatArray, other: FloatArray) -> float:
    pooled = np.concatenate([one, other])
    seen = abs(one.mean() - other.mean())
    if math.comb(len(pooled), len(one)) <= _EXACT:
        rows = np.asarray(list(itertools.combinations(range(len(pooled)), len(one))))
        exact = True
    else:
        rng = np.random.default_rng(0)
        rows = rng.permuted(np.tile(np.arange(len(pooled)), (_ARRANGEMENTS, 1)), axis=1)[:, : len(one)]
        exact = False
    sums = pooled[rows].sum(axis=1)
    apart = np.abs(sums / len(one) - (pooled.sum() - sums) / len(other))
    return _share(apart, seen, exact=exact)


def _share(found: FloatArray, seen: float, *, exact: bool) -> float:
    """Share of arrangements as far apart as what was seen; of a sample, that one counts too."""
    as_far = int((found >= seen - 1e-12 * max(1.0, abs(seen))).sum())
    return as_far / len(found) if exact else (as_far + 1) / (len(found) + 1)


def area(points: Sequence[tuple[float, float]]) -> float | None:
    """Mean of a curve over its range of sizes, by trapezoids; None of fewer than two points beside size 0.

    Args:
        points: Size and what is left there, with that of size 0.
    """
    if len(points) < 3:
        return None
    sizes, left = (np.asarray(part) for part in zip(*sorted(points), strict=True))
    return float(np.trapezoid(left, sizes) / (sizes[-1] - sizes[0]))


def half_size(points: Sequence[tuple[float, float]]) -> float | None:
    """The size at which half the clean score is left, between two sizes on a line; None where none was that large.

    Args:
        points: As of `area`. Half is that of the way from the clean score to 0; None of a clean score of 0 or below.
    """
    ordered = sorted(points)
    clean = ordered[0][1]
    if clean <= 0:
        return None
    for (below, more), (above, less) in itertools.pairwise(ordered):
        if less <= clean / 2 < more:
            return below + (above - below) * (more - clean / 2) / (more - less)
    return None


def worst_decile(returns: FloatArray) -> float:
    """Mean of the worst tenth of episodes, at least one (conditional value at risk)."""
    return float(np.sort(returns)[: max(1, math.ceil(len(returns) / 10))].mean())
