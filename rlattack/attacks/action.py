"""Attacks on what a victim does: the base of each, and the runner that holds it to its reach."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Protocol

import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from torch import Tensor

from rlattack.arrays import BoolArray, rowwise
from rlattack.attacks.attack import Attack, AttackSpec, Config
from rlattack.attacks.runner import Runner
from rlattack.attacks.schedule import Schedule
from rlattack.attacks.target import Target
from rlattack.attacks.words import Access
from rlattack.budget import NORMS, Ball, Budget, Reach
from rlattack.budget.change import ends
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import Actions, Normal, Point, SquashedNormal
from rlattack.policies.policy import Policy


class Certificate(Protocol):
    """What is certain of a policy wherever an attack may take what it sees."""

    def possible(self, obs: Tensor, legal: Tensor | None = None) -> Tensor:
        """Which of the legal actions may become the greedy one, bool, shape (n, actions) both."""


Certify = Callable[[Policy, Ball, Any], Certificate]
"""Gives the certificate of a policy in a ball, by some bounds."""


class ActionAttack(Attack[Config], Generic[Config]):
    """A rule that turns actions into others: most turn continuous ones, within a ball around them."""

    access: ClassVar[Access] = "action"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    needs: ClassVar[frozenset[type[Actions]]] = frozenset({Normal, SquashedNormal, Point})

    def reach_of(
        self, policy: Policy, action: Space[Any], budget: Budget, seen: Space[Any] | None, certify: Certify | None
    ) -> Reach:
        """What it may do, by the budget that it is held to: most may change actions by so much.

        Args:
            policy: The victim, or a surrogate to craft on.
            action: One action of the game.
            budget: Norm, size and space.
            seen: One of the seat's observations, where play tells.
            certify: Gives certificates of a policy, where play has them.

        Raises:
            InvalidInput: Actions that have no such size.
        """
        if not isinstance(action, Box) and budget.norm in NORMS:
            raise InvalidInput(f"attack {self.name}: expected actions in a Box, the game takes {action}")
        return budget.reach(action)

    @abstractmethod
    def act(self, victim: Target, obs: Tensor, action: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Returns other actions, which the caller settles in the reach.

        Args:
            victim: Outputs and gradients of the policy under attack.
            obs: What the victim received, float32, shape (slots, *observation); a copy.
            action: What it chose, within the range of its actions, float32, shape (slots, entries); a copy.
            reach: What they may become.
            draws: Random numbers, a stream a slot.
        """

    @classmethod
    def control(cls) -> AttackSpec:
        """Another action of the same size, at random."""
        return AttackSpec("action-noise")


class ActionAttacker(Runner):
    """Changes what `slots` running victims do, after they chose and before the game hears of it.

    Args:
        attack: The attack with its budget.
        policy: The victim, or a surrogate to craft on.
        space: One action of the game.
        slots: Number of episodes at once.
        schedule: When it acts; every step by default.
        budget: What it is held to; the attack's own by default, which an attack that is not trusted may have changed.
        seen: One of the seat's observations, for an attack whose reach depends on what is seen.
        certify: Gives certificates, for an attack that plays what they leave open.

    Raises:
        BudgetError: The budget does not fit the actions.
        InvalidInput: The attack does not fit the policy, or actions are no numbers within a range.
    """

    access = "action"

    def __init__(
        self, attack: ActionAttack[Any], policy: Policy, space: Space[Any], slots: int,
        schedule: Schedule[Any] | None = None, budget: Budget | None = None, seen: Space[Any] | None = None,
        certify: Certify | None = None,
    ) -> None:  # fmt: skip
        super().__init__(attack, policy, space, slots, schedule)
        self._hold(attack.reach_of(policy, space, budget or attack.budget, seen, certify))
        self._act = attack.act
        assert isinstance(space, Box | Discrete | MultiDiscrete), "there are no other actions"
        self._low, self._high = (end[0] for end in ends(space))

    def __call__(self, obs: Tensor, action: Tensor, active: BoolArray, legal: Tensor | None = None) -> Tensor:
        """Changes the actions of one step of the batch.

        Args:
            obs: What the victim received, shape (slots, *observation).
            action: What it chose, shape (slots, entries), or (slots,) where it chooses from a number.
            active: Slots in which it is to act; the others stay as they are.
            legal: Legal actions, where the game tells: an illegal one is not done, but the chosen one.

        Returns:
            What the game is given, a new tensor of the shape of `action`: inside the budget and the range.
        """
        clean = action.clamp(self._low, self._high)  # as the game would
        if not active.any():
            return clean
        handed = obs.clone()
        self.oracle.begin(obs, active, legal, handed)
        done = self._attacked(handed, clean, active)
        self.oracle.advance(obs, active)
        return done if legal is None else torch.where(rowwise(self._may(done, legal), done), done, clean)

    def _may(self, done: Tensor, legal: Tensor) -> Tensor:
        """Whether actions to choose from are legal, bool, shape (slots,); of several at once, all of them."""
        counts = self._high.reshape(-1) + 1
        return legal.gather(1, done.view(len(done), -1) + counts.cumsum(0) - counts).all(dim=1)

    def _wanted(self, obs: Tensor, clean: Tensor) -> Tensor:
        return self._act(self.target, obs, clean.clone(), self._handed_reach, self._draws)
