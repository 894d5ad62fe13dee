"""Policies whose play is known, for the command line as `players:balance` when this folder is on the path."""

import torch
from torch import nn

from rlattack.policies import ModulePolicy


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
            return self.linear(obs)


def opaque() -> nn.Module:
    """A player without a gradient."""
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
        return self.linear(obs)


def fragile() -> nn.Module:
    """A player that fails in play."""
    return Fragile()
