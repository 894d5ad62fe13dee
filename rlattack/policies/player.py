"""Who takes a seat in a two-player game: an agent, nobody (`zero`), or chance (`random`)."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from rlattack.budget import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.base import Output, Policy, State, sample
from rlattack.policies.folder import AgentCard, load_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy
from rlattack.policies.load import agent_folder, load_policy

__all__ = ["PLACEHOLDERS", "GaussianPlayer", "LoadedPlayer", "Player", "PolicyPlayer", "load_player"]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
PLACEHOLDERS = ("zero", "random")
"""Players of every game that are no agents."""


class Player(Protocol):
    """A frozen player of one seat, in n slots at once."""

    def initial_state(self, n: int) -> State:
        """Recurrent state at the start of n episodes."""

    def act(
        self, obs: Array, state: State, draws: Draws, *, legal: Mask | None = None, greedy: bool = False
    ) -> tuple[Array, State]:
        """Chooses an action a slot.

        Args:
            obs: What the seat sees, shape (n, *observation).
            state: Recurrent state before, from this method or `initial_state`.
            draws: Random numbers, from each slot's own stream.
            legal: Legal actions, shape (n, actions), where the game tells.
            greedy: Plays the most likely action instead of sampling.

        Returns:
            Actions, shape (n,) int64 or (n, entries) float32, and the state after.
        """


class GaussianPlayer:
    """A Gaussian policy in a seat of continuous actions."""

    def __init__(self, policy: GaussianPolicy) -> None:
        self.policy = policy

    def initial_state(self, n: int) -> State:
        """See `Player`."""
        return self.policy.initial_state(n)

    def act(
        self, obs: Array, state: State, draws: Draws, *, legal: Mask | None = None, greedy: bool = False
    ) -> tuple[Array, State]:
        """See `Player`."""
        with torch.no_grad():
            out = self.policy(_seen(obs), state)
            actions = out.mean if greedy else out.sample(draws.normal(self.policy.actions))
        return actions.numpy(), out.state


class PolicyPlayer:
    """A policy of discrete actions in a seat."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def initial_state(self, n: int) -> State:
        """See `Player`."""
        return self.policy.initial_state(n)

    def act(
        self, obs: Array, state: State, draws: Draws, *, legal: Mask | None = None, greedy: bool = False
    ) -> tuple[Array, State]:
        """See `Player`; Q learners always choose greedily among what is legal."""
        with torch.no_grad():
            out = self.policy(_seen(obs), state).among(None if legal is None else torch.from_numpy(legal))
        chosen = out.greedy if greedy or self.policy.value_based else sample(out, draws.uniform(1)[:, 0])
        return chosen.numpy(), out.state


@dataclass(frozen=True)
class _Placeholder:
    """What players that look at nothing share."""

    space: Space[Any]

    def initial_state(self, n: int) -> State:
        """See `Player`."""
        return None


class Zero(_Placeholder):
    """Does nothing: zeros, or the first legal action."""

    def act(
        self, obs: Array, state: State, draws: Draws, *, legal: Mask | None = None, greedy: bool = False
    ) -> tuple[Array, State]:
        """See `Player`."""
        if isinstance(self.space, Box):
            return np.zeros((len(obs), *self.space.shape), dtype=np.float32), None
        return (np.zeros(len(obs), dtype=np.int64) if legal is None else legal.argmax(axis=1)), None


class Random(_Placeholder):
    """Acts uniformly at random, within the range or among the legal actions."""

    def act(
        self, obs: Array, state: State, draws: Draws, *, legal: Mask | None = None, greedy: bool = False
    ) -> tuple[Array, State]:
        """See `Player`."""
        if isinstance(self.space, Box):
            low, high = self.space.low, self.space.high
            return low + (high - low) * draws.uniform(*self.space.shape).numpy(), None
        assert isinstance(self.space, Discrete)
        scores = torch.zeros(len(obs), int(self.space.n))
        if legal is not None:
            scores.masked_fill_(~torch.from_numpy(legal), -torch.inf)
        return sample(Output(scores), draws.uniform(1)[:, 0]).numpy(), None


@dataclass(frozen=True, kw_only=True)
class LoadedPlayer:
    """A player, ready to take its seat."""

    player: Player
    name: str
    """As the user named it."""
    identity: str
    """Digest of all that its play depends on."""
    card: AgentCard | None = None
    sha256: str = ""
    foreign: bool = False
    """Whether it is code of the user's."""


def load_player(
    spec: str, game: str, seat: str, observation: Space[Any], action: Space[Any], *, trust: bool = False,
    way_out: str = "swap the --players",
) -> LoadedPlayer:  # fmt: skip
    """Loads who is to take a seat, and checks that it can.

    Args:
        spec: `zero`, `random`, or an agent as `load_policy` takes it.
        game: Id of the game.
        seat: Name of the seat, for messages and for agents that were trained for one.
        observation: What the seat sees.
        action: What it can do.
        trust: See `load_policy`.
        way_out: What to do with an agent of another seat, for the message.

    Raises:
        InvalidInput: An agent of another game, seat or shape.
        RlattackError: See `load_policy`.
    """
    if spec in PLACEHOLDERS:
        player: Player = Zero(action) if spec == "zero" else Random(action)
        return LoadedPlayer(player=player, name=spec, identity=spec)
    folder = agent_folder(spec)
    if folder is not None:
        card, network = load_agent(folder)
        _check_card(spec, card, game, seat, way_out)
        if isinstance(network, GaussianNetwork):
            policy = GaussianPolicy(network)
            _check_shape(spec, policy, seat, observation, action)
            identity = hashlib.sha256(json.dumps([card.sha256, dataclasses.asdict(card.network)]).encode()).hexdigest()
            return LoadedPlayer(
                player=GaussianPlayer(policy), name=spec, identity=identity, card=card, sha256=card.sha256
            )
    if not isinstance(action, Discrete):
        load_policy(spec, trust=trust)  # a name that is none, or a damaged file, is told as that
        raise InvalidInput(f"agent {spec}: has discrete actions, seat {seat} of {game} takes {action}")
    agent = load_policy(spec, game=game, observation=observation.shape, actions=int(action.n), trust=trust)
    return LoadedPlayer(
        player=PolicyPlayer(agent.policy), name=spec, identity=agent.identity, card=agent.card, sha256=agent.sha256,
        foreign=agent.algorithm == "module",
    )  # fmt: skip


def _check_card(spec: str, card: AgentCard, game: str, seat: str, way_out: str) -> None:
    if card.game != game:
        raise InvalidInput(f"agent {spec} was trained for {card.game}, not for {game}")
    if card.seat not in ("", seat):
        raise InvalidInput(f"agent {spec} was trained for the seat {card.seat!r}, not for {seat!r}; {way_out}")


def _check_shape(spec: str, policy: GaussianPolicy, seat: str, observation: Space[Any], action: Space[Any]) -> None:
    takes = action.shape if isinstance(action, Box) else f"one of {getattr(action, 'n', '?')}"
    if policy.observation != observation.shape or (policy.actions,) != takes:
        raise InvalidInput(
            f"agent {spec} sees {policy.observation} and acts by {policy.actions} numbers; "
            f"seat {seat} shows {observation.shape} and takes {takes}"
        )


def _seen(obs: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(obs, dtype=np.float32))
