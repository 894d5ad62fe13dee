"""Players by `module:function`, as a user brings them: `tests.kit.players:balance`."""

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import nn

from rlattack.policies import ModulePolicy
from rlattack.policies.gaussian import GaussianPolicy
from tests.kit.agents import linear_gaussian_network


def balance() -> nn.Module:
    """Keeps CartPole up for all 500 steps."""
    module = nn.Linear(4, 2)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.3, 0.7, 3.0, 2.0]]) * 5)
        module.bias.zero_()
    return module


class Memory(nn.Module):
    """Balances on the mean of this observation and the last one: a recurrent policy."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = balance()

    def forward(self, obs: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, None, torch.Tensor]:
        """Scores and the new state."""
        return self.linear((3 * obs + state) / 4), None, obs.detach()


def memory() -> ModulePolicy:
    """A recurrent player of CartPole."""
    return ModulePolicy(Memory(), (4,), 2, state_shape=(4,))


class Opaque(nn.Module):
    """Balances, and hides its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = balance()

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Scores."""
        with torch.no_grad():
            scores: torch.Tensor = self.linear(obs)
        return scores


def opaque() -> nn.Module:
    """A player of CartPole without a gradient."""
    return Opaque()


class Fragile(nn.Module):
    """Fails as soon as the cart has moved."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = balance()

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Scores."""
        if ((obs[:, 0].abs() > 0.06) & (obs[:, 0] < 0.9)).any():
            raise ValueError("too far")
        scores: torch.Tensor = self.linear(obs)
        return scores


def fragile() -> nn.Module:
    """A player of CartPole that fails in play."""
    return Fragile()


def _coin(certainty: float = 5.0) -> nn.Linear:
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0, -certainty], [0.0, certainty]]))
        layer.bias.zero_()
    return layer


def coin() -> nn.Module:
    """Names the coin that it sees (`coins`), nearly always."""
    return _coin()


def coin_by_values() -> ModulePolicy:
    """Names the coin that it sees by Q values, so close to each other that drawing by them would be chance."""
    return ModulePolicy(_coin(0.01), (2,), 2, value_based=True)


def namer() -> ModulePolicy:
    """In `turns` names 0 where it sees less than 2.5, else 1; 2, which is never legal, it likes best of all."""
    layer = nn.Linear(1, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0], [1.0], [0.0]]))
        layer.bias.copy_(torch.tensor([2.5, 0.0, 100.0]))
    return ModulePolicy(layer, (1,), 3)


def blind_namer() -> ModulePolicy:
    """Names whatever its bias says, and hides its gradient (`turns`)."""
    return ModulePolicy(_Detached(), (1,), 3)


class _Detached(nn.Module):
    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Scores."""
        return obs.detach().expand(-1, 3).clone()


def bright() -> ModulePolicy:
    """In `film` says whether the newest frame is bright, by the mean of its pixels."""
    layer = nn.Linear(4 * 6 * 6, 2)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[1, 3 * 36 :] = 1 / 36
        layer.bias.copy_(torch.tensor([127.5, 0.0]))
    return ModulePolicy(nn.Sequential(nn.Flatten(), layer), (4, 6, 6), 2)


def puller(scale: float = 2.0) -> GaussianPolicy:
    """At the rope pulls by what it sees, the step: 0 at the first; `scale` is its normaliser's deviation."""
    return GaussianPolicy(linear_gaussian_network([[1.0]], deviation=0.05, scale=scale), Box(-1, 1, (1,)))


def tugger() -> GaussianPolicy:
    """In `tug` pushes by the step, its own sum and the other's."""
    return GaussianPolicy(linear_gaussian_network([[0.1, 0.1, 0.1]], deviation=0.05), Box(-1, 1, (1,)))


def untrained() -> nn.Module:
    """In CartPole a network that nobody trained and nothing seeds: another one each time."""
    layer = nn.Linear(4, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.random.default_rng().normal(size=(2, 4))))
    return layer
