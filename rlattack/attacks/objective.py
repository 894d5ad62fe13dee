"""What a gradient attack climbs: the victim's loss at its own clean choice, or at a target action."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, Literal, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from rlattack.attacks.aim import Aim, Aimed, margin
from rlattack.attacks.attack import Setting, Unfit
from rlattack.attacks.target import Estimate, Target
from rlattack.budget import Ball, Reach
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import ILLEGAL, Actions, Categorical
from rlattack.policies.policy import Output, Policy
from rlattack.specs import Count, Positive

Loss = Literal["ce", "margin", "dlr", "mad", "value", "q"]
_EOT = 8
"""Draws of a victim that is random in itself."""
_CHOICE: tuple[Loss, ...] = ("ce", "margin", "dlr")
"""Losses of actions to choose from, which have targets."""


@dataclass(frozen=True, kw_only=True)
class Objective(Aim):
    """A loss to ascend, summed over the batch; the parameters that every gradient attack has.

    Untargeted: away from the victim's greedy action on the clean observation (Huang et al. 2017, sec. 3), or from its
    whole distribution there (Zhang et al. 2020, sec. 3.3), or down its own critic.
    """

    loss: Loss | None = None
    """`ce`, the default: cross-entropy of the action distribution. `margin`: the best other score minus the label's
    (Carlini and Wagner 2017, f6), whose gradient does not vanish when the victim is certain. `dlr`: that over the
    difference of the best and the third score, whatever their scale (Croce and Hein 2020, eq. 6 and 7); the margin
    itself where there are too few actions for that. `mad`, the
    default for continuous actions: divergence KL(clean || perturbed) of the distributions, the squared way of actions
    that are certain (Zhang et al. 2020, sec. 3.3); it is flat at the clean observation. `value`: minus the victim's own
    value of what it sees (the critic attack of Zhang et al. 2020's code). `q`, for continuous actions: minus its own
    critic's value, at the clean observation, of the action that it would take (Pattanaik et al. 2018, sec. 3)."""
    eot: Count | None = None
    """Gradients a step that are averaged, each with draws of its own, of a victim that is random in itself (expectation
    over transformations, Athalye et al. 2018, sec. 4.2); 1 asks without draws. By default 8 of such a victim."""

    evade: str | None = None
    """A detector that is to see nothing, as mahalanobis or squeeze:bits=5: how far its score is above what is usual in
    clean play, in standard deviations, is taken from the loss. It is fitted as --detect fits it."""
    caution: Positive = 1.0
    """How much that counts."""

    by_default: ClassVar[Loss] = "ce"
    """The loss of actions to choose from, where none is given."""

    @property
    def judged_by(self) -> Estimate | None:
        """What the victim's own critic is asked for; None where it is not asked."""
        return self.loss if self.loss == "value" or self.loss == "q" else None

    def check(self, setting: Setting) -> None:
        """Checks the parameters against a policy.

        Raises:
            InvalidInput: No such action, no other action than one, a loss that its actions do not have, a critic that
                it does not have, or no draw.
        """
        super().check(setting)
        if isinstance(setting.actions, Categorical):
            self._check_choice()
        elif self.loss in _CHOICE or not (self.target is None or self.follows):
            raise InvalidInput("continuous actions take loss=mad, value or q, and no target but planned or agent:NAME")
        elif self.follows and self.loss is not None:
            raise InvalidInput(f"target={self.target}: continuous actions have one loss, the distance; leave loss out")
        if self.judged_by is not None and self.judged_by not in setting.estimates:
            judged = "what it sees" if self.judged_by == "value" else "what it does"
            raise InvalidInput(
                f"loss={self.loss} lowers what the victim's critic says of {judged}, and this victim has none that can "
                "be asked; use loss=mad"
            )

    def _check_choice(self) -> None:
        if self.target is not None and self.loss not in (None, *_CHOICE):
            raise InvalidInput(f"loss={self.loss} has no target; loss={', '.join(_CHOICE)} have")
        if self.loss == "q":
            raise InvalidInput("loss=q is for continuous actions; use loss=margin, whose scores may be Q values")

    def note(self, setting: Setting) -> str:
        """Says where it climbs something else than was asked for, or one draw of a victim that is random in itself."""
        alone = setting.random and self.eot == 1 and self.judged_by is None
        said = ["the victim is random in itself: leave eot= out for the mean of several draws"] if alone else []
        return "; ".join([*said, *filter(None, [self._note_of_dlr(setting)])])

    def _note_of_dlr(self, setting: Setting) -> str:
        if self.loss != "dlr" or not isinstance(setting.actions, Categorical):
            return ""
        count, targeted = setting.actions.scores.shape[1], self.target is not None
        if count >= _DLR[targeted]:
            return ""
        return (
            f"loss=dlr compares with the third score{' and the fourth' if targeted else ''}, this game has {count} "
            "actions: loss=margin is climbed"
        )

    def diverges(self, actions: Actions) -> bool:
        """Whether the loss is the divergence from the clean actions, which has no slope there, where it is least."""
        by_default = self.loss is None and self.target is None and not isinstance(actions, Categorical)
        return self.loss == "mad" or by_default


class Climb:
    """The loss of one step, which an attack ascends.

    Args:
        objective: What is climbed.
        victim: Whose loss it is.
        obs: The observations of the step, shape (slots, *observation).
        draws: For a victim that is random in itself.
        leader: Who says what to do, where the objective names an agent.
    """

    def __init__(
        self, objective: Objective, victim: Target, obs: Tensor, draws: Draws, leader: Policy | None = None
    ) -> None:
        self._objective, self._victim, self._obs, self._draws, self._leader = objective, victim, obs, draws, leader

    def gradient(self, point: Tensor) -> Tensor:
        """Ascent direction at `point`, shape (slots, *observation): a backward pass, or `eot`, and one to evade."""
        found = self._gradient(point)
        return found if self._objective.evade is None else found - self._evading(point)

    def rows(self, point: Tensor) -> Tensor:
        """The loss of each row at `point`, shape (slots,): a query, or `eot`, and one to evade."""
        found = self._loss(point)
        return found if self._objective.evade is None else found - self._suspicion(point)

    def both(self, point: Tensor) -> tuple[Tensor, Tensor]:
        """`gradient` and `rows` of one pass; of a critic's, of two."""
        grad, rows = self._both(point)
        if self._objective.evade is None:
            return grad, rows
        return grad - self._evading(point), rows - self._suspicion(point)

    def _evading(self, point: Tensor) -> Tensor:
        return self._objective.caution * self._victim.suspicion_gradient(point)

    def _suspicion(self, point: Tensor) -> Tensor:
        return self._objective.caution * self._victim.suspicion(point)

    def _gradient(self, point: Tensor) -> Tensor:
        judged_by, draws = self._objective.judged_by, self._asked
        if judged_by is not None:
            return -self._victim.estimate_gradient(judged_by, point)
        found = [self._victim.gradient(point, lambda out: self._rows(out).sum(), draws=one) for one in draws]
        return found[0] if len(found) == 1 else torch.stack(found).mean(dim=0)

    def _loss(self, point: Tensor) -> Tensor:
        if self._objective.judged_by is not None:
            return -self._victim.estimate(self._objective.judged_by, point)
        found = [self._rows(self._victim(point, draws=one)) for one in self._asked]
        return found[0] if len(found) == 1 else torch.stack(found).mean(dim=0)

    def _both(self, point: Tensor) -> tuple[Tensor, Tensor]:
        if self._objective.judged_by is not None:
            return self._gradient(point), self._loss(point)
        rows: list[Tensor] = []

        def loss(out: Output) -> Tensor:
            rows.append(self._rows(out))
            return rows[-1].sum()

        grads = [self._victim.gradient(point, loss, draws=one) for one in self._asked]
        return torch.stack(grads).mean(dim=0), torch.stack(rows).mean(dim=0).detach()

    @cached_property
    def goal(self) -> Tensor:
        """What the loss is about: the clean choice, from which it leads away, or a target."""
        return self._objective.goal(self._victim, self._obs, self._leader)

    @property
    def _asked(self) -> list[Draws | None]:
        eot = self._objective.eot or (_EOT if self._victim.random else 1)
        return [None] if eot == 1 else [self._draws] * eot

    def _rows(self, out: Output) -> Tensor:
        actions, objective = out.actions, self._objective
        if objective.follows and not isinstance(actions, Categorical):
            return -(actions.greedy - self.goal).square().sum(dim=1)
        if objective.loss == "mad" or not isinstance(actions, Categorical):
            return actions.divergence(self._victim.clean_output.actions)
        away = _LOSSES[objective.loss or objective.by_default](actions.scores, self.goal, objective.target is not None)
        return away if objective.target is None else -away


def _ce(scores: Tensor, goal: Tensor, targeted: bool) -> Tensor:
    return F.cross_entropy(scores, goal, reduction="none")


def _margin(scores: Tensor, goal: Tensor, targeted: bool) -> Tensor:
    return margin(scores, goal)


def _dlr(scores: Tensor, goal: Tensor, targeted: bool) -> Tensor:
    """The margin over the best score minus the third, or, targeted, minus the mean of the third and the fourth.

    The margin itself where there are no such actions, or where they are not legal.
    """
    if scores.shape[1] < _DLR[targeted]:
        return margin(scores, goal)
    best = scores.topk(_DLR[targeted], dim=1).values
    way = best[:, 0] - best[:, 2:].mean(dim=1)
    return margin(scores, goal) / torch.where(way < -ILLEGAL / 4, way + 1e-12, 1.0)


_DLR = (3, 4)
"""Actions that the ratio compares, of an untargeted and of a targeted attack."""
_LOSSES = {"ce": _ce, "margin": _margin, "dlr": _dlr}
Config = TypeVar("Config", bound=Objective)
R = TypeVar("R", bound=Reach)


class LossAttack(Aimed[Config, R], Generic[Config, R]):
    """An attack whose parameters say what it climbs."""

    config_type: ClassVar[type[Any]] = Objective

    @property
    def asks_critic(self) -> bool:
        """Whether its loss is what the victim's own critic says."""
        return self.config.judged_by is not None or super().asks_critic

    @property
    def starts_clean(self) -> bool:
        """Whether its first gradient is at the clean observation."""
        return True

    def check(self, setting: Setting) -> None:
        """Checks what it climbs, and that there is a slope where it starts; loads the agent that it names.

        Raises:
            RlattackError: A parameter that does not fit, or an agent that cannot be loaded or plays another game.
        """
        super().check(setting)
        if self.fitted and self.config.target == "planned":
            raise InvalidInput(f"attack {self.name} learns before anything is planned; pgd takes target=planned")
        if self.fitted and self.config.evade is not None:
            raise InvalidInput(f"attack {self.name} learns before a detector looks on; pgd takes evade=")
        if self.starts_clean and self.config.diverges(setting.actions):
            start = "; random_start=true starts elsewhere" if hasattr(self.config, "random_start") else ""
            raise Unfit(
                f"attack {self.name}: the divergence from the clean actions has no slope where the attack starts{start}"
            )

    def note(self, setting: Setting) -> str:
        """What is climbed, where that is not what was asked for."""
        return self.config.note(setting)

    def climb(self, victim: Target, obs: Tensor, draws: Draws) -> Climb:
        """The loss of a step at which the victim would see `obs`."""
        return Climb(self.config, victim, obs, draws, self._leader)


class GradientAttack(LossAttack[Config, Ball]):
    """One that climbs within a ball."""
