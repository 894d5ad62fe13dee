"""Gradients that are estimated from outputs alone, and climbed as PGD climbs them: NES, SPSA, finite differences."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.attack import Setting
from rlattack.attacks.objective import Climb
from rlattack.attacks.query import Best, QueryAttack, QueryConfig
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.specs import Count, Positive


@dataclass(frozen=True, kw_only=True)
class EstimatedConfig(QueryConfig):
    """Parameters of `nes`, `spsa` and `finite-differences`."""

    directions: Count = 10
    """Directions an estimate, each asked about on both sides."""
    probe: Positive = 0.5
    """How far on each side, as a part of eps an entry."""
    step: Positive | None = None
    """Length of a step, as a part of the budget; by default 2.5 / steps, of which there are as many as questions
    allow."""

    @property
    def steps(self) -> int:
        """How often it climbs: an estimate and a look at where it led each time, after one at the start."""
        return (self.queries - 1) // (2 * self.directions + 1)

    def check(self, setting: Setting) -> None:
        """Checks the objective, and that the questions are enough for one step."""
        super().check(setting)
        if self.steps < 1:
            raise InvalidInput(
                f"queries: expected at least {2 * self.directions + 2} for an estimate of {self.directions} "
                f"directions, got {self.queries}; raise queries or lower directions"
            )


class Estimated(QueryAttack[EstimatedConfig]):
    """Climbs an estimate of the gradient, from central differences along a few directions."""

    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2")  # the steepest entry of so rough an estimate is anybody's guess
    config_type = EstimatedConfig

    @abstractmethod
    def directions(self, reach: Ball, draws: Draws) -> Iterator[Tensor]:
        """Yields directions of an estimate, (slots, entries) each, in units."""

    def search(self, climb: Climb, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Estimates and steps, and keeps the best point."""
        config, best, point = self.config, Best(climb, reach, obs), obs
        step = reach.radius * (2.5 / config.steps if config.step is None else config.step)
        far = config.probe * self.budget.size
        for _ in range(config.steps):
            slope = torch.zeros_like(obs)
            for direction in self.directions(reach, draws):
                way = reach.spread(direction)
                rise = climb.rows(point + far * way) - climb.rows(point - far * way)
                slope = slope + rowwise(rise, obs) * way
            # along ways in the game's own units, the slope of a unit squared
            point = reach.project(reach.ascend(point, slope / reach.scale**2, step), obs)
            best.offer(point)
        return best.point


class NES(Estimated):
    """Natural evolution strategies: normal directions, each on both sides (Ilyas et al. 2018, alg. 1)."""

    name = "nes"
    title = "NES"

    def directions(self, reach: Ball, draws: Draws) -> Iterator[Tensor]:
        """Normal directions."""
        return (draws.normal(reach.entries) for _ in range(self.config.directions))


class SPSA(Estimated):
    """Simultaneous perturbation: directions of signs (Spall 1992; Uesato et al. 2018, alg. 1)."""

    name = "spsa"
    title = "SPSA"

    def directions(self, reach: Ball, draws: Draws) -> Iterator[Tensor]:
        """Random signs, which are their own inverses."""
        return (draws.signs(reach.entries) for _ in range(self.config.directions))


class FiniteDifferences(Estimated):
    """Differences along groups of entries, a random division of all (Bhagoji et al. 2018, sec. 3.2 and 3.3).

    Where there are no more entries than directions, a group is one entry, and the estimate that of the gradient itself.
    """

    name = "finite-differences"
    title = "Finite differences"

    def directions(self, reach: Ball, draws: Draws) -> Iterator[Tensor]:
        """The groups, one after the other."""
        groups = min(self.config.directions, reach.entries)
        order = draws.uniform(reach.entries).argsort(dim=1).argsort(dim=1)
        return ((order % groups == group).float() for group in range(groups))
