"""When an attack acts: every step, by count, at random; what all schedules share."""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from rlattack.arrays import IntArray
from rlattack.attacks.attack import Setting
from rlattack.attacks.target import Knowledge, Target
from rlattack.attacks.tuning import Tuning
from rlattack.attacks.words import Fitted
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import Actions, kinds
from rlattack.registry import Registry
from rlattack.specs import Count, Fraction, NoParameters, make

Config = TypeVar("Config")


class Schedule(ABC, Generic[Config]):
    """Says in each step which slots are attacked; the others see what the game shows.

    Its questions to the policy are counted as the attack's own, and it draws from streams of its own, so that an attack
    and its control act at the same steps of the same play.

    Args:
        config: The schedule's own parameters; its defaults by default.

    Attributes:
        knowledge: What it may ask the policy for.
        needs: Kinds of action distributions that it works on; empty for all.
        config_type: The dataclass of its parameters.
        unlearned: Parameters that what it learns is the same for.
        looks_ahead: Whether it plays forks of the game, and so knows the game and its luck; it plans then.
        leads: Whether it does nothing but plan, so that an attack that does not follow the plan makes nothing of it.
        planned: What the victim is to do in this step, where it plans, shape (slots, *action).
        learned: What it learned on tuning episodes.
    """

    knowledge: ClassVar[Knowledge] = "none"
    needs: ClassVar[frozenset[type[Actions]]] = frozenset()
    config_type: ClassVar[type[Any]] = NoParameters
    unlearned: ClassVar[tuple[str, ...]] = ()
    looks_ahead: ClassVar[bool] = False
    leads: ClassVar[bool] = False
    planned: Tensor | None = None

    def __init__(self, config: Config | None = None) -> None:
        self.config: Config = self.config_type() if config is None else config
        self.learned = Fitted()

    @property
    def name(self) -> str:
        """What messages call it, as on the command line."""
        return type(self).__name__.lower()

    def check(self, setting: Setting) -> None:
        """Refuses a victim who tells the schedule nothing.

        Raises:
            InvalidInput: Actions of another kind than it needs, or a critic that the victim does not have.
        """
        if self.needs and not isinstance(setting.actions, tuple(self.needs)):
            raise InvalidInput(f"--when {self.name}: expected {kinds(self.needs)} actions; use random:share=")

    @property
    def learns(self) -> bool:
        """Whether it learns on tuning episodes before it plays."""
        return False

    def fit(self, tuning: Tuning) -> Fitted:
        """Learns on tuning episodes; most schedules learn nothing."""
        return Fitted()

    @property
    def control(self) -> str | None:
        """The schedule that it is read beside, which acts as often without its wits, as text; None where none does."""
        return None

    @abstractmethod
    def now(self, victim: Target, obs: Tensor, draws: Draws) -> Tensor:
        """Which slots are attacked in this step, bool, shape (slots,).

        Args:
            victim: The policy under attack.
            obs: The observations that an attack would start from, shape (slots, *observation); a copy.
            draws: Random numbers, a stream a slot.
        """

    def restart(self, slots: IntArray) -> None:  # most schedules remember nothing
        """Forgets the episodes that ended in these slots."""


def among(slots: int, chosen: Collection[int]) -> Tensor:
    """Which slots are among those chosen, bool, shape (slots,)."""
    return torch.isin(torch.arange(slots), torch.as_tensor(list(chosen), dtype=torch.int64))


class Every(Schedule[NoParameters]):
    """Every step."""

    def now(self, victim: Target, obs: Tensor, draws: Draws) -> Tensor:
        """All slots."""
        return torch.ones(victim.slots, dtype=torch.bool)


@dataclass(frozen=True, kw_only=True)
class Share:
    """How often an attack may act."""

    share: Fraction
    """Part of the steps."""


class Limited(Schedule[Config]):
    """Never more than a share of an episode's steps so far, so that what is attacked is no more than was asked for."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self._seen: Counter[int] = Counter()
        self._spent: Counter[int] = Counter()

    @property
    @abstractmethod
    def share(self) -> float:
        """That part."""

    @abstractmethod
    def wanted(self, victim: Target, obs: Tensor, draws: Draws, allowed: Mapping[int, int]) -> Collection[int]:
        """Slots that are to be attacked in this step, as far as they may.

        Args:
            victim: The policy under attack.
            obs: What the attack would start from, shape (slots, *observation).
            draws: Random numbers, a stream a slot.
            allowed: How many steps of its episode, this one included, may be attacked in each slot that plays.
        """

    def now(self, victim: Target, obs: Tensor, draws: Draws) -> Tensor:
        """Slots that are wanted, while steps are left to spend."""
        playing = victim.active.nonzero()[:, 0].tolist()
        self._seen.update(playing)
        allowed = {slot: math.floor(self.share * self._seen[slot]) for slot in playing}
        chosen = [slot for slot in self.wanted(victim, obs, draws, allowed) if self._spent[slot] < allowed[slot]]
        self._spent.update(chosen)
        return among(victim.slots, chosen)

    def restart(self, slots: IntArray) -> None:
        """Forgets the steps of the episodes that ended."""
        for slot in map(int, slots):
            self._seen[slot] = self._spent[slot] = 0


class RandomSteps(Limited[Share]):
    """Each step with the same probability: what the timing of another schedule is read beside."""

    config_type = Share

    @property
    def share(self) -> float:
        """How often it acts."""
        return self.config.share

    def wanted(self, victim: Target, obs: Tensor, draws: Draws, allowed: Mapping[int, int]) -> Collection[int]:
        """Slots whose number falls below the share."""
        tossed = draws.uniform(1)[:, 0] < self.config.share
        return [slot for slot in allowed if tossed[slot]]


@dataclass(frozen=True, kw_only=True)
class PeriodConfig:
    """Parameters of `period`."""

    n: Count
    """Steps from one that is attacked to the next."""


@dataclass(frozen=True, kw_only=True)
class FirstConfig:
    """Parameters of `first`."""

    steps: Count
    """How many."""


class _Counted(Schedule[Config]):
    """By the number of the step in its episode alone."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self._seen: Counter[int] = Counter()

    @abstractmethod
    def takes(self, step: int) -> bool:
        """Whether step 0, 1, ... of an episode is attacked."""

    def now(self, victim: Target, obs: Tensor, draws: Draws) -> Tensor:
        """Slots whose turn it is."""
        playing = victim.active.nonzero()[:, 0].tolist()
        chosen = [slot for slot in playing if self.takes(self._seen[slot])]
        self._seen.update(playing)
        return among(victim.slots, chosen)

    def restart(self, slots: IntArray) -> None:
        """Forgets the steps of the episodes that ended."""
        for slot in map(int, slots):
            self._seen[slot] = 0


class Period(_Counted[PeriodConfig]):
    """Every nth step, the first one included (Kos and Song 2017, sec. 4)."""

    config_type = PeriodConfig

    def takes(self, step: int) -> bool:
        """Whether it is a multiple of n."""
        return step % self.config.n == 0


class First(_Counted[FirstConfig]):
    """The first steps of an episode."""

    config_type = FirstConfig

    def takes(self, step: int) -> bool:
        """Whether it is one of them."""
        return step < self.config.steps


SCHEDULES: Registry[type[Schedule[Any]]] = Registry(
    "schedule",
    {
        "every": "rlattack.attacks.schedule:Every",
        "random": "rlattack.attacks.schedule:RandomSteps",
        "period": "rlattack.attacks.schedule:Period",
        "first": "rlattack.attacks.schedule:First",
        "timed": "rlattack.attacks.scored:Timed",
        "importance": "rlattack.attacks.scored:Importance",
        "value": "rlattack.attacks.scored:Value",
        "entropy": "rlattack.attacks.scored:Entropy",
        "critical": "rlattack.attacks.planned:Critical",
        "enchanting": "rlattack.attacks.planned:Enchanting",
    },
    "rlattack.schedules",
)


def make_schedule(text: str) -> Schedule[Any]:
    """Makes the schedule that `NAME` or `NAME:key=value,...` names.

    Raises:
        UnknownName: No such schedule or parameter.
        InvalidInput: A value of the wrong type or range.
    """
    schedule: Schedule[Any] = make("schedule", SCHEDULES, text)
    return schedule
