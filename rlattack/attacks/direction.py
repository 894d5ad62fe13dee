"""A random direction, as far as it takes to change what the victim does: the control of minimal perturbations."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from rlattack.attacks.minimal import Turning, halved
from rlattack.attacks.target import Target
from rlattack.budget import NORMS, Ball
from rlattack.draws import Draws
from rlattack.specs import Positive, Range


@dataclass(frozen=True, kw_only=True)
class DirectionConfig:
    """Parameters of `direction`."""

    first: Positive = 1e-4
    """First size that is tried, per entry and in units of the space, as eps is; of pixels at least one."""
    doublings: Annotated[int, Range(least=0)] = 20
    """How often it is doubled, while the victim does the same."""
    halvings: Annotated[int, Range(least=0)] = 8
    """How often the way between the last two sizes is halved then."""


class Direction(Turning[DirectionConfig]):
    """Goes along one random direction until the victim chooses otherwise; where it never does, nothing is changed."""

    name = "direction"
    title = "A random direction"
    reaches: ClassVar[tuple[str, ...]] = NORMS
    is_control = True
    config_type = DirectionConfig

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Doubles the size until the choice changes, then halves the interval in which it did."""
        return random_crossing(victim, obs, reach, draws, self.config)[0]


def random_crossing(
    victim: Target, obs: Tensor, reach: Ball, draws: Draws, config: DirectionConfig
) -> tuple[Tensor, Tensor]:
    """Where the victim comes to choose otherwise along a random direction; the observation itself where it never does.

    Returns:
        Points, and in which slots there is one, bool, shape (slots,).
    """
    ray = reach.ray(obs, draws.normal(*obs.shape[1:]))

    def other(size: Tensor, only: Tensor) -> Tensor:
        return only & (victim.choices(reach.settle(ray(size), obs), only=only) != victim.labels)

    first = max(config.first, 1.0) if reach.whole else config.first
    low, high = torch.zeros(victim.slots), torch.full((victim.slots,), first)
    searching = victim.active
    for doubling in range(config.doublings + 1):
        searching = searching & ~other(high, searching)
        if doubling == config.doublings or not searching.any():
            break
        low, high = torch.where(searching, high, low), torch.where(searching, 2 * high, high)
    found = victim.active & ~searching
    _, high = halved(low, high, other, found, config.halvings)
    return reach.settle(ray(torch.where(found, high, 0.0)), obs), found
