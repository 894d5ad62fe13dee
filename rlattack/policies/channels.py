"""Agents that see what a game shows in another order: pictures channels first, keys of a Dict, or only some of them."""

import math
from collections.abc import Sequence

import torch
from gymnasium import Space
from torch import Tensor

from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.card import ActionMode
from rlattack.games.game import Part, Seat
from rlattack.policies.policy import Differentiable, Normaliser, Output, Policy, State, judged


class ChannelsLast(Differentiable):
    """A policy that is asked about pictures (height, width, channels), and sees (channels, height, width).

    Args:
        policy: Who sees channels first, as Stable-Baselines3 turns pictures for its networks.
    """

    normaliser: Normaliser | None = None

    def __init__(self, policy: Policy) -> None:
        channels, height, width = policy.observation
        self.policy, self.observation = policy, (height, width, channels)
        self.acts: ActionMode | None = policy.acts

    @property
    def action(self) -> Space[object]:
        """One action."""
        return self.policy.action

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Asks the policy about the picture that it sees."""
        return self.policy(obs.permute(0, 3, 1, 2), state, draws)

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """What the policy says of the value."""
        return self.policy.value(obs.permute(0, 3, 1, 2), action, state)

    def initial_state(self, n: int) -> State:
        """The policy's own."""
        return self.policy.initial_state(n)


class Picked(Differentiable):
    """A policy that sees some entries of a flattened observation, in an order of its own.

    Args:
        policy: Who sees them.
        index: Which entry of what is shown each of its own is, int64, shape (entries,).
        shown: How many there are.
        parts: What lies where in what is shown.
    """

    def __init__(self, policy: Policy, index: Tensor, shown: int, parts: Sequence[Part]) -> None:
        self.policy, self.observation, self.parts = policy, (shown,), parts
        self.acts: ActionMode | None = policy.acts
        self._index = index
        self.normaliser = None if policy.normaliser is None else _spread(policy.normaliser, index, shown)

    @property
    def action(self) -> Space[object]:
        """One action."""
        return self.policy.action

    @property
    def judged(self) -> "Picked":
        """The same whose critic can be asked, where it has a memory of its own."""
        return Picked(judged(self.policy), self._index, self.observation[0], self.parts)

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Asks the policy about the entries that it sees."""
        return self.policy(obs[:, self._index], state, draws)

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """What the policy says of the value."""
        return self.policy.value(obs[:, self._index], action, state)

    def initial_state(self, n: int) -> State:
        """The policy's own."""
        return self.policy.initial_state(n)


def turned(policy: Policy, seat: Seat, name: str) -> Policy:
    """The policy as it takes a seat: behind a turn where its channels come first and theirs last, or behind its keys.

    Args:
        policy: Who takes it.
        seat: What is shown there.
        name: What messages call the policy.

    Raises:
        InvalidInput: A key that is not shown, or of another shape.
    """
    shown, seen, own = tuple(seat.observation.shape or ()), tuple(policy.observation), getattr(policy, "parts", ())
    if own and seat.parts:
        index = torch.cat([_entries(part, seat.parts, name) for part in own])
        same = torch.equal(index, torch.arange(math.prod(shown)))
        return policy if same else Picked(policy, index, math.prod(shown), seat.parts)
    if len(seen) == 3 and shown == (*seen[1:], seen[0]) and shown != seen and policy.normaliser is None:
        return ChannelsLast(policy)
    return policy


def _entries(part: Part, shown: Sequence[Part], name: str) -> Tensor:
    """Which entries a key of an agent is of what a game shows."""
    there = next((one for one in shown if one.name == part.name), None)
    if there is None:
        keys = ", ".join(one.name for one in shown)
        raise InvalidInput(f"agent {name} sees the key {part.name!r}, this game shows {keys}")
    entries = torch.arange(there.start, there.start + there.entries)
    if there.entries == part.entries and (there.shape == part.shape or 1 in (len(there.shape), len(part.shape))):
        return entries
    if len(part.shape) == 3 and there.shape == (*part.shape[1:], part.shape[0]):
        return entries.view(there.shape).permute(2, 0, 1).flatten()
    raise InvalidInput(f"agent {name} sees {part.name!r} of shape {part.shape}, this game shows {there.shape}")


def _spread(own: Normaliser, index: Tensor, shown: int) -> Normaliser:
    """Statistics of what is shown; entries that the policy does not see have none."""
    mean, deviation, raw = torch.zeros(shown), torch.ones(shown), torch.ones(shown, dtype=torch.bool)
    mean[index], deviation[index] = own.mean, own.deviation
    raw[index] = False if own.raw is None else own.raw
    return Normaliser(mean, deviation, own.clip, raw if raw.any() else None)
