"""Inner maximisation: where in a box a loss of a learner is largest, by steps along signs of gradients."""

from collections.abc import Callable

import torch
from torch import Tensor

from rlattack.training.hardening.vicinity import Vicinity

Rows = Callable[[Tensor], Tensor]
"""A loss of each row, shape (n,), of what the network takes."""


def langevin(rows: Rows, seen: Tensor, vicinity: Vicinity, steps: int, temperature: float) -> Tensor:
    """Stochastic gradient Langevin dynamics (Zhang et al. 2020, appendix C): the noise falls from step to step.

    Args:
        rows: Ascended.
        seen: Where it starts, shape (n, *observation), but for a first step in a random direction: a divergence has no
            slope at the clean point.
        vicinity: Where it stays.
        steps: How many, each of the radius over that number.
        temperature: Inverse of the paper's beta; 0 for no noise.
    """
    length = vicinity.radius / steps
    noise = (2 * length * temperature).sqrt()
    point = vicinity.nearest(seen + length * torch.randn_like(seen).sign(), seen)
    for step in range(steps):
        slope = _slope(rows, point) + noise / (step + 2) * torch.randn_like(seen)
        point = vicinity.nearest(point + length * slope.sign(), seen)
    return point


def ascend(rows: Rows, seen: Tensor, vicinity: Vicinity, steps: int) -> Tensor:
    """PGD from a random point (Madry et al. 2018), with steps of 2.5 radii together."""
    point = vicinity.nearest(seen + vicinity.radius * (2 * torch.rand_like(seen) - 1), seen)
    for _ in range(steps):
        point = vicinity.nearest(point + 2.5 / steps * vicinity.radius * _slope(rows, point).sign(), seen)
    return point


def _slope(rows: Rows, point: Tensor) -> Tensor:
    point = point.detach().requires_grad_(True)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(rows(point).sum(), point)
    return slope
