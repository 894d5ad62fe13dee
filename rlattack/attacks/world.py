"""Worlds in which a victim is to fail: one that is named, the worst of a box, and the worst of random ones.

The worst is looked for on tuning episodes, by what the victim earns there: at the corners of the box and at random
first, then from the worst of them by CMA-ES (Hansen 2016) wherever in the box that leads. Its control tries as many
random worlds.
"""

import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import FloatArray
from rlattack.attacks.attack import AttackSpec
from rlattack.attacks.cmaes import CMAES
from rlattack.attacks.dynamics import DynamicsAttack
from rlattack.attacks.race import Race
from rlattack.attacks.target import Target
from rlattack.attacks.tuning import Tuning
from rlattack.attacks.words import Fitted, Work
from rlattack.budget import Budget, World
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.dynamics import parse_region
from rlattack.specs import Range

_AT_ONCE = 16
"""Worlds that are tried at once, and of a generation."""
_SPREAD = 0.3
"""Standard deviation of the first generation, in half sides of the box."""
_CHOOSING, _EPISODES = 0.2, 16
"""Share of what may be played that is left for choosing among the worst, by so many episodes each."""
_UNSEEN = 1_000_000
"""Number of the first tuning episode by which they are chosen."""
Tried = list[tuple[float, FloatArray]]
"""What the victim earned, and in which world: where it is between the ends of the reach, -1 to 1 each."""


@dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """Parameters of `world`."""

    at: str
    """The world, as "mass=0.5,force-x@torso=-5": mass, friction, gravity times the usual ones, wind-x in m/s,
    force-x@BODY in newtons; y and z likewise, and mass@BODY, friction@BODY of one body."""

    def __post_init__(self) -> None:
        if parse_region(self.at).point is None:
            raise InvalidInput(f"world: at: expected one value each, as mass=0.5, got {self.at!r}")


@dataclass(frozen=True, kw_only=True)
class BoxConfig:
    """Parameters of what looks for a world."""

    box: str
    """Worlds, as "mass=0.5..2,force-x@torso=-5..5"; one value in place of two reaches from the usual one to itself."""
    evaluations: Annotated[int, Range(least=1, most=100_000)] = 200
    """Worlds that are tried, each in `episodes` tuning episodes; a fifth of that play goes to choosing among the worst
    on fresh ones."""
    episodes: Annotated[int, Range(least=1, most=1000)] = 4
    """Tuning episodes of each; those tried at once play the same ones."""

    def __post_init__(self) -> None:
        parse_region(self.box)

    @property
    def finalists(self) -> int:
        """Among how many of the worst worlds it is chosen."""
        return max(1, int(_CHOOSING * self.evaluations) * self.episodes // _EPISODES)

    @property
    def tried(self) -> int:
        """How many worlds are tried before."""
        return self.evaluations - (int(_CHOOSING * self.evaluations) if self.finalists > 1 else 0)


@dataclass(frozen=True, kw_only=True)
class WorstConfig(BoxConfig):
    """Parameters of `worst-world`."""

    points: Literal["all", "corners"] = "all"
    """corners: only worlds in which every number is at an end."""


class OneWorld(DynamicsAttack[WorldConfig]):
    """Plays in one world that is named: of less than 100 per cent, on the way from the usual one to it."""

    name = "world"
    title = "Another world"
    config_type: ClassVar[type[Any]] = WorldConfig

    @property
    def box(self) -> str:
        """From the usual world to the one that is named."""
        return self.config.at

    def world(self, victim: Target, reach: World, draws: Draws) -> Tensor:
        """The end of the way."""
        signs = np.sign(np.asarray(self.region.point) - [one.usual for one in self.region.parameters])
        return reach.place(torch.as_tensor(signs, device="cpu")).expand(victim.slots, -1)

    @classmethod
    def control_of(cls, parameters: Mapping[str, Any]) -> AttackSpec:
        """Random worlds between the usual one and this one, another in each episode."""
        return AttackSpec("random-world", {"box": parameters["at"], "evaluations": 1})


class WorstWorld(DynamicsAttack[WorstConfig]):
    """Looks for the world of a box in which the victim earns least, on tuning episodes, and plays in that."""

    name = "worst-world"
    title = "The worst world"
    fitted = True
    config_type: ClassVar[type[Any]] = WorstConfig

    def __init__(self, budget: Budget, config: WorstConfig) -> None:
        super().__init__(budget, config)
        self._loaded: Tensor | None = None
        self._begun = self._scattered = 0

    @property
    def box(self) -> str:
        """The worlds that are looked at."""
        return self.config.box

    @classmethod
    def control_of(cls, parameters: Mapping[str, Any]) -> AttackSpec:
        """As many random worlds of the same box."""
        return AttackSpec("random-world", {name: one for name, one in parameters.items() if name != "points"})

    def world(self, victim: Target, reach: World, draws: Draws) -> Tensor:
        """The one that was found; while it is looked for, the one that a slot is to try."""
        found = self.known("world") if self._loaded is None else self._loaded
        return found.cpu().expand(victim.slots, -1)

    def fit(self, tuning: Tuning) -> Fitted:
        """Tries worlds, then chooses among the worst of them by episodes that none of them was found by."""
        reach, config = tuning.reach, self.config
        assert isinstance(reach, World), "declared in `reaches`"
        slots = _AT_ONCE * config.episodes

        def load(rows: FloatArray) -> None:
            self._loaded = reach.place(torch.as_tensor(rows))

        with contextlib.closing(tuning.rehearse(self, slots)) as rehearsal:
            race = Race(rehearsal, slots, load)
            tried: Tried = []
            self._begun = 0
            for more in self._search(race, tuning.draws):
                tried += more
                tuning.say(f"{len(tried)} worlds, {min(tried, key=_earned)[0]:,.0f} in the worst")
            earned, way = self._chosen(race, self._finalists(tried), slots)
        self._loaded = None
        world = reach.place(torch.as_tensor(way[None]))[0]
        facts = {"return": earned, "world": self.region.words(world.tolist()), "corner": bool((abs(way) >= 1).all())}
        return Fitted({"world": world}, facts | {"evaluations": config.evaluations, "steps": race.steps})

    def work(self, length: float) -> Work:
        """All episodes to their end."""
        return Work(steps=length * self.config.evaluations * self.config.episodes)

    @property
    def step_work(self) -> Work:
        """A world asks for nothing."""
        return Work(steps=1)

    def told(self, learned: Fitted) -> str:
        """The world that was found, as `world` takes it, and what the victim earns there."""
        where = "at a corner" if learned.facts["corner"] else "within the box"
        return f'found "{learned.facts["world"]}", {where}: {learned.facts["return"]:,.6g} in tuning episodes'

    def _search(self, race: Race, draws: Draws) -> Iterator[Tried]:
        """Tries corners and random worlds, then generations from the worst of them."""
        config, size, count = self.config, len(self.region.parameters), 0
        everywhere = config.points == "all"
        worst: tuple[float, FloatArray] = (math.inf, np.zeros(size))
        corners = _corners(size, max(1, config.tried // 2 if everywhere else config.tried), draws)
        scattered = 2 * draws.uniform(config.tried // 4, size)[0].double().numpy(force=True) - 1
        begun = np.concatenate([corners, scattered]) if everywhere else corners
        self._scattered = len(begun)
        for first in range(0, len(begun), _AT_ONCE):
            tried = self._run(race, begun[first : first + _AT_ONCE])
            worst, count = min(worst, *tried, key=_earned), count + len(tried)
            yield tried
        search = CMAES(worst[1], _SPREAD, _AT_ONCE)
        while everywhere and count + _AT_ONCE <= config.tried:
            noise = draws.normal(_AT_ONCE // 2, size)[0].double().numpy(force=True)
            candidates = search.ask(noise).clip(-1, 1)
            tried = self._run(race, candidates)
            search.tell(candidates, np.asarray([earned for earned, _ in tried]))
            count += len(tried)
            yield tried

    def _finalists(self, tried: Tried) -> Tried:
        """The worst of those that were scattered and of those that were climbed to, in turns.

        Many that are climbed to are close to each other, and were met by the same luck.
        """
        parts = [sorted(part, key=_earned) for part in (tried[: self._scattered], tried[self._scattered :])]
        turns = itertools.chain.from_iterable(itertools.zip_longest(*parts))
        return [one for one in turns if one is not None][: self.config.finalists]

    def _run(self, race: Race, ways: FloatArray) -> Tried:
        most = max(self.config.finalists, _AT_ONCE // 4)
        first, each = self._begun, self.config.episodes
        self._begun += each
        earned = race.run(ways, range(first, first + each), most)
        return list(zip(earned.tolist(), ways, strict=True))

    def _chosen(self, race: Race, ranked: Tried, slots: int) -> tuple[float, FloatArray]:
        """The worst of a few on episodes that no search has seen."""
        if len(ranked) == 1:
            return ranked[0]
        each = min(_EPISODES, slots)
        found: Tried = []
        for first in range(0, len(ranked), slots // each):
            ways = np.stack([way for _, way in ranked[first : first + slots // each]])
            earned = race.run(ways, range(_UNSEEN, _UNSEEN + each), 1, min(found, key=_earned)[0] if found else np.inf)
            found += zip(earned.tolist(), ways, strict=True)
        return min(found, key=_earned)


class RandomWorld(WorstWorld):
    """Plays in the worst of random worlds of a box; of one, in another random world in each episode."""

    name = "random-world"
    title = "A random world"
    is_control = True
    config_type: ClassVar[type[Any]] = BoxConfig

    def world(self, victim: Target, reach: World, draws: Draws) -> Tensor:
        """The one that was found, or any."""
        if self.config.evaluations == 1:
            return reach.random(reach.usual, draws)
        return super().world(victim, reach, draws)

    def fit(self, tuning: Tuning) -> Fitted:
        """Tries random worlds; of one there is nothing to choose."""
        return Fitted() if self.config.evaluations == 1 else super().fit(tuning)

    def told(self, learned: Fitted) -> str:
        """The same, where something was found."""
        return super().told(learned) if learned.facts else ""

    def _search(self, race: Race, draws: Draws) -> Iterator[Tried]:
        self._scattered = self.config.tried
        ways = 2 * draws.uniform(self.config.tried, len(self.region.parameters))[0].double().numpy(force=True) - 1
        for first in range(0, len(ways), _AT_ONCE):
            yield self._run(race, ways[first : first + _AT_ONCE])


def _earned(tried: tuple[float, FloatArray]) -> float:
    return tried[0]


def _corners(size: int, most: int, draws: Draws) -> FloatArray:
    """All corners of a box, or so many of them that are drawn, shape (corners, size)."""
    if 2**size <= most:
        return np.asarray([*itertools.product((-1.0, 1.0), repeat=size)])
    return np.unique(draws.signs(most, size)[0].double().numpy(force=True), axis=0)
