"""Networks of agents that see numbers: normalised observations, then an MLP or an LSTM, actor and critics apart."""

import itertools
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from torch import Tensor, nn
from torch.nn import functional

from rlattack.draws import Draws
from rlattack.games.card import ActionMode
from rlattack.policies.combined import Combined
from rlattack.policies.distributions import Actions, Categorical, Choices, Normal, Point, SquashedNormal
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.policy import Differentiable, Normaliser, Output, State

_LEAST_LOG_STD, _MOST_LOG_STD = -20.0, 2.0
"""Ends of the logarithm of a deviation that a layer gives (Haarnoja et al. 2018, as Stable-Baselines3 has it)."""
_LEAST_BOUNDED = -5.0
"""The lower end where tanh bounds it (SAC as CleanRL has it)."""
_SDE = 1e-6
"""Added to the variance of state-dependent exploration (Raffin et al. 2022)."""


class GaussianNetwork(nn.Module):
    """The actor's outputs from what is seen, deviations, and values.

    The recurrent state of a row is c, then h, of the LSTM; that of a critic with its own is the same of its own.

    Args:
        spec: Sizes of all layers.

    Raises:
        ContentError: Pictures that are too small for their network.
    """

    obs_mean: Tensor
    obs_std: Tensor
    obs_raw: Tensor
    value_mean: Tensor
    value_std: Tensor

    def __init__(self, spec: GaussianSpec) -> None:
        super().__init__()
        self.spec = spec
        entries, width = spec.observation[0], spec.features
        self.register_buffer("obs_mean", torch.zeros(entries))
        self.register_buffer("obs_std", torch.ones(entries))
        self.register_buffer("value_mean", torch.zeros(()))
        self.register_buffer("value_std", torch.ones(()))
        if spec.raw:
            self.register_buffer("obs_raw", torch.zeros(entries))
        last = (spec.after or (spec.memory or (width, *spec.hidden)[-1],))[-1]
        by_layer = spec.deviation in ("layer", "bounded-layer")
        if spec.head in ("normal", "squashed") and not by_layer:
            self.log_std = nn.Parameter(torch.zeros((last, spec.actions) if spec.deviation == "sde" else spec.actions))
        self.pi = _Head(spec, width, spec.hidden, spec.actions, spec.after)
        if spec.head in ("normal", "squashed") and by_layer:
            self.spread = nn.Linear(last, spec.actions)
        critic = spec.hidden if spec.critic is None else spec.critic
        if spec.judges == "actions":
            ends = (width + spec.actions, critic, spec.quantiles)
            self.q = nn.ModuleList(_Head(spec, *ends, memory=False) for _ in range(spec.critics))
        elif spec.critics and spec.memory and spec.critic_memory == "actor":
            self.vf = _Head(spec, spec.memory, (), spec.quantiles, spec.critic_after, memory=False)
        elif spec.critics:
            own = spec.critic_memory == "own"
            self.vf = _Head(spec, width, critic, spec.quantiles, spec.critic_after, memory=own)
        heads = ["pi", "q" if spec.judges == "actions" else "vf"][: 1 + bool(spec.critics)]
        self.eyes = nn.ModuleDict({head: Combined(spec) for head in heads} if any(spec.pictures) else {})

    def forward(self, obs: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        """Asks the actor; without a state, a network with memory starts anew.

        Args:
            obs: Shape (n, entries).
            state: The actor's recurrent state before.

        Returns:
            The actor's outputs, shape (n, actions); activations of the last hidden layer, shape (n, width): h of the
            LSTM, where it comes last; and the state after.
        """
        hidden, new = self.pi(self._seen(obs, "pi"), state)
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

    @property
    def critic_remembers(self) -> bool:
        """Whether a critic of states has a memory, its own or the actor's."""
        spec = self.spec
        return bool(spec.memory and spec.critics and spec.judges == "states" and spec.critic_memory != "none")

    def values(self, obs: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Estimated returns, shape (n,), and the critic's own state: it is apart, since who plays asks for neither.

        Args:
            obs: Shape (n, entries).
            state: That of whose memory it reads, its own or the actor's.
        """
        if self.critic_remembers and self.spec.critic_memory == "actor":
            seen, new = self.pi.remembered(self._seen(obs, "pi"), state)
            hidden, _ = self.vf(seen, None)
        else:
            hidden, new = self.vf(self._seen(obs, "vf"), state)
        return self.vf.out(hidden).mean(dim=1) * self.value_std + self.value_mean, new

    def action_values(self, obs: Tensor, share: Tensor) -> Tensor:
        """The least that any critic says of actions, shape (n,).

        Args:
            obs: Shape (n, entries).
            share: Actions as shares of their range, in [-1, 1], shape (n, actions).
        """
        seen = torch.cat([self._seen(obs, "q"), share], dim=1)
        told = [critic.out(critic(seen, None)[0]).mean(dim=1) for critic in self.q]  # type: ignore[operator]  # every one of the list is a _Head
        return torch.stack(told).amin(dim=0)

    def _seen(self, obs: Tensor, head: str) -> Tensor:
        """What a head sees of observations: normalised, and features in place of pictures."""
        clip = self.spec.clip
        seen = ((obs - self.obs_mean) / self.obs_std).clamp(-clip, clip) if clip else obs
        if self.spec.raw:
            seen = torch.where(self.obs_raw > 0, obs, seen)
        return self.eyes[head](seen) if any(self.spec.pictures) else seen


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
        features, after = self.remembered(seen, state)
        return (features if self.memory is None else self._through(self._last, features)), after

    def remembered(self, seen: Tensor, state: State) -> tuple[Tensor, State]:
        """Maps to what the memory says, before the layers after it, and the new state; all layers without memory."""
        features = self._through(self._linear, seen)
        if self.memory is None:
            return self._through(self._last, features), None
        before = None
        if state is not None:
            c, h = state.chunk(2, dim=1)
            before = h, c
        h, c = self.memory(features, before)
        return h, torch.cat([c, h], dim=1)

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
    return (np.asarray(spec.low, np.float32), np.asarray(spec.high, np.float32)) if spec.low else (-np.inf, np.inf)


class GaussianPolicy(Differentiable):
    """A network that sees numbers as a policy.

    Args:
        network: Frozen by this.
        action: One action of the game, of one axis, for continuous actions; without bounds where none is given.
        temperature: Of the softmax over the values of discrete actions; above 0.
        judging: Whether the critic's own memory is part of the state, behind the actor's, so that it can be asked.
    """

    def __init__(
        self, network: GaussianNetwork, action: Box | None = None, temperature: float = 1.0, *, judging: bool = False
    ) -> None:
        self.network, spec = network.eval().requires_grad_(False), network.spec
        self.observation, self.parts = spec.observation, spec.parts
        own_memory = network.critic_remembers and spec.critic_memory == "own"
        self.judging = judging or not own_memory
        self._apart = 2 * spec.memory * (judging and own_memory)  # entries of the critic's state
        box = action or Box(*_ends(spec), (spec.actions,), np.float32)
        self.action: Space[Any] = box
        if spec.head in ("categorical", "q"):
            self.action = MultiDiscrete(list(spec.choices)) if spec.choices else Discrete(spec.actions)
        self.acts: ActionMode | None = "greedy" if spec.head in ("point", "squashed-point", "q") else None
        self.temperature = temperature if spec.head == "q" else None
        raw = network.obs_raw > 0 if spec.raw else None
        self.normaliser = Normaliser(network.obs_mean, network.obs_std, spec.clip, raw) if spec.clip else None
        self._low, self._high = (torch.as_tensor(end, dtype=torch.float32) for end in (box.low, box.high))

    @property
    def judged(self) -> "GaussianPolicy":
        """The same with the critic's memory in its state; itself where there is none apart from the actor's."""
        if self.judging:
            return self
        box = self.action if isinstance(self.action, Box) else None
        return GaussianPolicy(self.network, box, self.temperature or 1.0, judging=True)

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Asks the actor."""
        own, critics = self._states(state)
        out, hidden, new = self.network(obs, own)
        if self._apart and (after := self.network.values(obs, critics)[1]) is not None:
            new = torch.cat([new, after], dim=1)
        if self.temperature is not None:
            return Output(Categorical(out / self.temperature), out.amax(dim=1), out, hidden, new)
        return Output(self._actions(out, hidden), hidden=hidden, state=new)

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """What the critics say; of actions in the game's own range, by default of the actor's own; Q of discrete ones.

        None without a critic, and of a critic with a memory of its own that is not in the state (`judged` has it).
        """
        spec = self.network.spec
        own, critics = self._states(state)
        if spec.head == "q":
            q: Tensor = self.network(obs, own)[0]
            return q.amax(dim=1) if action is None else q.gather(1, action[:, None]).squeeze(1)
        if not spec.critics or not self.judging:
            return None
        if spec.judges == "states":
            return self.network.values(obs, critics if self._apart else own)[0]
        done = self(obs, state).actions.greedy if action is None else action
        return self.network.action_values(obs, 2 * (done - self._low) / (self._high - self._low) - 1)

    def initial_state(self, n: int) -> State:
        """The LSTM's c and h, zeros, and the critic's where it is asked; None for a network without memory."""
        width = 2 * self.network.spec.memory + self._apart
        return torch.zeros(n, width, device=self.network.obs_mean.device) if width else None

    def _states(self, state: State) -> tuple[State, State]:
        """The actor's and the critic's own."""
        if state is None or not self._apart:
            return state, None
        return state[:, : -self._apart], state[:, -self._apart :]

    def _actions(self, out: Tensor, hidden: Tensor) -> Actions:
        head, ends, choices = self.network.spec.head, (self._low, self._high), self.network.spec.choices
        if head == "categorical":
            return Choices(out, choices) if choices else Categorical(out)
        if head == "point":
            return Point(out, *ends)
        if head == "squashed-point":
            return Point(self._low + (self._high - self._low) * (out.tanh() + 1) / 2, *ends)
        return (Normal if head == "normal" else SquashedNormal)(out, *ends, self.network.deviations(hidden))
