"""A few pixels of the newest frame, found by differential evolution on the victim's outputs alone (Su et al. 2019).

Every slot has a population of candidates, k times (row, column, end of the range), and stops as soon as its victim's
choice changes. Su et al. evolve the colour too; here a pixel is black or white, since what works best lies at an end.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.attacks.attack import ObservationAttack
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import Actions, Categorical
from rlattack.policies.policy import Output


@dataclass(frozen=True, kw_only=True)
class PixelDEConfig:
    """Parameters of `pixel-de`; at most population * (generations + 1) queries a step, and the clean one."""

    population: int = 16
    """Candidates a generation, at least 4."""
    generations: int = 11
    """Generations after the first population."""
    weight: float = 0.5
    """Differential weight F (Su et al.: 0.5)."""
    crossover: float = 0.7
    """Probability that a coordinate comes from the mutant."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            InvalidInput: Too small a population, or a weight or probability outside its range.
        """
        if self.population < 4 or self.generations < 0:
            raise InvalidInput(
                f"pixel-de: population is at least 4 and generations 0, got {self.population}, {self.generations}"
            )
        if not 0 < self.weight <= 1 or not 0 < self.crossover <= 1:
            raise InvalidInput(
                f"pixel-de: weight and crossover in (0, 1] expected, got {self.weight} and {self.crossover}"
            )


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
        search = _Search(victim, obs, reach)
        # drawn at once, so that what a slot draws does not depend on when it or the others stop
        start = draws.uniform(config.population, genes)
        dice = draws.uniform(config.generations, config.population, 2 + genes)
        forced = draws.integers(genes, config.generations, config.population)
        slots = search.open(start, victim.active.nonzero()[:, 0])
        for generation in range(config.generations):
            if len(slots) == 0:
                break
            turn = dice[slots, generation], forced[slots, generation]
            slots = search.evolve(slots, *turn, config.weight, config.crossover)
        return search.best_points()


class _Search:
    """Populations of all slots, genes (slots, population, 3 k) in [0, 1]; methods return the slots still searching."""

    def __init__(self, victim: Target, obs: Tensor, reach: Ball) -> None:
        self.victim, self.obs = victim, obs
        self.labels = victim.labels
        self.first, self.width = obs[0].numel() - reach.entries, obs.shape[-1]
        self.height = reach.entries // self.width
        self.low, self.high = reach.low.flatten(), reach.high.flatten()

    def open(self, genes: Tensor, slots: Tensor) -> Tensor:
        """Asks about the first population."""
        self.genes = genes
        self.margins = torch.full(genes.shape[:2], torch.inf)
        return self._keep_better(slots, genes[slots])

    def evolve(self, slots: Tensor, dice: Tensor, forced: Tensor, weight: float, crossover: float) -> Tensor:
        """One generation: mutants around the best, crossed with their parents, kept where they are better."""
        parents = self.genes[slots]
        count, rows = parents.shape[1], torch.arange(len(slots))[:, None]
        best = parents[rows, self.margins[slots].argmin(dim=1, keepdim=True)]
        first = (dice[..., 0] * count).long().clamp_(max=count - 1)
        second = (first + 1 + (dice[..., 1] * (count - 1)).long().clamp_(max=count - 2)) % count  # another one
        mutants = best + weight * (parents[rows, first] - parents[rows, second])
        mutants = 1 - (1 - mutants.abs()).abs()  # reflected at the ends of [0, 1]
        crossed = (dice[..., 2:] < crossover).scatter_(2, forced[..., None], True)
        return self._keep_better(slots, torch.where(crossed, mutants, parents))

    def best_points(self) -> Tensor:
        """The best candidate of every slot, shape (slots, *observation)."""
        every = torch.arange(len(self.obs))
        return self._points(self.genes[every, self.margins.argmin(dim=1)], every)

    def _keep_better(self, slots: Tensor, genes: Tensor) -> Tensor:
        """Asks about candidates (len(slots), population, 3 k); leaves out slots whose victim chooses otherwise."""
        margins = self._margins(genes.flatten(0, 1), slots.repeat_interleave(genes.shape[1])).view(len(slots), -1)
        better = margins < self.margins[slots]
        self.genes[slots] = torch.where(better[..., None], genes, self.genes[slots])
        self.margins[slots] = torch.where(better, margins, self.margins[slots])
        return slots[self.margins[slots].amin(dim=1) >= 0]

    def _margins(self, genes: Tensor, owners: Tensor) -> Tensor:
        """The label's score minus the best other one; below 0 once the choice has changed."""
        size = self.victim.slots  # of a batch; small ones stay in the cache
        scores = torch.cat(
            [
                self.victim.rows(self._points(part, owner), owner, _scores)
                for part, owner in zip(torch.split(genes, size), torch.split(owners, size), strict=True)
            ]
        )
        labels = self.labels[owners][:, None]
        own = scores.gather(1, labels).squeeze(1)
        return own - scores.scatter_(1, labels, -torch.inf).amax(dim=1)

    def _points(self, genes: Tensor, owners: Tensor) -> Tensor:
        """Observations of the owners with the pixels of `genes` (m, 3 k) set."""
        row, column, end = genes.view(len(genes), -1, 3).unbind(dim=2)
        row = (row * self.height).long().clamp_(max=self.height - 1)
        column = (column * self.width).long().clamp_(max=self.width - 1)
        place = self.first + row * self.width + column
        value = torch.where(end < 0.5, self.low[place], self.high[place])
        return self.obs[owners].flatten(1).scatter_(1, place, value).view(-1, *self.obs.shape[1:])


def _scores(out: Output) -> Tensor:
    assert isinstance(out.actions, Categorical)  # declared in `needs`
    return out.actions.scores
