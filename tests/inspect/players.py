"""Players by `module:function` that tell what their last hidden layer does."""

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rlattack.policies import ModulePolicy
from rlattack.policies.policy import Output
from tests.kit.pictures import SHAPE, looker


class Telling(ModulePolicy):
    """Tells what it sees as its last hidden layer."""

    def __call__(self, obs: Tensor, *about: Any) -> Output:
        return dataclasses.replace(super().__call__(obs, *about), hidden=obs.flatten(1))


def telling() -> Telling:
    """Names the coin that it sees (`coins`), nearly always."""
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0, -5.0], [0.0, 5.0]]))
        layer.bias.zero_()
    return Telling(layer, (2,), 2)


def telling_namer() -> Telling:
    """Names the turn's number, up to 1 (`turns`)."""
    layer = nn.Linear(1, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0], [1.0], [0.0]]))
        layer.bias.zero_()
    return Telling(layer, (1,), 3)


def unsure() -> ModulePolicy:
    """In `sides` names the brighter side of the newest frame, not very surely: 0.02 of the means' difference."""
    return looker(0.02)


def adder() -> ModulePolicy:
    """In `sides` weighs the light of the newest frame twice against that of the oldest, whatever is to be seen."""
    layer = nn.Linear(int(np.prod(SHAPE)), 2)
    weight = torch.zeros(2, *SHAPE)
    weight[0, 0], weight[1, -1] = 0.004, 0.008
    with torch.no_grad():
        layer.weight.copy_(weight.flatten(1))
        layer.bias.zero_()
    return ModulePolicy(nn.Sequential(nn.Flatten(), layer), SHAPE, 2)


class Sorting(nn.Module):
    """Calls everything garbage with probability 0.5."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, obs: Tensor) -> tuple[Tensor, None, None, None, Tensor]:
        scores = self.module(obs)
        return scores, None, None, None, scores.logsumexp(dim=1)


def sorting() -> ModulePolicy:
    """As `unsure`, with a class of garbage."""
    return ModulePolicy(Sorting(looker(0.02).module), SHAPE, 2)
