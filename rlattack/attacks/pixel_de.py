"""A few pixels of the newest frame, found by differential evolution on the victim's outputs alone (Su et al. 2019).

Every slot has a population of candidates, k times (row, column, end of the range), and stops as soon as its victim's
choice changes. Su et al. evolve the colour too; here a pixel is black or white, since what works best lies at an end.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from rlattack.attacks.attack import ObservationAttack
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.policies.distributions import Actions, Categorical
from rlattack.specs import Fraction, Range


@dataclass(frozen=True, kw_only=True)
class PixelDEConfig:
    """Parameters of `pixel-de`; at most population * (generations + 1) queries a step, and the clean one."""

    population: Annotated[int, Range(least=4)] = 16
    """Candidates a generation, at least 4."""
    generations: Annotated[int, Range(least=0)] = 11
    """Generations after the first population."""
    weight: Fraction = 0.5
    """Differential weight F (Su et al.: 0.5)."""
    crossover: Fraction = 0.7
    """Probability that a coordinate comes from the mutant."""


class PixelDE(ObservationAttack[PixelDEConfig, Ball]):
    """Differential evolution (best/1/bin) over the places and ends of k pixels; asks for outputs only."""

    name = "pixel-de"
    knowledge: ClassVar[Knowledge] = "scores"
    reaches: ClassVar[tuple[str, ...]] = ("l0",)
    needs: ClassVar[frozenset[type[Actions]]] = frozenset({Categorical})
    config_type = PixelDEConfig

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Evolves a population a slot until its victim chooses otherwise, or the generations are over."""
        config, genes = self.config, 3 * int(reach.radius)
        # drawn at once, so that what a slot draws does not depend on when it or the others stop
        start = draws.uniform(config.population, genes)
        dice = draws.uniform(config.generations, config.population, 2 + genes)
        forced = draws.integers(genes, config.generations, config.population)
        search = _Search(victim, obs, reach, start)
        for generation in range(config.generations):
            if not search.searching.any():
                break
            search.evolve(dice[:, generation], forced[:, generation], config.weight, config.crossover)
        return search.best_points()


class _Search:
    """Populations of all slots, genes (slots, population, 3 k) in [0, 1], and the slots that are still searching."""

    def __init__(self, victim: Target, obs: Tensor, reach: Ball, genes: Tensor) -> None:
        self.victim, self.obs = victim, obs
        self.labels, self.searching = victim.labels[:, None], victim.active
        self.first, self.width = obs[0].numel() - reach.entries, obs.shape[-1]
        self.height = reach.entries // self.width
        self.low, self.high = reach.low.flatten(), reach.high.flatten()
        self.genes, self.margins = genes, torch.full(genes.shape[:2], torch.inf)
        self._keep_better(genes)

    def evolve(self, dice: Tensor, forced: Tensor, weight: float, crossover: float) -> None:
        """One generation: mutants around the best, crossed with their parents, kept where they are better."""
        parents = self.genes
        slots, count = torch.arange(len(parents))[:, None], parents.shape[1]
        best = parents[slots, self.margins.argmin(dim=1, keepdim=True)]
        first = (dice[..., 0] * count).long().clamp_(max=count - 1)
        second = (first + 1 + (dice[..., 1] * (count - 1)).long().clamp_(max=count - 2)) % count  # another one
        mutants = best + weight * (parents[slots, first] - parents[slots, second])
        mutants = 1 - (1 - mutants.abs()).abs()  # reflected at the ends of [0, 1]
        crossed = (dice[..., 2:] < crossover).scatter_(2, forced[..., None], True)
        self._keep_better(torch.where(crossed, mutants, parents))

    def best_points(self) -> Tensor:
        """The best candidate of every slot, shape (slots, *observation)."""
        return self._points(self.genes[torch.arange(len(self.obs)), self.margins.argmin(dim=1)])

    def _keep_better(self, genes: Tensor) -> None:
        """Asks about candidates, one a slot at once; slots whose victim chooses otherwise search no more."""
        margins = torch.stack([self._margin(self._points(of_slots)) for of_slots in genes.unbind(dim=1)], dim=1)
        better = (margins < self.margins) & self.searching[:, None]
        self.genes = torch.where(better[..., None], genes, self.genes)
        self.margins = torch.where(better, margins, self.margins)
        self.searching = self.searching & (self.margins.amin(dim=1) >= 0)

    def _margin(self, points: Tensor) -> Tensor:
        """The label's score minus the best other one, shape (slots,); below 0 once the choice has changed."""
        actions = self.victim(points, only=self.searching).actions
        assert isinstance(actions, Categorical), "declared in `needs`"
        own = actions.scores.gather(1, self.labels).squeeze(1)
        return own - actions.scores.scatter(1, self.labels, -torch.inf).amax(dim=1)

    def _points(self, genes: Tensor) -> Tensor:
        """Observations with the pixels of `genes` (slots, 3 k) set."""
        row, column, end = genes.view(len(genes), -1, 3).unbind(dim=2)
        row = (row * self.height).long().clamp_(max=self.height - 1)
        column = (column * self.width).long().clamp_(max=self.width - 1)
        place = self.first + row * self.width + column
        value = torch.where(end < 0.5, self.low[place], self.high[place])
        return self.obs.flatten(1).scatter(1, place, value).view_as(self.obs)
