"""A few pixels of the newest frame, found by differential evolution on the victim's outputs alone (Su et al. 2019).

Every slot has a population of candidates (entry, value) * k; all slots and candidates are asked in one batch. A slot
stops as soon as its victim's choice changes.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.attacks.base import Attack
from rlattack.attacks.streams import Streams
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import Ball, Norm
from rlattack.errors import InvalidInput

__all__ = ["PixelDE", "PixelDEConfig"]


@dataclass(frozen=True, kw_only=True)
class PixelDEConfig:
    """Parameters of `pixel-de`; at most population * (generations + 1) queries a step and the clean one."""

    population: int = 32
    """Candidates a generation, at least 4."""
    generations: int = 5
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
        if not 0 < self.weight <= 2 or not 0 < self.crossover <= 1:
            raise InvalidInput(
                f"pixel-de: weight is in (0, 2] and crossover in (0, 1], got {self.weight}, {self.crossover}"
            )


class PixelDE(Attack[PixelDEConfig]):
    """Differential evolution (best/1/bin) over the places and values of k pixels; asks for outputs only."""

    name = "pixel-de"
    knowledge: ClassVar[Knowledge] = "query"
    norms: ClassVar[tuple[Norm, ...]] = ("l0",)
    config_type = PixelDEConfig

    def perturb(self, victim: Target, obs: Tensor, ball: Ball, rng: Streams) -> Tensor:
        """See `Attack`."""
        config, size = self.config, int(ball.radius)
        search = _Search(victim, obs, ball, torch.from_numpy(rng.active.copy()).nonzero()[:, 0])
        # drawn at once, so that what a slot draws does not depend on when the others stop
        start = rng.uniform(config.population, size, 3)
        dice = rng.uniform(config.generations, config.population, 2 + 3 * size)
        forced = rng.integers(3 * size, config.generations, config.population)
        search.open(start)
        for generation in range(config.generations):
            if len(search.slots) == 0:
                break
            search.evolve(dice[:, generation], forced[:, generation], config.weight, config.crossover)
        return search.best_points()


class _Search:
    """Populations of all slots: genes (slots, population, k, 3) in [0, 1] for row, column and value."""

    def __init__(self, victim: Target, obs: Tensor, ball: Ball, slots: Tensor) -> None:
        self.victim, self.obs, self.ball, self.slots = victim, obs, ball, slots
        self.labels = victim.labels
        entries = obs[0].numel()
        self.places = torch.arange(entries - ball.entries, entries)  # those that may change
        self.width = obs.shape[-1]

    def open(self, genes: Tensor) -> None:
        """Evaluates the first population."""
        self.genes = genes
        self.fitness = torch.full(genes.shape[:2], torch.inf)
        self._accept(genes[self.slots], self.slots)

    def evolve(self, dice: Tensor, forced: Tensor, weight: float, crossover: float) -> None:
        """One generation: mutants around the best, crossed with their parents, kept where they are better."""
        slots = self.slots
        parents = self.genes[slots].flatten(2)
        count = parents.shape[1]
        best = parents[torch.arange(len(slots)), self.fitness[slots].argmin(dim=1)][:, None]
        first, second = (dice[slots][..., :2] * count).long().clamp_(max=count - 1).unbind(dim=2)
        rows = torch.arange(len(slots))[:, None]
        mutant = best + weight * (parents[rows, first] - parents[rows, second])
        mutant = 1 - (1 - mutant.abs()).abs()  # reflected at the ends of [0, 1]
        chosen = dice[slots][..., 2:] < crossover
        chosen.scatter_(2, forced[slots][..., None], True)
        self._accept(torch.where(chosen, mutant, parents).view(len(slots), *self.genes.shape[1:]), slots)

    def best_points(self) -> Tensor:
        """The best candidate of every slot, shape (slots, *observation)."""
        every = torch.arange(len(self.obs))
        best = self.genes[every, self.fitness.argmin(dim=1)]
        return torch.where(
            self.fitness.amin(dim=1).isfinite().view(-1, *[1] * (self.obs.ndim - 1)),
            self._points(best, every),
            self.obs,
        )

    def _accept(self, genes: Tensor, slots: Tensor) -> None:
        """Asks about candidates (len(slots), population, k, 3), keeps the better, drops slots that are done."""
        owners = slots.repeat_interleave(genes.shape[1])
        scores = self.victim.rows(self._points(genes.flatten(0, 1), owners), owners).log_softmax(dim=1)
        own = scores.gather(1, self.labels[owners][:, None]).squeeze(1)
        others = scores.scatter(1, self.labels[owners][:, None], -torch.inf).amax(dim=1)
        fitness = (own - others).view(len(slots), -1)  # below 0 once the choice has changed
        better = fitness < self.fitness[slots]
        self.genes[slots] = torch.where(better[..., None, None], genes, self.genes[slots])
        self.fitness[slots] = torch.where(better, fitness, self.fitness[slots])
        self.slots = slots[self.fitness[slots].amin(dim=1) >= 0]

    def _points(self, genes: Tensor, owners: Tensor) -> Tensor:
        """Observations with the pixels of `genes` (m, k, 3) set."""
        points = self.obs[owners].flatten(1)
        height = len(self.places) // self.width
        row = (genes[..., 0] * height).long().clamp_(max=height - 1)
        column = (genes[..., 1] * self.width).long().clamp_(max=self.width - 1)
        place = self.places[row * self.width + column]
        low, high = (_entries(end, points)[place] for end in (self.ball.low, self.ball.high))
        value = low + genes[..., 2] * (high - low)
        return points.scatter_(1, place, value).view(-1, *self.obs.shape[1:])


def _entries(end: Tensor | float, points: Tensor) -> Tensor:
    """The end of the range of every entry, shape (entries,)."""
    return torch.as_tensor(end).flatten().expand(points.shape[1])
