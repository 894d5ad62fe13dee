"""Victims by `module:function` that count what they are asked: whole batches of so many rows."""

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn

from rlattack.policies import ModulePolicy
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.policies.policy import Output
from tests.kit.agents import gaussian_network

asked: Counter[tuple[str, int]] = Counter()
"""How often who was asked for an output (`forward`) or one with its `gradient`, for so many rows."""


class Counted(ModulePolicy):
    """Counts."""

    def __call__(self, obs: Tensor, *about: Any) -> Output:
        asked["gradient" if obs.requires_grad else "forward", len(obs)] += 1
        return super().__call__(obs, *about)


class CountedGaussian(GaussianPolicy):
    """Counts."""

    def __call__(self, obs: Tensor, *about: Any) -> Output:
        asked["gradient" if obs.requires_grad else "forward", len(obs)] += 1
        return super().__call__(obs, *about)


def coin() -> Counted:
    """Names the coin that it sees (`coins`), nearly always."""
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0, -5.0], [0.0, 5.0]]))
        layer.bias.zero_()
    return Counted(layer, (2,), 2)


def puller() -> CountedGaussian:
    """Pulls at the rope (`pull`), and knows nothing."""
    return CountedGaussian(gaussian_network(1, 1))


def runner() -> CountedGaussian:
    """Runs as an ant (`mujoco/run-to-goal-ants`), and knows nothing."""
    return CountedGaussian(gaussian_network(122, 8))
