"""A moving average over time: of the frames of a stack, or of past observations (temporal smoothing).

The defence that did best in the comparison of road-rl (arXiv 2606.29867), whose attacks did not know of it.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.budget.frames import is_stack
from rlattack.defences.front import Front
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.policy import Output, State
from rlattack.specs import Range


@dataclass(frozen=True, kw_only=True)
class TemporalConfig:
    """Parameters of `temporal`."""

    window: Annotated[int, Range(least=2, most=1000)] = 3
    """How many frames, or observations, are averaged: the newest and those before it."""


class Temporal(Front[TemporalConfig]):
    """Averages what is seen over time; attacks go through it.

    Each frame of a stack becomes the mean of itself and of those before it in the stack. What is no stack becomes the
    mean of this observation and of those received before it, of an episode as many as there are.
    """

    name = "temporal"
    sloped = True
    config_type = TemporalConfig

    def check(self, seat: Seat) -> None:
        """Refuses a window that is longer than a stack."""
        super().check(seat)
        space = seat.observation
        assert isinstance(space, Box), "checked above"
        self._shape, self._stack = space.shape, is_stack(space)
        if self._stack and self.config.window > space.shape[0]:
            raise InvalidInput(
                f"defence temporal: window: expected at most the stack of {space.shape[0]} frames, got "
                f"{self.config.window}"
            )

    def memory(self, n: int) -> State:
        """Past observations, the newest first, each with a 1 behind it once there is one; none of stacks."""
        if self._stack:
            return None
        return torch.zeros(n, self.config.window - 1, 1 + torch.Size(self._shape).numel())

    def seen(self, obs: Tensor, draws: Draws | None, memory: State = None) -> Tensor:
        """The mean over time."""
        if memory is not None:
            together = memory.sum(dim=1)
            return (obs + together[:, :-1].view_as(obs)) / (1 + together[:, -1]).view(-1, *[1] * (obs.ndim - 1))
        width, frames = self.config.window, range(obs.shape[1])
        return torch.stack([obs[:, max(0, at + 1 - width) : at + 1].mean(dim=1) for at in frames], dim=1)

    def decided(self, out: Output, obs: Tensor, memory: State) -> tuple[Output, State]:
        """What the policy says; this observation becomes the newest of the past ones."""
        if memory is None:
            return out, None
        newest = torch.cat([obs.flatten(1), torch.ones(len(obs), 1)], dim=1)
        return out, torch.cat([newest[:, None], memory[:, :-1]], dim=1).detach()
