"""A Gaussian mixture of full covariance: how likely it finds rows, with a slope."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from rlattack.arrays import Array
from rlattack.errors import MissingExtra

_FLOOR = 1e-5
"""Added to the diagonal of every covariance."""


@dataclass(frozen=True)
class Mixture:
    """A mixture of k normal distributions of d entries.

    Attributes:
        weight: Of each, in sum 1, float64, shape (k,).
        mean: Float64, shape (k, d).
        whitening: Factors C of the inverse covariances C C^T, float64, shape (k, d, d).
    """

    weight: Tensor
    mean: Tensor
    whitening: Tensor

    @classmethod
    def fit(cls, values: Array, components: int, seed: int, needs: str) -> "Mixture":
        """Fits by expectation and maximisation (Dempster et al. 1977), from a start by k-means.

        Args:
            values: Shape (n, d).
            components: k.
            seed: Of the start.
            needs: What to say where scikit-learn is not installed.

        Raises:
            MissingExtra: scikit-learn is not installed.
        """
        try:
            from sklearn.mixture import GaussianMixture
        except ImportError as error:
            raise MissingExtra(needs) from error
        found = GaussianMixture(components, covariance_type="full", reg_covar=_FLOOR, random_state=seed).fit(values)
        return cls(*map(torch.as_tensor, (found.weights_, found.means_, found.precisions_cholesky_)))

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "Mixture":
        """The one that `tensors` gave."""
        return cls(tensors["weight"], tensors["mean"], tensors["whitening"])

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All that it is."""
        return dict(vars(self))

    @property
    def parameters(self) -> int:
        """Free parameters."""
        components, width = self.mean.shape
        return components * (1 + width + width * (width + 1) // 2) - 1

    def likelihood(self, values: Tensor) -> Tensor:
        """Log-likelihood of each row in nats, float64, shape (n,); differentiable.

        Args:
            values: Shape (n, d).
        """
        values = values.double()
        apart = torch.einsum("nd,kde->nke", values, self.whitening)
        apart = apart - torch.einsum("kd,kde->ke", self.mean, self.whitening)
        volume = self.whitening.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        width = values.shape[1]
        each = self.weight.log() + volume - (width * math.log(2 * math.pi) + apart.square().sum(dim=2)) / 2
        return each.logsumexp(dim=1)

    def bic(self, values: Tensor) -> float:
        """Bayesian information criterion on rows, lower is better (Schwarz 1978)."""
        return float(self.parameters * math.log(len(values)) - 2 * self.likelihood(values).sum())
