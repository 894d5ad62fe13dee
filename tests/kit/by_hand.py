"""Policies whose actions are known by hand, for games of `tests.kit.games`."""

from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.draws import Draws
from rlattack.policies.distributions import Actions, Categorical, Normal, Point
from rlattack.policies.policy import ActionMode, Output


class ByHand:
    """A policy that looks at nothing, and acts as `distributions` says; made for one game."""

    observation: tuple[int, ...] = (3,)
    action: gymnasium.Space[Any] = Box(-1, 1, (1,), np.float32)
    acts: ActionMode | None = None
    normaliser = None

    def __call__(self, obs: Tensor, state: Tensor | None = None, draws: Draws | None = None) -> Output:
        return Output(self.distributions(len(obs)), state=state)

    def distributions(self, n: int) -> Actions:
        raise NotImplementedError

    def gradient(
        self, obs: Tensor, loss: Any, state: Tensor | None = None, draws: Draws | None = None
    ) -> tuple[Tensor, Output]:
        return torch.zeros_like(obs), self(obs, state)

    def value(self, obs: Tensor, action: Tensor | None = None, state: Tensor | None = None) -> Tensor | None:
        return None

    def initial_state(self, n: int) -> Tensor | None:
        return None


@dataclass
class Pusher(ByHand):
    """Pushes by a number, or by standard normal ones; of `width` entries, 1 by default."""

    push: float | None = 0.5
    width: int = 1

    def distributions(self, n: int) -> Actions:
        whole = torch.ones(self.width)
        if self.push is None:
            return Normal(torch.zeros(n, self.width), -torch.inf * whole, torch.inf * whole, whole)
        return Point(torch.full((n, self.width), self.push), -whole, whole)


@dataclass
class Remembering(ByHand):
    """Counts its own moves in its state and takes the first legal number; `seen` keeps the state before each call.

    With a `width` it does nothing, by so many entries.
    """

    seen: list[Tensor] = field(default_factory=list)
    width: int = 0
    acts: ActionMode | None = "greedy"

    def __call__(self, obs: Tensor, state: Tensor | None = None, draws: Draws | None = None) -> Output:
        assert state is not None
        self.seen.append(state.clone())
        return Output(self.distributions(len(obs)), state=state + 1)

    def distributions(self, n: int) -> Actions:
        whole = torch.ones(self.width)
        return Point(torch.zeros(n, self.width), -whole, whole) if self.width else Categorical(torch.zeros(n, 3))

    def initial_state(self, n: int) -> Tensor:
        return torch.zeros(n, 2)
