"""Intervals and robust means: Wilson, BCa bootstrap, the interquartile mean, paired differences, Holm's correction."""

import functools
import math
from collections.abc import Sequence

import numpy as np
from scipy import special, stats

from rlattack.arrays import FloatArray, IntArray
from rlattack.evaluation.estimates import Interval, Mean, Rate

_Z = float(stats.norm.ppf(0.975))
"""Of 95 %."""
_RESAMPLES = 9999
_FLIPS = 99_999
"""Draws of signs where there are too many to try them all."""
_ALL_FLIPS = 16
"""Differences of which all signs are tried."""
_AT_ONCE = 4_000_000
"""Numbers that are resampled at once."""


def wilson(count: int, total: int) -> Interval:
    """Score interval of a proportion (Wilson 1927).

    Args:
        count: Successes.
        total: Trials, at least 1.
    """
    rate, z2 = count / total, _Z**2
    centre = (rate + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z / (1 + z2 / total) * math.sqrt(rate * (1 - rate) / total + z2 / (4 * total**2))
    low = 0.0 if count == 0 else centre - half
    high = 1.0 if count == total else centre + half
    return low, high


def paired_rates(first: FloatArray, second: FloatArray) -> Interval:
    """Interval of the difference of two rates over the same episodes (Newcombe 1998, paired method 10).

    Args:
        first: 0 or 1 an episode, shape (episodes,).
        second: The same episodes under another condition.
    """
    total = len(first)
    one, two = int(first.sum()), int(second.sum())
    (p_low, p_high), (q_low, q_high) = wilson(one, total), wilson(two, total)
    p, q = one / total, two / total
    spread = one * (total - one) * two * (total - two)
    phi = 0.0
    if spread > 0:
        both = float((first * second).sum())
        neither = float(((1 - first) * (1 - second)).sum())
        cross = both * neither - (one - both) * (two - both)
        cross = max(cross - total / 2, 0.0) if cross > 0 else cross  # Newcombe's continuity correction of phi
        phi = cross / math.sqrt(spread)
    low = (p - p_low) ** 2 - 2 * phi * (p - p_low) * (q_high - q) + (q_high - q) ** 2
    high = (p_high - p) ** 2 - 2 * phi * (p_high - p) * (q - q_low) + (q - q_low) ** 2
    return p - q - math.sqrt(max(low, 0.0)), p - q + math.sqrt(max(high, 0.0))


def bca(values: FloatArray) -> Interval:
    """Bias-corrected and accelerated bootstrap interval of the mean (Efron 1987); the point where all are equal.

    The same as `scipy.stats.bootstrap` gives, with the jackknife in closed form.

    Args:
        values: One an episode, shape (episodes,), finite.

    Raises:
        ValueError: Empty, or not finite.
    """
    _check(values)
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    means, mean = _resampled_means(values), values.mean()
    below = ((means < mean).sum() + (means <= mean).sum()) / (2 * len(means))
    bias = float(special.ndtri(below))
    apart = (values - mean) / len(values)  # what leaving each one out does to the mean, up to a factor
    acceleration = float((apart**3).sum() / (6 * (apart**2).sum() ** 1.5))
    ends = []
    for z in (-_Z, _Z):
        shifted = bias + (bias + z) / (1 - acceleration * (bias + z))
        ends.append(float(np.percentile(means, 100 * special.ndtr(shifted))) if math.isfinite(shifted) else math.nan)
    low, high = ends
    if not (math.isfinite(low) and math.isfinite(high)):  # BCa has no answer for some tiny samples
        low, high = float(values.min()), float(values.max())
    return low, high


def ratio(sums: FloatArray, counts: FloatArray) -> Mean:
    """A mean over steps, with its interval over episodes, the units that are independent (BCa).

    It is that of the linearised ratio of sums, so that long episodes weigh as many steps as they have.

    Args:
        sums: Over the steps of each episode, shape (episodes,).
        counts: Steps of each, not all of them 0.
    """
    mean = float(sums.sum() / counts.sum())
    apart = mean + (sums - mean * counts) / counts.mean()
    return Mean(mean, bca(apart), bool(np.ptp(apart) == 0))


def difference(first: Rate | Mean, second: Rate | Mean) -> Rate | Mean:
    """One estimate minus another, with the interval that their own give (Zou and Donner 2008, eq. 6).

    It takes them as independent; over the same episodes it is too wide rather than too narrow.
    """
    apart, ends = first.value - second.value, (first.ci, second.ci)
    below = math.hypot(first.value - ends[0][0], ends[1][1] - second.value)
    above = math.hypot(ends[0][1] - first.value, second.value - ends[1][0])
    return _like(first)(apart, (apart - below, apart + above))


def sign_flips(apart: FloatArray) -> float:
    """Two-sided p-value that paired differences have no direction (Fisher 1935): under that each sign is a coin.

    Exact for differences of one size, as of wins, where it is McNemar's exact test, and for up to 16 that are not 0;
    else by 99,999 draws that are the same in every call, so that no p-value is below 0.00001.

    Args:
        apart: One a pair, shape (pairs,), finite.

    Raises:
        ValueError: Empty, or not finite.
    """
    _check(apart)
    sizes = np.abs(apart[apart != 0])
    if len(sizes) == 0:
        return 1.0
    reached = abs(float(apart.sum())) - 1e-9 * float(sizes.sum())  # equal sums may differ by rounding
    if np.ptp(sizes) == 0:
        return float(stats.binomtest(int((apart > 0).sum()), len(sizes)).pvalue)
    if len(sizes) <= _ALL_FLIPS:
        signs = 2.0 * ((np.arange(2 ** len(sizes))[:, None] >> np.arange(len(sizes))) & 1) - 1
        return float((np.abs(signs @ sizes) >= reached).mean())
    rng, rows, as_far = np.random.default_rng(0), max(1, _AT_ONCE // len(sizes)), 0
    for first in range(0, _FLIPS, rows):
        signs = 2.0 * rng.integers(0, 2, (min(rows, _FLIPS - first), len(sizes)), dtype=np.int8) - 1
        as_far += int((np.abs(signs @ sizes) >= reached).sum())
    return (as_far + 1) / (_FLIPS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrects p-values of a family of comparisons (Holm 1979), in whatever dependence they stand.

    Where those of at most 0.05 are called different, the chance that any of the family is called so by mistake is 5 %
    at most.

    Args:
        p_values: One a comparison, in [0, 1].

    Returns:
        The corrected ones, in the same order.

    Raises:
        ValueError: What is no probability.
    """
    if not all(0 <= one <= 1 for one in p_values):
        raise ValueError(f"expected p-values in [0, 1], got {list(p_values)}")
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def average(estimates: Sequence[Rate | Mean]) -> Rate | Mean:
    """The mean of estimates, with the means of their ends: the widest that its interval can be, if all move together.

    Args:
        estimates: Of the same episodes, at least one.
    """
    count = len(estimates)
    low, high = (sum(one.ci[end] for one in estimates) / count for end in (0, 1))
    return _like(estimates[0])(sum(one.value for one in estimates) / count, (low, high))


def _like(estimate: Rate | Mean) -> type[Rate] | type[Mean]:
    return Rate if isinstance(estimate, Rate) else Mean


def iqm(values: FloatArray) -> float:
    """Interquartile mean of episode returns.

    Args:
        values: Undiscounted returns, shape (episodes,).

    Raises:
        ValueError: Empty, or not finite.
    """
    _check(values)
    return float(stats.trim_mean(values, 0.25))


def _resampled_means(values: FloatArray) -> FloatArray:
    """Means of resamples, shape (_RESAMPLES,); equal numbers of values are resampled at the same places."""
    count = len(values)
    if count * _RESAMPLES <= _AT_ONCE:
        means: FloatArray = values[_places(count)].mean(axis=1)
        return means
    rng, rows = np.random.default_rng(0), max(1, _AT_ONCE // count)
    sizes = [min(rows, _RESAMPLES - first) for first in range(0, _RESAMPLES, rows)]
    return np.concatenate([values[rng.integers(0, count, (size, count))].mean(axis=1) for size in sizes])


@functools.lru_cache(maxsize=2)
def _places(count: int) -> IntArray:
    return np.random.default_rng(0).integers(0, count, (_RESAMPLES, count))


def _check(values: FloatArray) -> None:
    if len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"expected at least one finite value, got {values}")
