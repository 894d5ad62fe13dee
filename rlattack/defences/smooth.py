"""Randomised smoothing: what a policy says of several noised copies of what it sees, taken together.

Cohen et al. 2019, eq. 1 (majority); of policies Kumar et al. 2022, sec. 4 (one copy), and Sun et al. 2024 (S-DQN: the
mean of Q values or their majority, S-PPO: the median of actions).
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from torch import Tensor

from rlattack.defences.front import Front, kind_of
from rlattack.defences.vote import voted
from rlattack.draws import Draws, SharedDraws
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.policy import Output, Policy, State
from rlattack.specs import Range

_ON_THE_WHOLE = 1_000_003
"""Seed of the noise where none is drawn: what the smoothed policy does on the whole, the same for everybody."""


@dataclass(frozen=True, kw_only=True)
class SmoothConfig:
    """Parameters of `smooth`."""

    sigma: Annotated[float, Range(above=0, most=100)]
    """Standard deviation of the noise, in units of `space`."""
    copies: Annotated[int, Range(least=1, most=10_000)] = 16
    """Noised copies that the policy sees in each step."""
    vote: Literal["mean", "majority", "median"] = "mean"
    """What is taken of what it says of them: the mean of probabilities, Q values or actions, the action that most of
    them choose, or the median of scores or actions."""
    space: Literal["unit", "raw", "sigma"] | None = None
    """`unit`: pixels over their range. `raw`: the game's own range. `sigma`: standard deviations of what the victim saw
    in training. By default unit for pictures, else sigma."""


class Smooth(Front[SmoothConfig]):
    """Asks about noised copies of what is seen, and lets them vote; attacks go through it, in expectation by `eot=`."""

    name = "smooth"
    sloped = True
    config_type = SmoothConfig

    def __init__(self, config: SmoothConfig) -> None:
        super().__init__(config)
        self.copies = config.copies
        self._usual: Tensor | None = None

    def check(self, seat: Seat) -> None:
        """Refuses a majority of continuous actions, and pixels without a range for `unit`."""
        super().check(seat)
        space, action = seat.observation, seat.action
        assert isinstance(space, Box), "checked above"
        if self.config.vote == "majority" and not isinstance(action, Discrete | MultiDiscrete):
            raise InvalidInput(
                f"defence smooth: vote=majority is of actions to choose from, got {action}; use vote=median or mean"
            )
        self._space = self.config.space or ("unit" if kind_of(space) == "pictures" else "sigma")
        self.span = span_of(space)
        width = float(self.span[1].max() - self.span[0].min())
        if self._space == "unit" and not (kind_of(space) == "pictures" and width < torch.inf):
            raise InvalidInput(f"defence smooth: space=unit is of pixels, {seat.name} sees {space}; use space=raw")
        self.size: Tensor = torch.full((1,), self.config.sigma * (width if self._space == "unit" else 1.0))

    def meet(self, policy: Policy) -> None:
        """Takes the unit of the noise where it is the victim's own."""
        if self._space != "sigma":
            return
        if policy.normaliser is None:
            raise InvalidInput(
                "defence smooth: space=sigma needs an agent that ships observation statistics; use space=raw"
            )
        self.size = self.config.sigma * policy.normaliser.unit.nan_to_num(0.0)

    def seen(self, obs: Tensor, draws: Draws | None, memory: State = None) -> Tensor:
        """Noised copies of each row, within the range."""
        shape = tuple(obs.shape[1:])
        noise = self._fixed(shape) if draws is None else draws.normal(self.copies, *shape)
        found = obs[:, None] + self.size * noise.to(obs.device)
        return found.clamp(*self.span).flatten(0, 1)

    def decided(self, out: Output, obs: Tensor, memory: State) -> tuple[Output, State]:
        """What the copies vote for."""
        return voted(out, self.copies, self.config.vote), memory

    def _fixed(self, shape: tuple[int, ...]) -> Tensor:
        if self._usual is None:
            self._usual = SharedDraws(1, _ON_THE_WHOLE).normal(self.copies, *shape)
        return self._usual


def span_of(space: Box) -> tuple[Tensor, Tensor]:
    """Ends of what can be seen, float32, shape of an observation each."""
    low, high = (torch.as_tensor(end, dtype=torch.float32) for end in (space.low, space.high))
    return low, high
