"""Gaussian policies of continuous actions: normalised observations, then an MLP or an LSTM, actor and critic apart."""

import itertools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box
from torch import Tensor, nn
from torch.nn import functional

from rlattack.draws import Draws
from rlattack.errors import ContentError
from rlattack.games.card import ActionMode
from rlattack.policies.distributions import Normal
from rlattack.policies.policy import Differentiable, Normaliser, Output, State

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

    def forward(self, obs: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        """Asks the actor; without a state, a network with memory starts anew.

        Args:
            obs: Shape (n, entries).
            state: The actor's recurrent state before.

        Returns:
            Mean actions, shape (n, actions); activations of the last hidden layer, shape (n, width): h of the LSTM,
            where there is one; and the state after.
        """
        hidden, new = self.pi(self._seen(obs), state)
        return self.pi.out(hidden), hidden, new

    def values(self, obs: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Estimated returns, shape (n,), and the critic's own state: it is apart, since who plays asks for neither."""
        hidden, new = self.vf(self._seen(obs), state)
        return self.vf.out(hidden).squeeze(1) * self.value_std + self.value_mean, new

    def _seen(self, obs: Tensor) -> Tensor:
        return ((obs - self.obs_mean) / self.obs_std).clamp(-self.spec.clip, self.spec.clip)


class _Head(nn.Module):
    """Actor or critic."""

    def __init__(self, spec: GaussianSpec, outputs: int) -> None:
        super().__init__()
        sizes = (*spec.observation, *spec.hidden)
        self._linear = tuple(nn.Linear(before, after) for before, after in itertools.pairwise(sizes))
        self._activation = torch.relu if spec.memory else torch.tanh
        activation = nn.ReLU() if spec.memory else nn.Tanh()
        self.layers = nn.Sequential(*(layer for linear in self._linear for layer in (linear, activation)))
        self.memory = nn.LSTMCell(sizes[-1], spec.memory) if spec.memory else None
        self.out = nn.Linear(spec.memory or sizes[-1], outputs)

    def forward(self, seen: Tensor, state: State) -> tuple[Tensor, State]:
        """Maps to the last hidden layer and the new state, None without memory."""
        features = seen
        for layer in self._linear:  # not `self.layers(seen)`: for one row, calling a module takes as long as its layer
            features = self._activation(functional.linear(features, layer.weight, layer.bias))
        if self.memory is None:
            return features, None
        before = None
        if state is not None:
            c, h = state.chunk(2, dim=1)
            before = h, c
        h, c = self.memory(features, before)
        return h, torch.cat([c, h], dim=1)


class GaussianPolicy(Differentiable):
    """A Gaussian network as a policy of continuous actions.

    Args:
        network: Frozen by this.
        action: One action of the game, of one axis; without bounds where none is given.
    """

    acts: ActionMode | None = None

    def __init__(self, network: GaussianNetwork, action: Box | None = None) -> None:
        self.network = network.eval().requires_grad_(False)
        self.observation = network.spec.observation
        box = Box(-np.inf, np.inf, (network.spec.actions,), np.float32) if action is None else action
        self.action: Space[Any] = box
        self.normaliser: Normaliser | None = Normaliser(network.obs_mean, network.obs_std, network.spec.clip)
        self._low, self._high = (torch.as_tensor(end, dtype=torch.float32) for end in (box.low, box.high))

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Normal distributions around the network's mean, with its one deviation."""
        mean, hidden, new = self.network(obs, state)
        actions = Normal(mean, self._low, self._high, self.network.log_std.exp())
        return Output(actions, hidden=hidden, state=new)

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """What the critic says, whatever the action; None with memory, since `state` is not that of the critic."""
        return None if self.network.spec.memory else self.network.values(obs)[0]

    def initial_state(self, n: int) -> State:
        """The LSTM's c and h, zeros; None for a network without memory."""
        memory = self.network.spec.memory
        return torch.zeros(n, 2 * memory, device=self.network.obs_mean.device) if memory else None
