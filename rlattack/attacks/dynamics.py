"""Attacks on how a victim's world behaves: the base of each, and the runner that holds it to its reach."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Generic

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.arrays import IntArray
from rlattack.attacks.attack import Attack, AttackSpec, Config
from rlattack.attacks.runner import Runner
from rlattack.attacks.schedule import Every, Schedule
from rlattack.attacks.target import Target
from rlattack.attacks.words import Access, Knowledge
from rlattack.budget import Budget, World
from rlattack.draws import Draws
from rlattack.errors import InvalidInput, UnknownName
from rlattack.games.dynamics import Bendable, Region, parse_region
from rlattack.policies.policy import Policy


class DynamicsAttack(Attack[Config], Generic[Config]):
    """A rule that says how the world of an episode behaves: masses, friction, gravity, wind, forces on bodies."""

    access: ClassVar[Access] = "dynamics"
    knowledge: ClassVar[Knowledge] = "none"
    reaches: ClassVar[tuple[str, ...]] = ("world",)
    standard: ClassVar[tuple[float, ...]] = (100.0,)

    @property
    @abstractmethod
    def box(self) -> str:
        """The worlds that it may make, as `mass=0.5..2,force-x@torso=-5..5`."""

    @cached_property
    def region(self) -> Region:
        """The same, read."""
        return parse_region(self.box)

    @abstractmethod
    def world(self, victim: Target, reach: World, draws: Draws) -> Tensor:
        """Returns worlds, shape (slots, parameters), as episodes begin; the caller settles them in the reach.

        Args:
            victim: Who is to fail there.
            reach: What worlds may be.
            draws: Random numbers, a stream a slot.
        """

    @classmethod
    def control(cls) -> AttackSpec:
        """The worst of as many random worlds of the box."""
        return AttackSpec("random-world")


class DynamicsAttacker(Runner):
    """Makes the worlds of `slots` running episodes, each as its episode begins.

    Args:
        attack: The attack with its budget.
        policy: Who is to fail there.
        bodies: Names of those that the game's engine moves.
        slots: Number of episodes at once.
        schedule: When it acts; every step alone.
        budget: What it is held to; the attack's own by default, which an attack that is not trusted may have changed.

    Attributes:
        game: Whose worlds they are; whoever plays puts it here.

    Raises:
        BudgetError: More than the whole box.
        InvalidInput: A game without a physics engine, a body that is none, or another schedule.
    """

    access = "dynamics"
    game: Bendable | None = None
    reach: World

    def __init__(
        self, attack: DynamicsAttack[object], policy: Policy, bodies: Sequence[str], slots: int,
        schedule: Schedule[object] | None = None, budget: Budget | None = None,
    ) -> None:  # fmt: skip
        try:
            attack.region.check_bodies(bodies)
        except (InvalidInput, UnknownName) as error:
            raise type(error)(f"attack {attack.name}: {error}") from error
        if schedule is not None and not isinstance(schedule, Every):
            raise InvalidInput(
                f"--when: attack {attack.name} makes a world from the start of an episode to its end, so "
                "it acts in every step: leave --when out"
            )
        self._region = region = attack.region
        usual = [one.usual for one in region.parameters]
        ends = np.asarray([region.low, region.high], dtype=np.float32)
        super().__init__(attack, policy, Box(*ends, dtype=np.float32), slots, schedule)
        self._hold(World((budget or attack.budget).size, region.low, region.high, usual))
        self._world = attack.world

    def restart(self, slots: IntArray, seeds: list[np.random.SeedSequence]) -> None:
        """Starts new episodes: gives each slot its random streams and its world, which the next reset begins in."""
        super().restart(slots, seeds)
        assert self.game is not None, "whoever plays puts it there"
        self._draws.active = np.isin(np.arange(self.slots), slots)
        clean = self.reach.usual.expand(self.slots, -1)
        worlds = self.reach.settle(self._wanted(clean.clone(), clean), clean)
        self.game.bend(slots, self._region.parameters, worlds.numpy(force=True)[slots])

    def bent(self) -> Tensor:
        """How worlds behave now, by the engine's own numbers, float64, shape (slots, parameters)."""
        assert self.game is not None, "whoever plays puts it there"
        return torch.as_tensor(self.game.bent(self._region.parameters), device="cpu")

    def _wanted(self, obs: Tensor, clean: Tensor) -> Tensor:
        return self._world(self.target, self._handed_reach, self._draws).detach()
