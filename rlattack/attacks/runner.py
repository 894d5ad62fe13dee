"""An attack at work in a batch of running episodes: who is asked, when it acts, and its random numbers a slot.

An attack is foreign code: it is handed copies alone, and what it gives back is settled around things, in a reach and
for slots that it never held.
"""

import copy
import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import Space
from torch import Tensor

from rlattack.arrays import BoolArray, IntArray, rowwise
from rlattack.attacks.attack import Attack, Setting
from rlattack.attacks.make import check_attack
from rlattack.attacks.oracle import Oracle
from rlattack.attacks.schedule import Every, Schedule
from rlattack.attacks.target import Target
from rlattack.attacks.words import Access
from rlattack.budget import TOLERANCE, Model, Reach
from rlattack.draws import Streams
from rlattack.errors import InvalidInput
from rlattack.policies.policy import Policy, judged


class Runner(ABC):
    """What attacks of every access share at play.

    Attributes:
        access: What it changes.
        attack: The attack.
        reach: What it may change, and how that is measured.
        oracle: Who answers the attack, and counts the questions.
        target: The same as the attack has it.
        note: What the attack says of its parameters where it works.
        slots: Number of episodes at once.
        model: Whether stacked frames are attacked anew each step, or held as they were received.

    Args:
        attack: The attack.
        policy: Who is asked.
        space: One thing that is changed.
        slots: Number of episodes at once.
        schedule: When it acts; every step by default.
        handed: Shape of what the attack is handed, where that is not what the policy sees.

    Raises:
        InvalidInput: The attack or the schedule does not fit the policy.
    """

    access: ClassVar[Access]
    reach: Reach
    model: Model = "stack"

    def __init__(
        self, attack: Attack[Any], policy: Policy, space: Space[Any], slots: int, schedule: Schedule[Any] | None,
        handed: tuple[int, ...] | None = None,
    ) -> None:  # fmt: skip
        self.schedule: Schedule[Any] = schedule or Every()
        setting = dataclasses.replace(Setting.of(policy, space), planned=self.schedule.looks_ahead)
        if handed is not None:
            setting = dataclasses.replace(setting, observation=handed)
        check_attack(attack, setting)
        self.schedule.check(setting)
        if self.schedule.leads and not (attack.is_control or getattr(attack.config, "target", None) == "planned"):
            raise InvalidInput(
                f"attack {attack.name}: the schedule leads the victim along a plan, which this attack does not follow: "
                "expected one with target=planned, as pgd:target=planned"
            )
        self.note = attack.note(setting)
        self.attack, self.slots = attack, slots
        # of the class, and once: what an attack makes of its own later is no declaration
        self._knowledge = type(attack).knows(attack.config)
        self._schedule_knowledge = type(self.schedule).knowledge
        foreign = any(not type(one).__module__.startswith("rlattack.") for one in (attack, self.schedule))
        # a critic's memory costs a step of its own
        asked = judged(policy) if self._knowledge in ("white", "scores") and attack.asks_critic else policy
        self.oracle = Oracle(asked, slots, self._knowledge, foreign=foreign)
        self.target = Target(self.oracle)
        self._draws, self._schedule_draws = Streams(slots), Streams(slots)

    def restart(self, slots: IntArray, seeds: list[np.random.SeedSequence]) -> None:
        """Starts new episodes: clears what is held of them, and gives each slot its random streams."""
        for slot, seed in zip(slots, seeds, strict=True):
            self._draws.restart(int(slot), seed)
            self._schedule_draws.restart(
                int(slot), np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, 0))
            )
        self.oracle.restart(slots)
        if self.reach.remembers:
            self.reach.restart(slots)
            self._handed_reach.restart(slots)
        self.attack.restart(slots)
        self.schedule.restart(slots)

    def _hold(self, reach: Reach) -> None:
        """Holds the attack to a reach, of which it has a copy: whoever has one can make it wider."""
        self.reach = reach
        self._handed_reach: Any = copy.deepcopy(reach)

    @abstractmethod
    def _wanted(self, obs: Tensor, clean: Tensor) -> Tensor:
        """What the attack makes of things; of observations it has `obs`, a copy, which it may write to."""

    def _attacked(self, obs: Tensor, clean: Tensor, active: BoolArray) -> Tensor:
        """Things of one step after the attack, a new tensor, in slots that play and are due; the oracle has begun.

        Args:
            obs: The attack's copy of what is seen.
            clean: What is changed, shape (slots, *thing).
            active: Slots that play.
        """
        now = self._now(obs, active)
        done = self._settled(obs, clean, now) if now.any() else clean.clone()
        if self.reach.remembers:
            self.reach.see(clean, done, active)
            self._handed_reach.see(clean.clone(), done.clone(), active.copy())
        return done

    def _settled(self, obs: Tensor, clean: Tensor, now: BoolArray) -> Tensor:
        settle = self.reach.settle  # before the attack is at work, which may reach for it
        # what is wanted of whole actions are severities, no whole numbers
        wanted = self._wanted(obs, clean).detach().to(clean.device, torch.float32)
        settled = settle(wanted, clean)
        if type(self.attack).replays:  # rounded once more, play would go elsewhere
            same = torch.as_tensor(self.reach.measure(wanted, clean).legal, device=clean.device)
            same &= wanted.isclose(settled, atol=TOLERANCE).flatten(1).all(dim=1)
            settled = torch.where(rowwise(same, clean), wanted, settled)
        return settled if now.all() else torch.where(rowwise(torch.as_tensor(now), clean), settled, clean)

    def _now(self, obs: Tensor, active: BoolArray) -> BoolArray:
        """The slots that are attacked in this step; from then on only questions about these count."""
        self.oracle.count(active, self._schedule_knowledge)
        self._schedule_draws.active = active.copy()
        now: BoolArray = active & self.schedule.now(self.target, obs, self._schedule_draws).numpy(force=True)
        self.oracle.count(now, self._knowledge)
        self.oracle.planned = self.schedule.planned
        self._draws.active = now.copy()
        return now
