"""Covariance matrix adaptation (Hansen 2016, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772, app. A).

With many parameters the covariance is a diagonal, which learns faster (Ros and Hansen 2008). Candidates come in pairs
around the mean (mirrored sampling, Brockhoff et al. 2010), and a quarter of them are the elites that move it.
"""

import math

import numpy as np

from rlattack.arrays import FloatArray

FULL = 60
"""Parameters up to which the whole covariance is learned."""


class CMAES:
    """Looks for the parameters whose value is lowest.

    Args:
        start: The first mean, shape (size,).
        spread: The first standard deviation of every parameter.
        population: Candidates a generation, even.

    Attributes:
        mean: Where the search is, shape (size,).
        elites: How many of the candidates move the mean.
    """

    def __init__(self, start: FloatArray, spread: float, population: int) -> None:
        self.mean, self.spread = start.astype(np.float64), spread
        self.elites = max(2, population // 4)
        size = len(start)
        weights = math.log(self.elites + 0.5) - np.log(np.arange(1, self.elites + 1))
        self._weights = weights / weights.sum()
        effective = 1 / float(np.square(self._weights).sum())
        self._effective, self._expected = effective, math.sqrt(size) * (1 - 1 / (4 * size) + 1 / (21 * size**2))
        self._path_rate = (effective + 2) / (size + effective + 5)
        self._damping = 1 + 2 * max(0.0, math.sqrt((effective - 1) / (size + 1)) - 1) + self._path_rate
        self._rank_rate = (4 + effective / size) / (size + 4 + 2 * effective / size)
        one = 2 / ((size + 1.3) ** 2 + effective)
        several = 2 * (effective - 2 + 1 / effective) / ((size + 2) ** 2 + effective)
        faster = 1.0 if size <= FULL else (size + 2) / 3  # so much fewer numbers are learned
        self._one_rate = min(1.0, one * faster)
        self._several_rate = min(1 - self._one_rate, several * faster)
        self._path, self._rank_path = np.zeros(size), np.zeros(size)
        self._covariance = np.eye(size) if size <= FULL else np.ones(size)
        self._axes, self._lengths = np.eye(size) if size <= FULL else np.ones(0), np.ones(size)
        self._told = 0

    def ask(self, noise: FloatArray) -> FloatArray:
        """Candidates, shape (population, size), in pairs: each and its mirror image.

        Args:
            noise: Standard normal numbers, shape (population / 2, size).
        """
        way = self._stretched(noise)
        return self.mean + self.spread * np.stack([way, -way], axis=1).reshape(-1, len(self.mean))

    def tell(self, candidates: FloatArray, values: FloatArray) -> None:
        """Moves on by the values of candidates, shape (population,); the lowest are best."""
        best = candidates[np.argsort(values, kind="stable")[: self.elites]]
        ways = (best - self.mean) / self.spread
        way = self._weights @ ways
        self.mean = self.mean + self.spread * way
        self._told += 1
        rate = self._path_rate
        self._path = (1 - rate) * self._path + math.sqrt(rate * (2 - rate) * self._effective) * self._white(way)
        length = float(np.linalg.norm(self._path))
        settled = length / math.sqrt(1 - (1 - rate) ** (2 * self._told))
        steady = settled < (1.4 + 2 / (len(way) + 1)) * self._expected
        rate = self._rank_rate
        self._rank_path *= 1 - rate
        if steady:
            self._rank_path += math.sqrt(rate * (2 - rate) * self._effective) * way
        lost = 0.0 if steady else self._one_rate * rate * (2 - rate)
        self._adapt(ways, 1 - self._one_rate - self._several_rate + lost)
        self.spread *= math.exp(min(1.0, self._path_rate / self._damping * (length / self._expected - 1)))

    def _adapt(self, ways: FloatArray, kept: float) -> None:
        """Keeps a share of the covariance and adds those of the path and of the elites; finds its axes."""
        one, several = self._one_rate, self._several_rate * self._weights
        if self._covariance.ndim == 1:
            added = one * np.square(self._rank_path) + several @ np.square(ways)
            self._covariance = kept * self._covariance + added
            self._lengths = np.sqrt(self._covariance)
            return
        added = one * np.outer(self._rank_path, self._rank_path) + (ways.T * several) @ ways
        self._covariance = kept * self._covariance + added
        values, self._axes = np.linalg.eigh((self._covariance + self._covariance.T) / 2)
        self._lengths = np.sqrt(np.maximum(values, 1e-20))

    def _stretched(self, noise: FloatArray) -> FloatArray:
        """Standard normal numbers as ones of this covariance."""
        found: FloatArray = noise * self._lengths
        return found if self._covariance.ndim == 1 else found @ self._axes.T

    def _white(self, way: FloatArray) -> FloatArray:
        """A way as one of standard normal numbers."""
        if self._covariance.ndim == 1:
            return way / self._lengths
        found: FloatArray = self._axes @ ((self._axes.T @ way) / self._lengths)
        return found
