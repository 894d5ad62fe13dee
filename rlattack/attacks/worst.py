"""The worst that certificates leave open: greedy in every step, or over all ways that a few steps can go.

Both play actions that no attack on what is seen may be able to bring about (Oikarinen et al. 2021, sec. 5.2): where a
victim stands even this, it stands every attack of that size; where it does not, nothing is said.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from gymnasium import Space
from torch import Tensor

from rlattack.arrays import IntArray
from rlattack.attacks.action import ActionAttack, Certificate, Certify
from rlattack.attacks.attack import AttackSpec
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import Budget, Reach
from rlattack.budget.choice import Choice
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import ILLEGAL, Actions, Categorical
from rlattack.policies.policy import Policy
from rlattack.specs import Range

Bounds = Literal["auto", "ibp", "crown-ibp", "crown"]
"""By which bounds; `auto`: CROWN, but for pictures, where CROWN-IBP takes a fraction of the time."""


@dataclass(frozen=True, kw_only=True)
class WorstConfig:
    """Parameters of `gwc`."""

    method: Bounds = "auto"
    """ibp, crown-ibp or crown; by default crown, of pictures crown-ibp."""


@dataclass(frozen=True, kw_only=True)
class AbsoluteConfig(WorstConfig):
    """Parameters of `awc`."""

    horizon: Annotated[int, Range(least=1, most=1000)] = 10
    """Steps of an episode that are looked at; what comes after them is the victim's own."""
    ways: Annotated[int, Range(least=2, most=1_000_000)] = 5_000
    """At how many ways to go it gives up."""


class GreedyWorst(ActionAttack[WorstConfig]):
    """Does the action that the victim values least, of those that are not certified impossible."""

    name = "gwc"
    title = "The greedy worst case"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    needs: ClassVar[frozenset[type[Actions]]] = frozenset({Categorical})
    config_type: ClassVar[type[Any]] = WorstConfig
    certificate: Certificate

    def reach_of(
        self, policy: Policy, action: Space[Any], budget: Budget, seen: Space[Any] | None, certify: Certify | None
    ) -> Reach:
        """What the victim may do wherever an attack of this size may take what it sees."""
        if seen is None or certify is None:
            raise InvalidInput(f"attack {self.name}: needs to know what is seen: play it by `rlattack.evaluate`")
        deviation = None if policy.normaliser is None else policy.normaliser.unit
        ball = budget.ball(seen, deviation=deviation)
        self.certificate = certify(policy, ball, self.config.method)
        return Choice(ball.radius, action)

    def act(  # type: ignore[override]  # never a ball
        self, victim: Target, obs: Tensor, action: Tensor, reach: Choice, draws: Draws
    ) -> Tensor:
        """The worst action that is possible, with all that are."""
        scores, possible = self._open(victim, obs)
        return _wanted(self._chosen(scores, possible, draws), possible)

    @classmethod
    def control(cls) -> AttackSpec:
        """A random one of the possible actions."""
        return AttackSpec("gwc-noise")

    @classmethod
    def control_of(cls, parameters: Any) -> AttackSpec:
        """The same by the same bounds."""
        return AttackSpec("gwc-noise", {name: value for name, value in parameters.items() if name == "method"})

    def _open(self, victim: Target, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of actions, and which are possible."""
        scores = victim(obs).actions.scores  # type: ignore[attr-defined]  # as declared in `needs`
        return scores, self.certificate.possible(obs) & (scores > ILLEGAL / 2)

    def _chosen(self, scores: Tensor, possible: Tensor, draws: Draws) -> Tensor:
        return scores.masked_fill(~possible, torch.inf).argmin(dim=1)


class RandomOpen(GreedyWorst):
    """Does a random one of the actions that are not certified impossible."""

    name = "gwc-noise"
    title = "A random possible action"
    is_control = True

    def _chosen(self, scores: Tensor, possible: Tensor, draws: Draws) -> Tensor:
        drawn = draws.uniform(scores.shape[1]).to(scores.device)
        return drawn.masked_fill(~possible, -1.0).argmax(dim=1)


class AbsoluteWorst(GreedyWorst):
    """Goes the way, of all that the first steps of an episode can go, that pays least: no attack leaves less there."""

    name = "awc"
    title = "The absolute worst case"
    foresees: ClassVar[bool] = True
    knowledge: ClassVar[Knowledge] = "white"
    config_type: ClassVar[type[Any]] = AbsoluteConfig
    config: AbsoluteConfig

    def __init__(self, budget: Budget, config: AbsoluteConfig) -> None:
        super().__init__(budget, config)
        self._ways: dict[int, IntArray] = {}
        self._steps: dict[int, int] = {}

    def restart(self, slots: IntArray) -> None:
        """Forgets the ways of episodes that ended."""
        for slot in slots.tolist():
            self._ways.pop(slot, None)
            self._steps.pop(slot, None)

    def act(  # type: ignore[override]  # never a ball
        self, victim: Target, obs: Tensor, action: Tensor, reach: Choice, draws: Draws
    ) -> Tensor:
        """The next action of the worst way, found in the first step of an episode."""
        _, possible = self._open(victim, obs)
        wanted = action.clone()
        for slot in victim.active.nonzero()[:, 0].tolist():
            if slot not in self._ways:
                self._ways[slot], self._steps[slot] = self._worst(victim, obs, slot), 0
            way, step = self._ways[slot], self._steps[slot]
            if step < len(way):
                wanted[slot] = int(way[step])
            self._steps[slot] += 1
        return _wanted(wanted, possible)

    def _worst(self, victim: Target, obs: Tensor, slot: int) -> IntArray:
        """The way that pays least."""
        ways, over, seen = np.zeros((1, 0), dtype=np.int64), np.zeros(1, dtype=np.bool_), obs[slot : slot + 1]
        for step in range(1, self.config.horizon + 1):
            possible = self.certificate.possible(seen).numpy(force=True)
            possible[over] = np.arange(possible.shape[1]) == 0  # a way that is over goes on in one way
            parents, actions = possible.nonzero()
            if len(parents) > self.config.ways:
                raise InvalidInput(
                    f"attack awc: more than {self.config.ways:,} ways to go after {step} steps: raise ways=, or choose "
                    f"horizon={step - 1} or a smaller --eps; gwc needs no search"
                )
            ways = np.concatenate([ways[parents], actions[:, None]], axis=1)
            ahead = victim.ahead(np.full(len(ways), slot), ways, step)
            over, seen = ahead.over, ahead.last
        worst: IntArray = ways[int(ahead.returns.argmin())]
        return worst


def _wanted(action: Tensor, possible: Tensor) -> Tensor:
    return torch.cat([action[:, None].float(), possible.float()], dim=1)
