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
        steps: How many. In their code each has the radius over that number, by which none that begins on the wrong
            side gets to the other end; here they fall from the radius to that.
        temperature: Inverse of the paper's beta; 0 for no noise.
    """
    noise = (2 * vicinity.radius / steps * temperature).sqrt()
    point = vicinity.nearest(seen + vicinity.radius / steps * _normal(seen).sign(), seen)
    for step in range(steps):
        slope = _slope(rows, point) + noise / (step + 2) * _normal(seen)
        point = vicinity.nearest(point + (1 - step / steps) * vicinity.radius * slope.sign(), seen)
    return point


def ascend(rows: Rows, seen: Tensor, vicinity: Vicinity, steps: int) -> Tensor:
    """PGD from a random point (Madry et al. 2018); steps fall from the radius to the radius over their number."""
    point = vicinity.nearest(seen + vicinity.radius * (2 * torch.rand(seen.shape).to(seen.device) - 1), seen)
    for step in range(steps):
        point = vicinity.nearest(point + (1 - step / steps) * vicinity.radius * _slope(rows, point).sign(), seen)
    return point


def _slope(rows: Rows, point: Tensor) -> Tensor:
    point = point.detach().requires_grad_(True)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(rows(point).sum(), point)
    return slope


def _normal(like: Tensor) -> Tensor:
    """Standard normal numbers, drawn on the CPU as all draws are, of a tensor's shape."""
    return torch.randn(like.shape).to(like.device)
