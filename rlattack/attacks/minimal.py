"""The smallest change of what a victim sees that changes what it does: what attacks that look for it share.

They have no size to keep: how large their perturbations are is the result. A size given for other attacks is ignored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.aim import Aim, Aimed, margin, scores_of
from rlattack.attacks.attack import AttackSpec, ObservationAttack, Setting
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import Ball
from rlattack.policies.distributions import Actions, Categorical
from rlattack.policies.policy import Output

Rows = Callable[[Output], Tensor]
"""A number, or a yes or no, of each row of an output, shape (slots,)."""


@dataclass(frozen=True)
class Turn:
    """What is to become of a victim's choice in one step.

    Attributes:
        victim: Whose choice it is.
        goal: The action that it is led to or away from, shape (slots,), int64.
        targeted: Whether it is led to it.
    """

    victim: Target
    goal: Tensor
    targeted: bool

    def done(self, out: Output) -> Tensor:
        """Where it is so, bool, shape (slots,)."""
        return (out.actions.greedy == self.goal) == self.targeted

    def gap(self, out: Output) -> Tensor:
        """By how much scores are short of it, shape (slots,); below 0 where it is so."""
        beyond = margin(scores_of(out), self.goal)
        return beyond if self.targeted else -beyond

    def leaves(self, out: Output) -> Tensor:
        """The action that it has to leave, shape (slots,): the clean choice or, for a target, the best other."""
        if not self.targeted:
            return self.goal
        return scores_of(out).scatter(1, self.goal[:, None], -torch.inf).argmax(dim=1)

    def slope(self, point: Tensor, rows: Rows, only: Tensor) -> tuple[Tensor, Tensor, Output]:
        """The gradient of a number of each row at a point, the numbers, and the output that they are of."""
        seen: list[tuple[Tensor, Output]] = []

        def loss(out: Output) -> Tensor:
            found = rows(out)
            seen.append((found.detach(), out.detach()))
            return found.sum()

        return self.victim.gradient(point, loss, only=only), *seen[-1]


class Smallest:
    """The smallest perturbations of a step that were found so far, a slot each.

    Args:
        obs: The observations that are perturbed, shape (slots, *observation).
        reach: In which perturbations are measured.

    Attributes:
        point: Perturbed observations; those that came where nothing was found.
        size: As `eps` is, shape (slots,); infinite where nothing was found.
    """

    def __init__(self, obs: Tensor, reach: Ball) -> None:
        self._obs, self._reach = obs, reach
        self.point, self.size = obs, torch.full((len(obs),), torch.inf)

    @property
    def found(self) -> Tensor:
        """Where one was found, bool, shape (slots,)."""
        return self.size < torch.inf

    def offer(self, shown: Tensor, turned: Tensor) -> None:
        """Takes settled points, where they turn the choice and are nearer than those so far."""
        size = self._reach.size(shown - self._obs)
        nearer = turned & (size < self.size)
        self.point = torch.where(rowwise(nearer, shown), shown, self.point)
        self.size = torch.where(nearer, size, self.size)

    def shortened(self, victim: Target, enough: Rows, among: Tensor, halvings: int) -> Tensor:
        """The points, or ones nearer to the clean observations on the straight way there that are enough too.

        Args:
            victim: Who is asked.
            enough: Whether an output is.
            among: The slots that are asked about, bool, shape (slots,).
            halvings: How often the way is halved: a query each.
        """

        def at(share: Tensor) -> Tensor:
            return self._reach.settle(self._obs + rowwise(share, self._obs) * (self.point - self._obs), self._obs)

        found, whole = self.found & among, torch.ones(len(self._obs))
        _, share = halved(
            torch.zeros_like(whole), whole, lambda share, only: enough(victim(at(share), only=only)), found, halvings
        )
        return torch.where(rowwise(found & (share < 1), self._obs), at(share), self.point)


Config = TypeVar("Config", bound=Aim)
Own = TypeVar("Own")


class Turning(ObservationAttack[Own, Ball]):
    """Looks for a small perturbation that changes the victim's choice, whichever way, by what it chooses alone."""

    knowledge: ClassVar[Knowledge] = "decision"
    needs: ClassVar[frozenset[type[Actions]]] = frozenset({Categorical})
    sized = False

    @classmethod
    def control(cls) -> AttackSpec:
        """A random direction, as far as it takes."""
        return AttackSpec("direction")

    def check(self, setting: Setting) -> None:
        """Refuses a game in which nothing else can be done.

        Raises:
            InvalidInput: It has one action.
        """
        Aim().check(setting)


class Minimal(Aimed[Config, Ball]):
    """Looks for the smallest perturbation that changes the victim's choice, in place of keeping a size."""

    needs: ClassVar[frozenset[type[Actions]]] = frozenset({Categorical})
    sized = False

    @classmethod
    def control(cls) -> AttackSpec:
        """A random direction, as far as it takes."""
        return AttackSpec("direction")

    def turn(self, victim: Target, obs: Tensor) -> Turn:
        """What the parameters ask for in a step at which the victim would see `obs`."""
        aim = self.config
        return Turn(victim, aim.goal(victim, obs, self._leader), aim.target is not None)


def halved(
    low: Tensor, high: Tensor, beyond: Callable[[Tensor, Tensor], Tensor], among: Tensor, times: int
) -> tuple[Tensor, Tensor]:
    """Halves intervals at whose upper ends, and not at whose lower ones, something is so.

    Args:
        low: Shape (slots,).
        high: Shape (slots,).
        beyond: Whether it is so at numbers, shape (slots,), of the slots that the second tensor names.
        among: The slots that are asked about, bool, shape (slots,).
        times: How often.
    """
    for _ in range(times if among.any() else 0):
        middle = (low + high) / 2
        there = beyond(middle, among)
        low, high = torch.where(there, low, middle), torch.where(there, middle, high)
    return low, high
