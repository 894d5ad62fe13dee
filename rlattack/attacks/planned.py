"""Attacks in steps that a look ahead in the game itself names, towards actions that it plans."""

import itertools
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeVar

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from rlattack.arrays import Array, FloatArray, IntArray
from rlattack.attacks.attack import Setting
from rlattack.attacks.lookahead import Ahead
from rlattack.attacks.schedule import Schedule, among
from rlattack.attacks.target import Target
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.specs import Count, Fraction, NotNegative, Range

_SEEDS = 2**31


@dataclass(frozen=True, kw_only=True)
class PlanConfig:
    """Parameters of all schedules that plan."""

    n: Count
    """Actions of a plan."""
    horizon: int
    """Steps that are looked ahead, the plan and the victim's own play after it; at least n."""
    plans: Annotated[int, Range(least=2)]
    """The most plans that are tried at once."""

    def __post_init__(self) -> None:
        if self.horizon < self.n:
            raise InvalidInput(f"horizon: expected at least n, {self.n}, got {self.horizon}")


@dataclass(frozen=True, kw_only=True)
class CriticalConfig(PlanConfig):
    """Parameters of `critical`."""

    n: int = 2
    """Actions of a plan."""
    horizon: int = 20
    """Steps that are looked ahead, the plan and the victim's own play after it; at least n."""
    plans: int = 64
    """The most plans that are tried: all where there are no more, else so many that are drawn."""
    delta: NotNegative = 0.5
    """What a plan must take from the return over the horizon, in the game's own reward."""
    every: Count = 1
    """Steps from one look ahead to the next."""


@dataclass(frozen=True, kw_only=True)
class EnchantingConfig(PlanConfig):
    """Parameters of `enchanting`."""

    n: int = 10
    """Actions of a plan, all of which are played before the next one is made."""
    horizon: int = 20
    """Steps that are looked ahead, the plan and the victim's own play after it; at least n."""
    plans: int = 32
    """Plans that are drawn a round."""
    rounds: Count = 4
    """Rounds of drawing plans like the best ones."""
    best: Fraction = 0.25
    """Part of the plans that the next round is like."""
    entry: int | None = None
    """Entry of an observation that is to come close to `value` at the horizon; the return is to be low by default."""
    value: float = 0.0
    """What that entry is to be."""


Config = TypeVar("Config", bound=PlanConfig)


class Planned(Schedule[Config]):
    """Looks ahead where it has no plan, and attacks as long as it has one; it knows the game and its luck."""

    knowledge = "decision"
    looks_ahead: ClassVar[bool] = True

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self._left: dict[int, Array] = {}
        self._seen: Counter[int] = Counter()
        self._action: Discrete | Box = Discrete(1)

    def check(self, setting: Setting) -> None:
        """Refuses actions that cannot be planned."""
        action = setting.action
        if not isinstance(action, Discrete | Box) or (not isinstance(action, Discrete) and not action.is_bounded()):
            raise InvalidInput(
                f"--when {self.name}: plans are made of Discrete actions or of a Box with bounds, got {action}"
            )
        self._action = action

    @abstractmethod
    def plan(self, victim: Target, slots: IntArray, chance: Sequence[np.random.Generator]) -> Sequence[Array | None]:
        """Plans for slots, each (n, *action); None where there is none worth it.

        Args:
            victim: Who is to follow.
            slots: That have no plan.
            chance: Random numbers of each.
        """

    def due(self, step: int) -> bool:
        """Whether to look ahead in step 0, 1, ... of an episode, where there is no plan."""
        return True

    def now(self, victim: Target, obs: Tensor, draws: Draws) -> Tensor:
        """Slots that have a plan."""
        playing = victim.active.nonzero()[:, 0].tolist()
        seeds = draws.integers(_SEEDS).tolist()  # in each step, whoever plans: slots do not mix
        free = [slot for slot in playing if not len(self._left.get(slot, ())) and self.due(self._seen[slot])]
        self._seen.update(playing)
        if free:
            found = self.plan(victim, np.asarray(free), [np.random.default_rng(seeds[slot]) for slot in free])
            self._left |= {slot: one for slot, one in zip(free, found, strict=True) if one is not None}
        chosen = [slot for slot in playing if len(self._left.get(slot, ()))]
        kind = np.int64 if isinstance(self._action, Discrete) else np.float32
        planned = np.zeros((victim.slots, *(self._action.shape or ())), dtype=kind)
        for slot in chosen:
            planned[slot], self._left[slot] = self._left[slot][0], self._left[slot][1:]
        self.planned = torch.as_tensor(planned)
        return among(victim.slots, chosen)

    def restart(self, slots: IntArray) -> None:
        """Forgets the plans of the episodes that ended."""
        for slot in map(int, slots):
            self._left.pop(slot, None)
            self._seen[slot] = 0

    def _tried(self, victim: Target, slots: IntArray, plans: Sequence[Array]) -> Iterator[tuple[Array, Ahead]]:
        """What would come of the plans of each slot."""
        counts = [len(own) for own in plans]
        found = victim.ahead(np.repeat(slots, counts), np.concatenate(plans), self.config.horizon)
        ends = np.cumsum(counts)
        for own, end in zip(plans, ends, strict=True):
            yield own, found.of(slice(end - len(own), end))


class Critical(Planned[CriticalConfig]):
    """Steps at which the worst few actions cost the most (critical points; Sun et al. 2020, sec. 3.1).

    The game takes the place of their model of it, the return over the horizon that of their measure of danger.
    """

    config_type = CriticalConfig

    def due(self, step: int) -> bool:
        """Every so many steps."""
        return step % self.config.every == 0

    def plan(self, victim: Target, slots: IntArray, chance: Sequence[np.random.Generator]) -> Sequence[Array | None]:
        """The plan of lowest return, where that is low enough beside the victim's own play."""
        own = victim.ahead(slots, np.zeros((len(slots), 0, *(self._action.shape or ()))), self.config.horizon).returns
        found: list[Array | None] = []
        tried = self._tried(victim, slots, [self._plans(rng) for rng in chance])
        for (plans, ahead), clean in zip(tried, own, strict=True):
            worst = ahead.returns.argmin()
            found.append(plans[worst] if clean - ahead.returns[worst] > self.config.delta else None)
        return found

    def _plans(self, rng: np.random.Generator) -> Array:
        """All plans, in order, or some that are drawn, shape (plans, n, *action)."""
        n, most, action = self.config.n, self.config.plans, self._action
        if isinstance(action, Box):
            drawn: Array = rng.uniform(action.low, action.high, (most, n, *action.shape))
            return drawn
        if action.n**n <= most:
            return np.asarray([*itertools.product(range(int(action.n)), repeat=n)])
        return rng.integers(action.n, size=(most, n))


class Enchanting(Planned[EnchantingConfig]):
    """Every step, towards plans that lead where little is earned, or to a state (Lin et al. 2017, sec. 3.2).

    Plans are found by the cross-entropy method (Rubinstein and Kroese 2004, alg. 2.2) in the game itself, in place of
    their model of what is seen next.
    """

    config_type = EnchantingConfig
    leads = True

    def check(self, setting: Setting) -> None:
        """Refuses an entry that no observation has."""
        super().check(setting)
        entries = int(np.prod(setting.observation))
        if self.config.entry is not None and not 0 <= self.config.entry < entries:
            raise InvalidInput(f"schedule enchanting: entry: expected 0 to {entries - 1}, got {self.config.entry}")

    def plan(self, victim: Target, slots: IntArray, chance: Sequence[np.random.Generator]) -> Sequence[Array | None]:
        """The best plan of all rounds."""
        pools: list[_Choices | _Numbers] = [self._pool(rng) for rng in chance]
        best: list[tuple[float, Array | None]] = [(np.inf, None)] * len(slots)
        for _ in range(self.config.rounds):
            tried = self._tried(victim, slots, [pool.draw(self.config.plans) for pool in pools])
            for number, (plans, ahead) in enumerate(tried):
                costs = self._costs(ahead)
                order = costs.argsort(kind="stable")
                best[number] = min(best[number], (float(costs[order[0]]), plans[order[0]]), key=lambda one: one[0])
                pools[number].learn(plans[order[: max(1, round(self.config.best * len(plans)))]])
        return [plan for _, plan in best]

    def _pool(self, rng: np.random.Generator) -> "_Choices | _Numbers":
        action = self._action
        return _Choices(rng, self.config.n, action) if isinstance(action, Discrete) else _Numbers(
            rng, self.config.n, action
        )  # fmt: skip

    def _costs(self, ahead: Ahead) -> FloatArray:
        if self.config.entry is None:
            return ahead.returns
        found: FloatArray = ahead.last.flatten(1)[:, self.config.entry].double().numpy(force=True)
        return np.abs(found - self.config.value)


class _Choices:
    """Plans of actions to choose from, each step by itself."""

    def __init__(self, rng: np.random.Generator, n: int, action: Discrete) -> None:
        self._rng, self._likely = rng, np.full((n, int(action.n)), 1 / int(action.n))

    def draw(self, count: int) -> Array:
        """Plans, shape (count, n)."""
        edges = self._likely.cumsum(axis=1)
        edges[:, -1] = np.inf  # sums of floats may end below 1
        drawn: Array = (self._rng.random((count, len(edges), 1)) >= edges).sum(axis=2)
        return drawn

    def learn(self, plans: Array) -> None:
        """Moves halfway to how often each action is among the best."""
        often = (plans[..., None] == np.arange(self._likely.shape[1])).mean(axis=0)
        self._likely = (self._likely + often) / 2


class _Numbers:
    """Plans of continuous actions, normal ones within their bounds."""

    def __init__(self, rng: np.random.Generator, n: int, action: Box) -> None:
        self._rng, self._low, self._high = rng, action.low, action.high
        self._mean = np.stack([(action.low + action.high) / 2] * n)
        self._deviation = np.stack([(action.high - action.low) / 2] * n)

    def draw(self, count: int) -> Array:
        """Plans, shape (count, n, entries)."""
        drawn: Array = self._rng.normal(self._mean, self._deviation, (count, *self._mean.shape))
        return drawn.clip(self._low, self._high)

    def learn(self, plans: Array) -> None:
        """Takes the mean and the deviation of the best."""
        self._mean, self._deviation = plans.mean(axis=0), plans.std(axis=0)
