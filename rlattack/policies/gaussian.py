"""Gaussian policies of continuous actions: normalised observations, then an MLP or an LSTM, actor and critic apart."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlattack.errors import ContentError
from rlattack.policies.base import Output, Policy, gradient

__all__ = ["AnyOutput", "AnyPolicy", "GaussianNetwork", "GaussianOutput", "GaussianPolicy", "GaussianSpec"]

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


@dataclass(frozen=True, kw_only=True)
class GaussianOutput:
    """What a Gaussian policy says about a batch of observations.

    Attributes:
        mean: Mean action, shape (n, actions).
        deviation: Standard deviation of each entry, shape (actions,).
        hidden: Activations of the last hidden layer of the actor, shape (n, width): h of the LSTM, where there is one.
        state: Recurrent state after this step.
    """

    mean: Tensor
    deviation: Tensor
    hidden: Tensor
    state: Tensor | None = None

    @property
    def greedy(self) -> Tensor:
        """The most likely action, shape (n, actions)."""
        return self.mean

    def divergence(self, clean: "GaussianOutput") -> Tensor:
        """KL(clean || this), shape (n,), of distributions with one deviation (Zhang et al. 2020, sec. 3.3, MAD)."""
        return ((self.mean - clean.mean) / self.deviation).square().sum(dim=1) / 2

    def detach(self) -> "GaussianOutput":
        """The same without its graph."""
        return GaussianOutput(
            mean=self.mean.detach(), deviation=self.deviation, hidden=self.hidden.detach(),
            state=None if self.state is None else self.state.detach(),
        )  # fmt: skip

    def sample(self, normal: Tensor) -> Tensor:
        """Draws actions by standard normal numbers of shape (n, actions)."""
        return self.mean + self.deviation * normal


class GaussianNetwork(nn.Module):
    """Mean of the action from what is seen, a standard deviation that depends on nothing, and a value.

    The recurrent state of a row is c, then h, of the LSTM.

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

    def forward(self, obs: Tensor, state: Tensor | None = None) -> GaussianOutput:
        """Outputs for observations of shape (n, entries); without a state, a network with memory starts anew."""
        hidden, new = self.pi(self._seen(obs), self._start(obs, state))
        return GaussianOutput(mean=self.pi.out(hidden), deviation=self.log_std.exp(), hidden=hidden, state=new)

    def values(self, obs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Estimated returns, shape (n,), and the critic's own state: it is apart, since who plays asks for neither."""
        hidden, new = self.vf(self._seen(obs), self._start(obs, state))
        return self.vf.out(hidden).squeeze(1) * self.value_std + self.value_mean, new

    def _start(self, obs: Tensor, state: Tensor | None) -> Tensor | None:
        return self.initial_state(len(obs)) if state is None else state

    def _seen(self, obs: Tensor) -> Tensor:
        return ((obs - self.obs_mean) / self.obs_std).clamp(-self.spec.clip, self.spec.clip)

    def initial_state(self, n: int) -> Tensor | None:
        """Recurrent state at the start of n episodes."""
        memory = self.spec.memory
        return torch.zeros(n, 2 * memory, device=self.obs_mean.device) if memory else None


class _Head(nn.Module):
    """Actor or critic."""

    def __init__(self, spec: GaussianSpec, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        linear: list[nn.Linear] = []
        width, *_ = spec.observation
        for size in spec.hidden:
            linear.append(nn.Linear(width, size))
            layers += [linear[-1], nn.ReLU() if spec.memory else nn.Tanh()]
            width = size
        self.layers = nn.Sequential(*layers)
        self._linear, self._activation = tuple(linear), torch.relu if spec.memory else torch.tanh
        self.memory = nn.LSTMCell(width, spec.memory) if spec.memory else None
        self.out = nn.Linear(spec.memory or width, outputs)

    def forward(self, seen: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Maps to the last hidden layer and the new state, None without memory."""
        features = seen
        for layer in self._linear:  # not `self.layers(seen)`: for one row, calling a module takes as long as its layer
            features = self._activation(functional.linear(features, layer.weight, layer.bias))
        if self.memory is None or state is None:
            return features, None
        c, h = state.chunk(2, dim=1)
        h, c = self.memory(features, (h, c))
        return h, torch.cat([c, h], dim=1)


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
        out: GaussianOutput = self.network(obs, state)
        return out

    def gradient(
        self, obs: Tensor, loss: Callable[[GaussianOutput], Tensor], state: Tensor | None = None
    ) -> tuple[Tensor, GaussianOutput]:
        """Gradient of `loss(output)` with respect to `obs`, same shape, and the (detached) output it came from."""
        return gradient(self, obs, loss, state)

    def initial_state(self, n: int) -> Tensor | None:
        """Recurrent state at the start of n episodes."""
        return self.network.initial_state(n)


AnyOutput = Output | GaussianOutput
AnyPolicy = Policy | GaussianPolicy
"""Of discrete or of continuous actions."""
