"""What a gradient attack climbs: the victim's loss at its own clean choice, or at a target action."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, Literal, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from rlattack.attacks.attack import ObservationAttack, Setting, Unfit
from rlattack.attacks.leader import AgentName, is_agent, load_leader
from rlattack.attacks.target import Estimate, Target
from rlattack.budget import Ball, Budget, Reach
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import ILLEGAL, Actions, Categorical
from rlattack.policies.policy import Output, Policy

Loss = Literal["ce", "margin", "dlr", "mad", "value", "q"]
_CHOICE: tuple[Loss, ...] = ("ce", "margin", "dlr")
"""Losses of actions to choose from, which have targets."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A loss to ascend, summed over the batch; the parameters that every gradient attack has.

    Untargeted: away from the victim's greedy action on the clean observation (Huang et al. 2017, sec. 3), or from its
    whole distribution there (Zhang et al. 2020, sec. 3.3), or down its own critic.
    """

    loss: Loss | None = None
    """`ce`, the default: cross-entropy of the action distribution. `margin`: the best other score minus the label's
    (Carlini and Wagner 2017, f6), whose gradient does not vanish when the victim is certain. `dlr`: that over the
    difference of the best and the third score, whatever their scale (Croce and Hein 2020, eq. 6 and 7). `mad`, the
    default for continuous actions: divergence KL(clean || perturbed) of the distributions, the squared way of actions
    that are certain (Zhang et al. 2020, sec. 3.3); it is flat at the clean observation. `value`: minus the victim's own
    value of what it sees (the critic attack of Zhang et al. 2020's code). `q`, for continuous actions: minus its own
    critic's value, at the clean observation, of the action that it would take (Pattanaik et al. 2018, sec. 3)."""
    target: int | Literal["least", "worst", "planned"] | AgentName | None = None
    """An action to push towards; `least`, the clean distribution's least likely one; `worst`, the one that the victim's
    own Q values rate lowest (Pattanaik et al. 2018, alg. 3), its least likely one where it has none; `planned`, what a
    schedule that looks ahead has planned (Sun et al. 2020; Lin et al. 2017); or `agent:NAME`, what another agent would
    do there. Untargeted by default."""
    eot: int = 1
    """Gradients a step that are averaged, each with draws of its own, of a victim that is random in itself (expectation
    over transformations, Athalye et al. 2018, sec. 4.2); 1 asks without draws."""

    by_default: ClassVar[Loss] = "ce"
    """The loss of actions to choose from, where none is given."""

    @property
    def judged_by(self) -> Estimate | None:
        """What the victim's own critic is asked for; None where it is not asked."""
        return self.loss if self.loss == "value" or self.loss == "q" else None

    @property
    def leads(self) -> bool:
        """Whether another agent says what to do."""
        return is_agent(self.target)

    @property
    def follows(self) -> bool:
        """Whether it leads towards actions that come from elsewhere, which may be continuous."""
        return self.leads or self.target == "planned"

    def check(self, setting: Setting) -> None:
        """Checks the parameters against a policy.

        Raises:
            InvalidInput: No such action, no other action than one, a loss that its actions do not have, a critic that
                it does not have, or no draw.
        """
        if self.eot < 1:
            raise InvalidInput(f"eot: expected at least 1 draw, got {self.eot}")
        if isinstance(self.target, str) and self.target not in ("least", "worst") and not self.follows:
            raise InvalidInput(f"target: expected an action, least, worst, planned or agent:NAME, got {self.target!r}")
        if self.target == "planned" and not setting.planned:
            raise InvalidInput("target=planned is what a schedule plans: add --when critical or --when enchanting")
        if isinstance(setting.actions, Categorical):
            self._check_choice(setting.actions.scores.shape[1])
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

    def _check_choice(self, count: int) -> None:
        if count < 2:
            raise InvalidInput(f"expected a game with a choice of actions, got {count}")
        if isinstance(self.target, int) and not 0 <= self.target < count:
            raise InvalidInput(f"target: expected an action 0 to {count - 1} or 'least', got {self.target}")
        if self.target is not None and self.loss not in (None, *_CHOICE):
            raise InvalidInput(f"loss={self.loss} has no target; loss={', '.join(_CHOICE)} have")
        if self.loss == "dlr" and count < 3 + (self.target is not None):
            raise InvalidInput(
                f"loss=dlr compares with the third score{' and the fourth' if self.target is not None else ''}, this "
                f"game has {count} actions; use loss=margin"
            )
        if self.loss == "q":
            raise InvalidInput("loss=q is for continuous actions; use loss=margin, whose scores may be Q values")

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
        """Ascent direction at `point`, shape (slots, *observation): a backward pass, or `eot`."""
        judged_by, draws = self._objective.judged_by, self._asked
        if judged_by is not None:
            return -self._victim.estimate_gradient(judged_by, point)
        found = [self._victim.gradient(point, lambda out: self._rows(out).sum(), draws=one) for one in draws]
        return found[0] if len(found) == 1 else torch.stack(found).mean(dim=0)

    def rows(self, point: Tensor) -> Tensor:
        """The loss of each row at `point`, shape (slots,): a query, or `eot`."""
        if self._objective.judged_by is not None:
            return -self._victim.estimate(self._objective.judged_by, point)
        found = [self._rows(self._victim(point, draws=one)) for one in self._asked]
        return found[0] if len(found) == 1 else torch.stack(found).mean(dim=0)

    @cached_property
    def goal(self) -> Tensor:
        """What the loss is about: the clean choice, from which it leads away, or a target."""
        target = self._objective.target
        if target is None:
            return self._victim.labels
        if target == "planned":
            return self._victim.planned
        if isinstance(target, int):
            return torch.full((self._victim.slots,), target)
        if self._leader is not None:
            with torch.no_grad():
                return self._leader(self._obs).actions.greedy
        clean = self._victim.clean_output
        scores = clean.q if target == "worst" and clean.q is not None else _scores(clean)
        return scores.masked_fill(_scores(clean) <= ILLEGAL, torch.inf).argmin(dim=1)

    @property
    def _asked(self) -> list[Draws | None]:
        eot = self._objective.eot
        return [None] if eot == 1 else [self._draws] * eot

    def _rows(self, out: Output) -> Tensor:
        actions, objective = out.actions, self._objective
        if objective.follows and not isinstance(actions, Categorical):
            return -(actions.greedy - self.goal).square().sum(dim=1)
        if objective.loss == "mad" or not isinstance(actions, Categorical):
            return actions.divergence(self._victim.clean_output.actions)
        away = _LOSSES[objective.loss or objective.by_default](actions.scores, self.goal, objective.target is not None)
        return away if objective.target is None else -away


def _scores(out: Output) -> Tensor:
    assert isinstance(out.actions, Categorical), "`check` refuses a target for others"
    return out.actions.scores


def _ce(scores: Tensor, goal: Tensor, targeted: bool) -> Tensor:
    return F.cross_entropy(scores, goal, reduction="none")


def _margin(scores: Tensor, goal: Tensor, targeted: bool) -> Tensor:
    """The best other score minus the goal's."""
    own = scores.gather(1, goal[:, None]).squeeze(1)
    return scores.scatter(1, goal[:, None], -torch.inf).amax(dim=1) - own


def _dlr(scores: Tensor, goal: Tensor, targeted: bool) -> Tensor:
    """The margin over the best score minus the third, or, targeted, minus the mean of the third and the fourth."""
    best = scores.topk(4 if targeted else 3, dim=1).values
    return _margin(scores, goal, targeted) / (best[:, 0] - best[:, 2:].mean(dim=1) + 1e-12)


_LOSSES = {"ce": _ce, "margin": _margin, "dlr": _dlr}
Config = TypeVar("Config", bound=Objective)
R = TypeVar("R", bound=Reach)


class LossAttack(ObservationAttack[Config, R], Generic[Config, R]):
    """An attack whose parameters say what it climbs."""

    config_type: ClassVar[type[Any]] = Objective
    agents: ClassVar[tuple[str, ...]] = ("target",)

    def __init__(self, budget: Budget, config: Config) -> None:
        super().__init__(budget, config)
        self._leader: Policy | None = None

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
        self.config.check(setting)
        if self.fitted and self.config.target == "planned":
            raise InvalidInput(f"attack {self.name} learns before anything is planned; pgd takes target=planned")
        if self.config.leads:
            self._leader = load_leader(str(self.config.target), setting)
        if self.starts_clean and self.config.diverges(setting.actions):
            start = "; random_start=true starts elsewhere" if hasattr(self.config, "random_start") else ""
            raise Unfit(
                f"attack {self.name}: the divergence from the clean actions has no slope where the attack starts{start}"
            )

    def climb(self, victim: Target, obs: Tensor, draws: Draws) -> Climb:
        """The loss of a step at which the victim would see `obs`."""
        return Climb(self.config, victim, obs, draws, self._leader)


class GradientAttack(LossAttack[Config, Ball]):
    """One that climbs within a ball."""
