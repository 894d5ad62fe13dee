"""A perturbation policy of few parameters, found by CMA-ES on the victim's return in tuning episodes.

Nothing of the victim is learned and nothing of the game: what is looked for is a rule that moves what is seen by all of
the budget, in a direction that is linear in what is seen, s (Mania et al. 2018, "Simple random search", of policies).
With a *director* (PA-AD, Sun et al. 2022, sec. 4) the rule says where the action should go, and the slope of the
victim's action says how what is seen must be moved for that.
"""

import contextlib
import math
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import FloatArray
from rlattack.attacks.attack import ObservationAttack, Setting
from rlattack.attacks.basis import Basis, make_basis
from rlattack.attacks.cmaes import CMAES
from rlattack.attacks.director import lead, led
from rlattack.attacks.race import Race
from rlattack.attacks.target import Knowledge, Target
from rlattack.attacks.tuning import Tuning
from rlattack.attacks.words import Fitted, Work
from rlattack.budget import Ball, Budget
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.policy import Normaliser
from rlattack.specs import Count, Range

_SPREAD = 0.5
"""Standard deviation of all parameters at first."""
_STATES = 1000
"""Observations by which what is seen is made comparable, where the victim has no statistics of it."""
_FAR, _STILL = 5.0, 1e-6
"""What is seen is clipped to so many deviations then; what hardly changes at all is left as it is."""
_MOST = 250_000
"""Parameters beyond which nothing can be found by returns."""
_SHORT = 10
"""Steps as which an episode counts before it is played, where no horizon cuts it before."""
_SLOTS = 10_000
"""Episodes at once, at most."""
_CHOOSING = 0.15
"""Share of the steps that is left for choosing among means."""
_PATIENCE, _BETTER = 20, 0.01
"""Generations without an improvement of that share, after which the search ends."""
_RECENT = 5
"""Generations over which what the victim earned is averaged: each has other episodes, some of which are easier."""
_BEGUN = 4
"""Generations after which one of several searches goes on."""
_CHOICES, _EPISODES = 12, 16
"""How many means are chosen among, and by how many episodes each."""
_UNSEEN = 1_000_000
"""Number of the first tuning episode by which means are chosen."""


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """Parameters of `search`."""

    kind: Literal["const", "linear", "director"] = "director"
    """What is looked for: `const`, one direction w for all that is seen; `linear`, W [s; 1], the direction by what is
    seen; `director`, J(s)^T W [s; 1], where the slope J of the victim's mean action (its scores, of discrete actions)
    leads. The first two ask nothing of the victim."""
    basis: Basis | None = None
    """Of pictures, in which s, w and W [s; 1] are told: `dct`, the default, or `tiles`. Numbers need none."""
    coefficients: Count = 16
    """Pictures of the basis, at most."""
    steps: Count = 800_000
    """Steps of the victim in tuning episodes, in all, up to the end of what is being played then; some 4,000 more where
    it has no statistics by which what is seen is made comparable."""
    population: Annotated[int, Range(least=4, most=1000)] = 16
    """Candidates a generation, an even number."""
    episodes: Annotated[int, Range(least=1, most=1000)] = 2
    """Tuning episodes that each candidate of a generation plays, the same ones."""
    starts: Count = 1
    """Searches that are begun; after a few generations the one that leaves the victim least goes on alone."""
    horizon: Count | None = None
    """Steps after which a tuning episode is cut; none by default."""

    def __post_init__(self) -> None:
        if self.population % 2:
            raise InvalidInput(f"search: population: expected an even number, got {self.population}")
        if (slots := self.population * self.episodes) > _SLOTS:
            raise InvalidInput(f"search: population x episodes: expected at most {_SLOTS:,} at once, got {slots:,}")
        if self.steps < self.shortest:
            raise InvalidInput(
                f"search: steps: expected at least {self.shortest:,}, in which each of population x episodes plays "
                f"once, got {self.steps:,}"
            )

    @property
    def shortest(self) -> int:
        """Steps of a generation whose episodes are short."""
        return self.population * self.episodes * min(self.horizon or _SHORT, _SHORT)


class Search(ObservationAttack[SearchConfig, Ball]):
    """Moves what is seen as a rule of few parameters says, which was searched for on tuning episodes."""

    name = "search"
    title = "A searched perturbation policy"
    knowledge: ClassVar[Knowledge] = "white"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    fitted = True
    config_type = SearchConfig

    def __init__(self, budget: Budget, config: SearchConfig) -> None:
        super().__init__(budget, config)
        self._led = 0
        self._normaliser: Normaliser | None = None
        self._shape: tuple[int, ...] = ()
        self._basis: Tensor | None = None

    @classmethod
    def knows(cls, config: SearchConfig) -> Knowledge:
        """Nothing without a director: then the fit sees returns alone."""
        return "white" if config.kind == "director" else "none"

    def check(self, setting: Setting) -> None:
        """Notes what the victim sees, does and has statistics of.

        Raises:
            InvalidInput: A basis of what is no picture or that does not fit it, or more parameters than can be found.
        """
        self._shape, self._normaliser, self._basis = setting.observation, setting.normaliser, None
        self._led, waves = led(setting.actions).shape[1], None
        if self._pictures:
            waves = make_basis(self._basis_name, self._shape, self.config.coefficients)
        elif self.config.basis is not None:
            raise InvalidInput(
                f"search: basis={self.config.basis} is for pictures, this game shows {self._shape}: leave it out"
            )
        count = math.prod(self._parameters(waves))
        if count > _MOST:
            way_out = "fewer coefficients" if self._pictures else "kind=director, or kind=const"
            raise InvalidInput(
                f"search: kind={self.config.kind} has {count:,} parameters here, expected at most {_MOST:,}: {way_out}"
            )

    def fit(self, tuning: Tuning) -> Fitted:
        """Searches, then chooses among the means of the search by episodes that none of them was found by."""
        assert isinstance(tuning.reach, Ball), "declared in `reaches`"
        before = tuning.steps
        known = self._statistics(tuning, tuning.reach)
        self.learned = Fitted(known)
        shape = self._parameters(self._waves(tuning.reach) if self._pictures else None)
        slots = self.config.population * self.config.episodes

        def load(rows: FloatArray) -> None:
            weights = torch.as_tensor(rows.reshape(-1, *shape).astype(np.float32))
            self.learned = Fitted({"weights": weights, **known})

        with contextlib.closing(tuning.rehearse(self, slots)) as rehearsal:
            race = Race(rehearsal, slots, load, self.config.horizon)
            start, means = self._search(race, math.prod(shape), tuning)
            tuning.say(f"choosing among {min(len(means), _CHOICES)} rules, {race.steps:,} steps")
            found, earned = _chosen(race, means, slots)
        weights = torch.as_tensor(found.reshape(shape).astype(np.float32))
        steps = race.steps + tuning.steps - before
        facts = {"return": earned, "start": start, "generations": len(means), "steps": steps}
        return Fitted({"weights": weights, **known}, facts)

    def work(self, length: float) -> Work:
        """All the steps that it may play, each with the slope that leads a director."""
        return Work(steps=1, gradients=self.config.kind == "director") * self.config.steps

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Goes as far as the reach in the direction that the rule says.

        Raises:
            InvalidInput: Nothing was searched for yet.
        """
        said = (self.known("weights") * self._seen(obs, reach)[:, None]).sum(dim=-1)
        if self.config.kind == "director":
            return lead(victim, obs, said, reach)
        return reach.ascend(obs, self._moved(said, obs, reach), reach.radius)

    def _search(self, race: Race, size: int, tuning: Tuning) -> tuple[int, list[tuple[float, FloatArray]]]:
        """Which start went on; the mean of every generation, with what the victim earned under the last few elites."""
        config = self.config
        begun = [_Course(CMAES(np.zeros(size), _SPREAD, config.population)) for _ in range(config.starts)]
        while len(begun[-1].means) < _BEGUN * (config.starts > 1) and race.steps < (1 - _CHOOSING) * config.steps:
            for course in begun:
                self._advance(course, race, tuning)
        course = min(begun, key=lambda one: one.recent)
        while race.steps < (1 - _CHOOSING) * config.steps and len(course.means) < course.last + _PATIENCE:
            self._advance(course, race, tuning)
        return begun.index(course), course.means

    def _advance(self, course: "_Course", race: Race, tuning: Tuning) -> None:
        """Plays one more generation."""
        config, search, first = self.config, course.search, len(course.means) * self.config.episodes
        noise = tuning.draws.normal(config.population // 2, search.mean.size)[0].double().numpy(force=True)
        candidates = search.ask(noise)
        earned = race.run(candidates, range(first, first + config.episodes), search.elites)
        search.tell(candidates, earned)
        course.keep(float(np.sort(earned)[: search.elites].mean()))
        tuning.say(f"generation {len(course.means)}, {course.earned[-1]:,.0f} of the victim, {race.steps:,} steps")

    def _seen(self, obs: Tensor, reach: Ball) -> Tensor:
        """What the rule looks at, and 1: shape (slots, inputs)."""
        one = torch.ones(len(obs), 1)
        if self.config.kind == "const":
            return one
        if self._normaliser is not None and not self._pictures:
            seen = self._normaliser(obs)
        else:
            known = self.learned.tensors
            seen = ((self._told(obs, reach) - known["mean"]) / known["deviation"]).clamp(-_FAR, _FAR)
        return torch.cat([seen, one], dim=1)

    def _told(self, obs: Tensor, reach: Ball) -> Tensor:
        """What may change of observations, as numbers of the basis of pictures; shape (slots, numbers)."""
        flat = obs.flatten(1)
        return flat if not self._pictures else flat[:, -reach.block :] @ self._waves(reach).T

    def _moved(self, said: Tensor, obs: Tensor, reach: Ball) -> Tensor:
        """The way in which entries are to move, in units of the reach, as a slope in the game's own range."""
        way = said @ self._waves(reach) if self._pictures else said
        if fixed := obs[0].numel() - way.shape[1]:
            way = torch.cat([torch.zeros(len(obs), fixed), way], dim=1)
        way = way.view_as(obs)
        return way if reach.scale.numel() == 1 else way / reach.scale

    def _parameters(self, waves: Tensor | None) -> tuple[int, int]:
        """Shape of the weights, (outputs, inputs); of pictures by their basis."""
        numbers = math.prod(self._shape) if waves is None else len(waves)
        outputs = self._led if self.config.kind == "director" else numbers
        return outputs, 1 if self.config.kind == "const" else numbers + 1

    def _statistics(self, tuning: Tuning, reach: Ball) -> dict[str, Tensor]:
        """Means and deviations of what the rule looks at, where the victim has none, or none of pictures."""
        if self.config.kind == "const" or not (self._pictures or self._normaliser is None):
            return {}
        batches = tuning.observations(-(-_STATES // tuning.victim.slots))
        told = torch.cat([self._told(shown, reach) for shown in batches])
        deviation = told.std(dim=0, unbiased=False)
        return {"mean": told.mean(dim=0), "deviation": torch.where(deviation > _STILL, deviation, 1.0)}

    @property
    def _pictures(self) -> bool:
        return len(self._shape) > 1

    @property
    def _basis_name(self) -> Basis:
        return self.config.basis or "dct"

    def _waves(self, reach: Ball) -> Tensor:
        """The basis, of the newest frame where that alone may change; shape (pictures, entries)."""
        if self._basis is None:
            frames = self._shape[0] * reach.block // math.prod(self._shape)
            self._basis = make_basis(self._basis_name, (frames, *self._shape[1:]), self.config.coefficients)
        return self._basis


@dataclass(eq=False)
class _Course:
    """A search under way.

    Attributes:
        search: Where it is.
        earned: What the victim earned under the elites of each generation.
        means: The mean of each, with what the victim earned in the last few.
        best: The least of that.
        last: The generation in which it last got better.
    """

    search: CMAES
    earned: list[float] = field(default_factory=list)
    means: list[tuple[float, FloatArray]] = field(default_factory=list)
    best: float = math.inf
    last: int = 0

    @property
    def recent(self) -> float:
        """What the victim earned in the last few generations; infinite before the first."""
        return self.means[-1][0] if self.means else math.inf

    def keep(self, earned: float) -> None:
        """Keeps a generation."""
        self.earned.append(earned)
        self.means.append((float(np.mean(self.earned[-_RECENT:])), self.search.mean))
        if len(self.means) == 1 or self.recent < self.best - _BETTER * abs(self.best):
            self.best, self.last = self.recent, len(self.means)


def _chosen(race: Race, means: list[tuple[float, FloatArray]], slots: int) -> tuple[FloatArray, float]:
    """The best of the most promising means on episodes that no search has seen, and what the victim earned there."""
    ranked = [mean for _, mean in sorted(means, key=lambda one: one[0])[:_CHOICES]]
    each = min(_EPISODES, slots)
    bound, best = math.inf, ranked[0]
    for first in range(0, len(ranked), slots // each):
        tried = np.stack(ranked[first : first + slots // each])
        earned = race.run(tried, range(_UNSEEN, _UNSEEN + each), 1, bound)
        if (least := float(earned.min())) < bound:
            bound, best = least, tried[int(earned.argmin())]
    return best, bound
