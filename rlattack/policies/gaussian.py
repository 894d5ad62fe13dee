"""Networks of agents that see numbers: normalised observations, then an MLP or an LSTM, actor and critics apart."""

import itertools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from torch import Tensor, nn
from torch.nn import functional

from rlattack.draws import Draws
from rlattack.errors import ContentError
from rlattack.games.card import ActionMode
from rlattack.policies.distributions import Actions, Categorical, Choices, Normal, Point, SquashedNormal
from rlattack.policies.policy import Differentiable, Normaliser, Output, State

_LARGEST = 100_000
_MOST_LAYERS = 100
_LEAST_LOG_STD, _MOST_LOG_STD = -20.0, 2.0
"""Ends of the logarithm of a deviation that a layer gives (Haarnoja et al. 2018, as Stable-Baselines3 has it)."""
_LEAST_BOUNDED = -5.0
"""The lower end where tanh bounds it (SAC as CleanRL has it)."""
_SDE = 1e-6
"""Added to the variance of state-dependent exploration (Raffin et al. 2022)."""


@dataclass(frozen=True, kw_only=True)
class GaussianSpec:
    """The `[network]` table of an agent card whose `kind` is `gaussian`."""

    kind: Literal["gaussian"] = "gaussian"
    observation: tuple[int, ...]
    """Shape of one observation: (entries,)."""
    actions: int
    """Entries of an action; the number of actions of a `categorical` head."""
    head: Literal["normal", "squashed", "point", "squashed-point", "categorical", "q"] = "normal"
    """What the actor's outputs are: means, means before tanh, actions, actions before tanh, scores of actions, or the
    values of discrete actions, by which it acts."""
    choices: tuple[int, ...] = ()
    """How many actions each entry of a MultiDiscrete has, of a `categorical` head; together they are `actions`."""
    deviation: Literal["fixed", "layer", "bounded-layer", "sde"] = "fixed"
    """Whether the deviation of a normal distribution depends on nothing, on the state by a layer of its own (clipped,
    or bounded by tanh), or by state-dependent exploration."""
    hidden: tuple[int, ...] = (64, 64)
    """Layers of the actor before its memory."""
    memory: int = 0
    """Size of the actor's and the critic's LSTM after the hidden layers; 0 for none."""
    after: tuple[int, ...] = ()
    """Layers of the actor after its memory."""
    critic: tuple[int, ...] | None = None
    """Layers of a critic, where they are not those of the actor."""
    critics: int = 1
    """How many critics there are; none or one of states, any number of actions."""
    judges: Literal["states", "actions"] = "states"
    """What critics judge: states (V), or actions in states (Q)."""
    quantiles: int = 1
    """Outputs of a critic, whose mean is its value."""
    activation: Literal["tanh", "relu"] | None = None
    """Of hidden layers; by default ReLU with `memory`, else tanh."""
    clip: float = 5.0
    """Normalised observations are clipped to this size; 0 for observations as they are."""
    largest_mean: float = 0.0
    """Means before tanh are clipped to this size; 0 for not."""
    low: tuple[float, ...] = ()
    """The smallest action of the game that it was trained for, where that is known."""
    high: tuple[float, ...] = ()
    """The largest one."""

    def __post_init__(self) -> None:
        """Checks what the types cannot say.

        Raises:
            ContentError: A size outside its range, or parts that do not go together.
        """
        layers = (*self.hidden, *self.after, *(self.critic or ()))
        sizes = (*self.observation, self.actions, self.quantiles, *layers)
        if len(self.observation) != 1 or min(sizes) < 1 or max(*sizes, self.memory) > _LARGEST or self.memory < 0:
            raise ContentError(f"network: expected sizes from 1 to {_LARGEST:,}, got {sizes} and memory {self.memory}")
        if len(layers) > _MOST_LAYERS or not 0 <= self.critics <= _MOST_LAYERS:
            raise ContentError(f"network: expected at most {_MOST_LAYERS} layers and critics")
        if not (0 <= self.clip < math.inf and 0 <= self.largest_mean < math.inf):
            raise ContentError(f"network: expected clips of 0 or more, got {self.clip} and {self.largest_mean}")
        if self.choices and (self.head != "categorical" or sum(self.choices) != self.actions or min(self.choices) < 1):
            raise ContentError(f"network: expected choices of {self.actions} actions together, got {self.choices}")
        apart = all(low < high for low, high in zip(self.low, self.high, strict=False))
        if len(self.low) != len(self.high) or len(self.low) not in (0, self.actions) or not apart:
            raise ContentError(f"network: expected ends of {self.actions} actions, got {self.low} and {self.high}")
        if self.judges == "states" and self.critics > 1:
            raise ContentError(f"network: expected at most one critic of states, got {self.critics}")

    @property
    def own_activation(self) -> Literal["tanh", "relu"]:
        """That of hidden layers."""
        return self.activation or ("relu" if self.memory else "tanh")


class GaussianNetwork(nn.Module):
    """The actor's outputs from what is seen, deviations, and values.

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
        width = (spec.after or (spec.memory or (spec.hidden or spec.observation)[-1],))[-1]
        by_layer = spec.deviation in ("layer", "bounded-layer")
        if spec.head in ("normal", "squashed") and not by_layer:
            self.log_std = nn.Parameter(torch.zeros((width, spec.actions) if spec.deviation == "sde" else spec.actions))
        self.pi = _Head(spec, entries, spec.hidden, spec.actions, spec.after)
        if spec.head in ("normal", "squashed") and by_layer:
            self.spread = nn.Linear(width, spec.actions)
        critic = spec.hidden if spec.critic is None else spec.critic
        if spec.judges == "actions":
            ends = (entries + spec.actions, critic, spec.quantiles)
            self.q = nn.ModuleList(_Head(spec, *ends, memory=False) for _ in range(spec.critics))
        elif spec.critics:
            self.vf = _Head(spec, entries, critic, spec.quantiles)

    def forward(self, obs: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        """Asks the actor; without a state, a network with memory starts anew.

        Args:
            obs: Shape (n, entries).
            state: The actor's recurrent state before.

        Returns:
            The actor's outputs, shape (n, actions); activations of the last hidden layer, shape (n, width): h of the
            LSTM, where it comes last; and the state after.
        """
        hidden, new = self.pi(self._seen(obs), state)
        out: Tensor = self.pi.out(hidden)
        limit = self.spec.largest_mean
        return out.clamp(-limit, limit) if limit else out, hidden, new

    def deviations(self, hidden: Tensor) -> Tensor:
        """Standard deviations of normal distributions, shape (actions,) or (n, actions).

        Args:
            hidden: What `forward` says of the last hidden layer.
        """
        if self.spec.deviation == "layer":
            return self.spread(hidden).clamp(_LEAST_LOG_STD, _MOST_LOG_STD).exp()  # type: ignore[no-any-return]  # a Tensor
        if self.spec.deviation == "bounded-layer":
            share = (self.spread(hidden).tanh() + 1) / 2
            return (_LEAST_BOUNDED + (_MOST_LOG_STD - _LEAST_BOUNDED) * share).exp()  # type: ignore[no-any-return]  # a Tensor
        if self.spec.deviation == "sde":
            return (hidden.square() @ self.log_std.exp().square() + _SDE).sqrt()
        return self.log_std.exp()

    def values(self, obs: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Estimated returns, shape (n,), and the critic's own state: it is apart, since who plays asks for neither."""
        hidden, new = self.vf(self._seen(obs), state)
        return self.vf.out(hidden).mean(dim=1) * self.value_std + self.value_mean, new

    def action_values(self, obs: Tensor, share: Tensor) -> Tensor:
        """The least that any critic says of actions, shape (n,).

        Args:
            obs: Shape (n, entries).
            share: Actions as shares of their range, in [-1, 1], shape (n, actions).
        """
        seen = torch.cat([self._seen(obs), share], dim=1)
        told = [critic.out(critic(seen, None)[0]).mean(dim=1) for critic in self.q]  # type: ignore[operator]  # every one of the list is a _Head
        return torch.stack(told).amin(dim=0)

    def _seen(self, obs: Tensor) -> Tensor:
        clip = self.spec.clip
        return ((obs - self.obs_mean) / self.obs_std).clamp(-clip, clip) if clip else obs


class _Head(nn.Module):
    """Actor or critic."""

    def __init__(
        self, spec: GaussianSpec, entries: int, hidden: tuple[int, ...], outputs: int, after: tuple[int, ...] = (),
        *, memory: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        size = spec.memory if memory else 0
        self.relu = spec.own_activation == "relu"
        self._linear, self.layers = _stack((entries, *hidden), self.relu)
        width = size or (entries, *hidden)[-1]
        self.memory = nn.LSTMCell((entries, *hidden)[-1], size) if size else None
        self._last, self.after = _stack((width, *after), self.relu)
        self.out = nn.Linear((width, *after)[-1], outputs)

    def forward(self, seen: Tensor, state: State) -> tuple[Tensor, State]:
        """Maps to the last hidden layer and the new state, None without memory."""
        features = self._through(self._linear, seen)
        if self.memory is None:
            return features, None
        before = None
        if state is not None:
            c, h = state.chunk(2, dim=1)
            before = h, c
        h, c = self.memory(features, before)
        return self._through(self._last, h), torch.cat([c, h], dim=1)

    def _through(self, layers: tuple[nn.Linear, ...], features: Tensor) -> Tensor:
        for layer in layers:  # not a module's call: for one row, that takes as long as its layer
            features = functional.linear(features, layer.weight, layer.bias)
            features = features.relu() if self.relu else features.tanh()
        return features


def _stack(sizes: tuple[int, ...], relu: bool) -> tuple[tuple[nn.Linear, ...], nn.Sequential]:
    """Layers by themselves, and as a module that names their tensors as torch's do."""
    linear = tuple(nn.Linear(before, after) for before, after in itertools.pairwise(sizes))
    activation = nn.ReLU() if relu else nn.Tanh()
    return linear, nn.Sequential(*(layer for one in linear for layer in (one, activation)))


def _ends(spec: GaussianSpec) -> tuple[Any, Any]:
    """The range of a network's actions, without bounds where that is not known."""
    return (np.float32(spec.low), np.float32(spec.high)) if spec.low else (-np.inf, np.inf)


class GaussianPolicy(Differentiable):
    """A network that sees numbers as a policy.

    Args:
        network: Frozen by this.
        action: One action of the game, of one axis, for continuous actions; without bounds where none is given.
        temperature: Of the softmax over the values of discrete actions; above 0.
    """

    def __init__(self, network: GaussianNetwork, action: Box | None = None, temperature: float = 1.0) -> None:
        self.network, spec = network.eval().requires_grad_(False), network.spec
        self.observation = spec.observation
        box = action or Box(*_ends(spec), (spec.actions,), np.float32)
        self.action: Space[Any] = box
        if spec.head in ("categorical", "q"):
            self.action = MultiDiscrete(spec.choices) if spec.choices else Discrete(spec.actions)
        self.acts: ActionMode | None = "greedy" if spec.head in ("point", "squashed-point", "q") else None
        self.temperature = temperature if spec.head == "q" else None
        self.normaliser = Normaliser(network.obs_mean, network.obs_std, spec.clip) if spec.clip else None
        self._low, self._high = (torch.as_tensor(end, dtype=torch.float32) for end in (box.low, box.high))

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Asks the actor."""
        out, hidden, new = self.network(obs, state)
        if self.temperature is not None:
            return Output(Categorical(out / self.temperature), out.amax(dim=1), out, hidden, new)
        return Output(self._actions(out, hidden), hidden=hidden, state=new)

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """What the critics say; of actions in the game's own range, by default of the actor's own; Q of discrete ones.

        None without a critic, and of one with memory, since `state` is not the critic's.
        """
        spec = self.network.spec
        if spec.head == "q":
            q = self.network(obs, state)[0]
            return q.amax(dim=1) if action is None else q.gather(1, action[:, None]).squeeze(1)
        if not spec.critics or (spec.memory and spec.judges == "states"):
            return None
        if spec.judges == "states":
            return self.network.values(obs)[0]
        done = self(obs, state).actions.greedy if action is None else action
        return self.network.action_values(obs, 2 * (done - self._low) / (self._high - self._low) - 1)

    def initial_state(self, n: int) -> State:
        """The LSTM's c and h, zeros; None for a network without memory."""
        memory = self.network.spec.memory
        return torch.zeros(n, 2 * memory, device=self.network.obs_mean.device) if memory else None

    def _actions(self, out: Tensor, hidden: Tensor) -> Actions:
        head, ends, choices = self.network.spec.head, (self._low, self._high), self.network.spec.choices
        if head == "categorical":
            return Choices(out, choices) if choices else Categorical(out)
        if head == "point":
            return Point(out, *ends)
        if head == "squashed-point":
            return Point(self._low + (self._high - self._low) * (out.tanh() + 1) / 2, *ends)
        return (Normal if head == "normal" else SquashedNormal)(out, *ends, self.network.deviations(hidden))
