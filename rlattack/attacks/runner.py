"""An attack at work in a batch of running episodes: who is asked, when it acts, and its random numbers a slot."""

from typing import Any

import numpy as np
from gymnasium import Space
from torch import Tensor

from rlattack.arrays import BoolArray, IntArray
from rlattack.attacks.attack import Attack, Setting
from rlattack.attacks.make import check_attack
from rlattack.attacks.schedule import Every, Schedule
from rlattack.attacks.target import Target
from rlattack.budget import Model, Reach
from rlattack.draws import Streams
from rlattack.policies.policy import Policy


class Runner:
    """What attacks of every access share at play.

    Args:
        attack: The attack with its budget.
        policy: The victim, or a surrogate to craft on.
        space: What is changed: one observation, or one action.
        slots: Number of episodes at once.
        schedule: When it acts; every step by default.

    Attributes:
        attack: The attack.
        reach: What it may change, and how that is measured.
        target: Whom it asks; counts the questions.
        slots: Number of episodes at once.
        model: Whether stacked frames are attacked anew each step, or held as they were received.

    Raises:
        InvalidInput: The attack or the schedule does not fit the policy.
    """

    reach: Reach
    model: Model = "stack"

    def __init__(
        self, attack: Attack[Any], policy: Policy, space: Space[Any], slots: int, schedule: Schedule[Any] | None
    ) -> None:
        self.schedule = schedule or Every()
        setting = Setting(policy, space)
        check_attack(attack, setting)
        self.schedule.check(setting.actions)
        self.attack, self.slots = attack, slots
        self.target = Target(policy, slots, attack.knowledge)
        self._draws, self._schedule_draws = Streams(slots), Streams(slots)

    def restart(self, slots: IntArray, seeds: list[np.random.SeedSequence]) -> None:
        """Starts new episodes: clears what is held of them, and gives each slot its random streams."""
        for slot, seed in zip(slots, seeds, strict=True):
            self._draws.restart(int(slot), seed)
            self._schedule_draws.restart(
                int(slot), np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, 0))
            )
        self.target.restart(slots)
        self.schedule.restart(slots)

    def _now(self, handed: Tensor, active: BoolArray) -> BoolArray:
        """The slots that are attacked in this step; from then on only questions about these count."""
        self.target.count(active, self.schedule.knowledge)
        self._schedule_draws.active = active.copy()
        now: BoolArray = active & self.schedule.now(self.target, handed, self._schedule_draws).numpy()
        self.target.count(now, self.attack.knowledge)
        self._draws.active = now.copy()
        return now
