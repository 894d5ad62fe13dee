"""When an attack acts: every step, at random, or when the victim cares most what it does."""

import math
from abc import ABC, abstractmethod
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from rlattack.arrays import IntArray
from rlattack.attacks.target import Knowledge, Target
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import Actions, Categorical, kinds
from rlattack.specs import NoParameters

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
    """

    knowledge: ClassVar[Knowledge] = "none"
    needs: ClassVar[frozenset[type[Actions]]] = frozenset()
    config_type: ClassVar[type[Any]] = NoParameters

    def __init__(self, config: Config | None = None) -> None:
        self.config: Config = self.config_type() if config is None else config

    def check(self, actions: Actions) -> None:
        """Refuses a victim whose actions tell the schedule nothing.

        Raises:
            InvalidInput: Actions of another kind than it needs.
        """
        if self.needs and not isinstance(actions, tuple(self.needs)):
            raise InvalidInput(f"--when: this schedule needs {kinds(self.needs)} actions; use random:share=")

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


class Every(Schedule[NoParameters]):
    """Every step."""

    def now(self, victim: Target, obs: Tensor, draws: Draws) -> Tensor:
        """All slots."""
        return torch.ones(victim.slots, dtype=torch.bool)


@dataclass(frozen=True, kw_only=True)
class Share:
    """How often an attack may act."""

    share: float
    """Part of the steps, above 0 and at most 1."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InvalidInput(f"schedule: share is above 0 and at most 1, got {self.share:g}")


class Limited(Schedule[Share]):
    """Never more than a share of an episode's steps so far, so that what is attacked is no more than was asked for."""

    config_type = Share

    def __init__(self, config: Share | None = None) -> None:
        super().__init__(config)
        self._seen: Counter[int] = Counter()
        self._spent: Counter[int] = Counter()

    @abstractmethod
    def wanted(self, victim: Target, draws: Draws, allowed: Mapping[int, int]) -> Collection[int]:
        """Slots that are to be attacked in this step, as far as they may.

        Args:
            victim: The policy under attack.
            draws: Random numbers, a stream a slot.
            allowed: How many steps of its episode, this one included, may be attacked in each slot that plays.
        """

    def now(self, victim: Target, obs: Tensor, draws: Draws) -> Tensor:
        """Slots that are wanted, while steps are left to spend."""
        playing = victim.active.nonzero()[:, 0].tolist()
        self._seen.update(playing)
        allowed = {slot: math.floor(self.config.share * self._seen[slot]) for slot in playing}
        chosen = [slot for slot in self.wanted(victim, draws, allowed) if self._spent[slot] < allowed[slot]]
        self._spent.update(chosen)
        return torch.isin(torch.arange(victim.slots), torch.as_tensor(chosen, dtype=torch.int64))

    def restart(self, slots: IntArray) -> None:
        """Forgets the steps of the episodes that ended."""
        for slot in map(int, slots):
            self._seen[slot] = self._spent[slot] = 0


class RandomSteps(Limited):
    """Each step with the same probability: what the timing of another schedule is read beside."""

    def wanted(self, victim: Target, draws: Draws, allowed: Mapping[int, int]) -> Collection[int]:
        """Slots whose number falls below the share."""
        tossed = draws.uniform(1)[:, 0] < self.config.share
        return [slot for slot in allowed if tossed[slot]]


class Timed(Limited):
    """The steps in which the victim prefers one action most clearly (strategically timed; Lin et al. 2017, sec. 3.1).

    The paper attacks where the gap between the most and the least likely action is above a threshold. Here the
    threshold is the gap that only `share` of the episode's steps so far exceed.
    """

    knowledge = "scores"
    needs: ClassVar[frozenset[type[Actions]]] = frozenset({Categorical})

    def __init__(self, config: Share | None = None) -> None:
        super().__init__(config)
        self._gaps: dict[int, list[float]] = defaultdict(list)  # in order of size

    def wanted(self, victim: Target, draws: Draws, allowed: Mapping[int, int]) -> Collection[int]:
        """Slots in which the gap is among the largest of the episode."""
        actions = victim.clean_output.actions
        assert isinstance(actions, Categorical), "declared in `needs`"
        likely = actions.probabilities
        gaps = (likely.amax(dim=1) - likely.amin(dim=1)).tolist()
        for slot in allowed:
            insort(self._gaps[slot], gaps[slot])
        return [slot for slot, most in allowed.items() if most and gaps[slot] >= self._gaps[slot][-most]]

    def restart(self, slots: IntArray) -> None:
        """Forgets the gaps of the episodes that ended."""
        super().restart(slots)
        for slot in map(int, slots):
            self._gaps.pop(slot, None)
