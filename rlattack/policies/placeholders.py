"""Who holds a seat without being an agent: `zero` does nothing, `random` acts by chance. Neither looks."""

from abc import ABC, abstractmethod

import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from torch import Tensor

from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.card import ActionMode
from rlattack.games.game import Seat
from rlattack.policies.distributions import Actions, Categorical, Choices, Point, Uniform
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
    action: Discrete | MultiDiscrete | Box

    def __init__(self, seat: Seat) -> None:
        space = seat.action
        if not isinstance(space, Discrete | MultiDiscrete) and not (isinstance(space, Box) and len(space.shape) == 1):
            raise InvalidInput(f"expected a seat of one number or a vector to act by, {seat.name} takes {space}")
        self.observation = tuple(seat.observation.shape or ())
        self.action = space
        ends = (space.low, space.high) if isinstance(space, Box) else ()
        self._range = [torch.as_tensor(end, dtype=torch.float32) for end in ends]

    @abstractmethod
    def _actions(self, n: int) -> Actions:
        """Distributions of n actions."""

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """The same for every observation."""
        return Output(self._actions(len(obs)))

    def gradient(
        self, obs: Tensor, loss: Loss, state: State = None, draws: Draws | None = None
    ) -> tuple[Tensor, Output]:
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

    def _actions(self, n: int) -> Actions:
        if isinstance(self.action, Discrete):
            return _First(_first(int(self.action.n)).expand(n, -1))
        if isinstance(self.action, MultiDiscrete):
            counts = tuple(map(int, self.action.nvec))
            return _FirstOfAll(torch.cat([_first(count) for count in counts]).expand(n, -1), counts)
        return Point(torch.zeros(n, *self.action.shape), *self._range)


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

    def _actions(self, n: int) -> Actions:
        if isinstance(self.action, Discrete):
            return Categorical(torch.zeros(n, int(self.action.n)))
        if isinstance(self.action, MultiDiscrete):
            counts = tuple(map(int, self.action.nvec))
            return Choices(torch.zeros(n, sum(counts)), counts)
        low, high = self._range
        return Uniform(((low + high) / 2).expand(n, -1), low, high)


class _First(Categorical):
    """The first action of all that are legal, for certain."""

    def sample(self, draws: Draws) -> Tensor:
        """The first legal action; draws nothing."""
        return self.greedy


class _FirstOfAll(Choices):
    """The first action of each entry that is legal, for certain."""

    def sample(self, draws: Draws) -> Tensor:
        """The first legal actions; draws nothing."""
        return self.greedy


def _first(count: int) -> Tensor:
    """Scores of so many actions of which the first is by far the best."""
    return -1000.0 * torch.arange(count)


PLACEHOLDERS: dict[str, type[Placeholder]] = {"zero": Zero, "random": Random}
"""Policies of every seat that are no agents, by name."""
