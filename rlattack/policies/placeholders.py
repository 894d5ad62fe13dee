"""Who holds a seat without being an agent: `zero` does nothing, `random` acts by chance. Neither looks."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.card import ActionMode
from rlattack.games.game import Seat
from rlattack.policies.distributions import Actions, Categorical, Point, Uniform
from rlattack.policies.policy import Loss, Normaliser, Output, State


class Placeholder(ABC):
    """A policy of any seat that looks at nothing and remembers nothing.

    Args:
        seat: What it holds.

    Raises:
        InvalidInput: Its actions are neither one number nor a vector.
    """

    acts: ActionMode | None
    normaliser: Normaliser | None = None

    def __init__(self, seat: Seat) -> None:
        space = seat.action
        if not isinstance(space, Discrete) and not (isinstance(space, Box) and len(space.shape) == 1):
            raise InvalidInput(f"expected a seat of one number or a vector to act by, {seat.name} takes {space}")
        self.observation = tuple(seat.observation.shape or ())
        self.action: Space[Any] = space

    @abstractmethod
    def _of_numbers(self, n: int, low: Tensor, high: Tensor) -> Actions:
        """Distributions of n actions between the ends of the range, each of shape (entries,)."""

    @abstractmethod
    def _of_choices(self, n: int, choices: int) -> Actions:
        """Distributions of n discrete actions."""

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """The same for every observation."""
        if isinstance(self.action, Discrete):
            return Output(self._of_choices(len(obs), int(self.action.n)))
        assert isinstance(self.action, Box)
        low, high = (torch.as_tensor(end, dtype=torch.float32) for end in (self.action.low, self.action.high))
        return Output(self._of_numbers(len(obs), low, high))

    def gradient(self, obs: Tensor, loss: Loss, state: State = None) -> tuple[Tensor, Output]:
        """Zeros: nothing depends on what is seen."""
        return torch.zeros_like(obs), self(obs)

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """None: it has no critic."""
        return None

    def initial_state(self, n: int) -> State:
        """None: it remembers nothing."""
        return None


class Zero(Placeholder):
    """Does nothing: zeros, or the first legal action."""

    acts = None

    def _of_numbers(self, n: int, low: Tensor, high: Tensor) -> Actions:
        return Point(torch.zeros(n, len(low)), low, high)

    def _of_choices(self, n: int, choices: int) -> Actions:
        return _First((-1000.0 * torch.arange(choices)).expand(n, -1))


class Random(Placeholder):
    """Acts uniformly at random, within the range or among the legal actions.

    Raises:
        InvalidInput: The seat has no range to draw from.
    """

    acts = "sampled"

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat)
        if isinstance(self.action, Box) and not self.action.is_bounded():
            raise InvalidInput(f"random needs a range to draw from, {seat.name} takes {self.action}")

    def _of_numbers(self, n: int, low: Tensor, high: Tensor) -> Actions:
        return Uniform(((low + high) / 2).expand(n, -1), low, high)

    def _of_choices(self, n: int, choices: int) -> Actions:
        return Categorical(torch.zeros(n, choices))


class _First(Categorical):
    """The first action of all that are legal, for certain."""

    def sample(self, draws: Draws) -> Tensor:
        """The first legal action; draws nothing."""
        return self.greedy


PLACEHOLDERS: dict[str, type[Placeholder]] = {"zero": Zero, "random": Random}
"""Policies of every seat that are no agents, by name."""
