"""Gaussian policies of continuous actions: normalised observations, then an MLP or an LSTM, actor and critic apart."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from rlattack.errors import ContentError

__all__ = ["GaussianNetwork", "GaussianOutput", "GaussianPolicy", "GaussianSpec"]

_LARGEST = 100_000


@dataclass(frozen=True, kw_only=True)
class GaussianSpec:
    """The `[network]` table of an agent card whose `kind` is `gaussian`."""

    kind: Literal["gaussian"] = "gaussian"
    observation: tuple[int, ...]
    """Shape of one observation: (entries,)."""
    actions: int
    """Entries of an action."""
    hidden: tuple[int, ...] = (64, 64)
    """Layers of actor and critic each, tanh; with `memory` one layer, ReLU."""
    memory: int = 0
    """Size of the LSTM after the hidden layer; 0 for none."""
    clip: float = 5.0
    """Normalised observations are clipped to this size."""

    def __post_init__(self) -> None:
        """Checks what the types cannot say.

        Raises:
            ContentError: A size outside its range.
        """
        sizes = (*self.observation, self.actions, *self.hidden)
        if len(self.observation) != 1 or min(sizes) < 1 or max(*sizes, self.memory) > _LARGEST or self.memory < 0:
            raise ContentError(f"network: expected sizes from 1 to {_LARGEST:,}, got {sizes} and memory {self.memory}")
        if not 0 < self.clip < math.inf:
            raise ContentError(f"network: expected a clip above 0, got {self.clip}")


class GaussianNetwork(nn.Module):
    """Mean of the action from what is seen, a standard deviation that depends on nothing, and a value.

    The recurrent state of a row is (value c, value h, policy c, policy h).

    Args:
        spec: Sizes of all layers.
    """

    obs_mean: Tensor
    obs_std: Tensor
    value_mean: Tensor
    value_std: Tensor

    def __init__(self, spec: GaussianSpec) -> None:
        super().__init__()
        self.spec = spec
        entries, *_ = spec.observation
        self.register_buffer("obs_mean", torch.zeros(entries))
        self.register_buffer("obs_std", torch.ones(entries))
        self.register_buffer("value_mean", torch.zeros(()))
        self.register_buffer("value_std", torch.ones(()))
        self.log_std = nn.Parameter(torch.zeros(spec.actions))
        self.pi, self.vf = _Head(spec, spec.actions), _Head(spec, 1)

    def forward(self, obs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Maps observations (n, entries) to mean actions (n, actions), values (n,) and the new state."""
        seen = ((obs - self.obs_mean) / self.obs_std).clamp(-self.spec.clip, self.spec.clip)
        if state is None:
            mean, value, after = self.pi(seen)[0], self.vf(seen)[0], None
        else:
            old_value, old_policy = state.chunk(2, dim=1)
            value, new_value = self.vf(seen, old_value)
            mean, new_policy = self.pi(seen, old_policy)
            after = torch.cat([new_value, new_policy], dim=1)
        return mean, value.squeeze(1) * self.value_std + self.value_mean, after


class _Head(nn.Module):
    """Actor or critic."""

    def __init__(self, spec: GaussianSpec, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width, *_ = spec.observation
        for size in spec.hidden:
            layers += [nn.Linear(width, size), nn.ReLU() if spec.memory else nn.Tanh()]
            width = size
        self.layers = nn.Sequential(*layers)
        self.memory = nn.LSTMCell(width, spec.memory) if spec.memory else None
        self.out = nn.Linear(spec.memory or width, outputs)

    def forward(self, seen: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        features = self.layers(seen)
        if self.memory is None or state is None:
            return self.out(features), None
        c, h = state.chunk(2, dim=1)
        h, c = self.memory(features, (h, c))
        return self.out(h), torch.cat([c, h], dim=1)


@dataclass(frozen=True)
class GaussianOutput:
    """What a Gaussian policy says about a batch of observations.

    Attributes:
        mean: Mean action, shape (n, actions).
        deviation: Standard deviation of each entry, shape (actions,).
        values: Estimated returns, shape (n,).
        state: Recurrent state after this step.
        hidden: Activations of the last hidden layer of the actor, shape (n, width).
    """

    mean: Tensor
    deviation: Tensor
    values: Tensor
    state: Tensor | None = None

    def sample(self, normal: Tensor) -> Tensor:
        """Draws actions by standard normal numbers of shape (n, actions)."""
        return self.mean + self.deviation * normal


class GaussianPolicy:
    """A network of that kind as a player.

    Args:
        network: Frozen by this.
    """

    def __init__(self, network: GaussianNetwork) -> None:
        self.network = network.eval().requires_grad_(False)
        self.observation = network.spec.observation
        self.actions = network.spec.actions

    def __call__(self, obs: Tensor, state: Tensor | None = None) -> GaussianOutput:
        """Outputs for a batch; differentiable with respect to `obs` where gradients are enabled."""
        mean, values, after = self.network(obs, state)
        return GaussianOutput(mean, self.network.log_std.exp(), values, after)

    def initial_state(self, n: int) -> Tensor | None:
        """Recurrent state at the start of n episodes."""
        memory = self.network.spec.memory
        return torch.zeros(n, 4 * memory) if memory else None
