"""Where an attack leads what a victim does: away from its clean choice, or to a target."""

from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

import torch
from torch import Tensor

from rlattack.attacks.attack import ObservationAttack, Setting
from rlattack.attacks.leader import AgentName, is_agent, load_leader
from rlattack.attacks.target import Target
from rlattack.budget import Budget, Reach
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import ILLEGAL, Categorical
from rlattack.policies.policy import Output, Policy


@dataclass(frozen=True, kw_only=True)
class Aim:
    """The parameter that every attack by gradients has."""

    target: int | Literal["least", "worst", "planned"] | AgentName | None = None
    """An action to push towards; `least`, the clean distribution's least likely one; `worst`, the one that the victim's
    own Q values rate lowest (Pattanaik et al. 2018, alg. 3), its least likely one where it has none; `planned`, what a
    schedule that looks ahead has planned (Sun et al. 2020; Lin et al. 2017); or `agent:NAME`, what another agent would
    do there. Untargeted by default."""

    @property
    def leads(self) -> bool:
        """Whether another agent says what to do."""
        return is_agent(self.target)

    @property
    def follows(self) -> bool:
        """Whether it leads towards actions that come from elsewhere, which may be continuous."""
        return self.leads or self.target == "planned"

    def check(self, setting: Setting) -> None:
        """Checks the target against a policy.

        Raises:
            InvalidInput: No such action, or no other action than one.
        """
        if isinstance(self.target, str) and self.target not in ("least", "worst") and not self.follows:
            raise InvalidInput(f"target: expected an action, least, worst, planned or agent:NAME, got {self.target!r}")
        if self.target == "planned" and not setting.planned:
            raise InvalidInput("target=planned is what a schedule plans: add --when critical or --when enchanting")
        if isinstance(setting.actions, Categorical):
            count = setting.actions.scores.shape[1]
            if count < 2:
                raise InvalidInput(f"expected a game with a choice of actions, got {count}")
            if isinstance(self.target, int) and not 0 <= self.target < count:
                raise InvalidInput(f"target: expected an action 0 to {count - 1} or 'least', got {self.target}")

    def goal(self, victim: Target, obs: Tensor, leader: Policy | None) -> Tensor:
        """The action that it is about, shape (slots,): the clean choice, from which it leads away, or the target.

        Args:
            victim: Whose choice it is.
            obs: The observations of the step, shape (slots, *observation).
            leader: Who says what to do, where the target names an agent; of continuous ones all its numbers.
        """
        if self.target is None:
            return victim.labels
        if self.target == "planned":
            return victim.planned
        if isinstance(self.target, int):
            return torch.full((victim.slots,), self.target)
        if leader is not None:
            with torch.no_grad():
                return leader(obs).actions.greedy
        clean = victim.clean_output
        scores = scores_of(clean)
        judged = clean.q if self.target == "worst" and clean.q is not None else scores
        return judged.masked_fill(scores <= ILLEGAL, torch.inf).argmin(dim=1)


Config = TypeVar("Config", bound=Aim)
R = TypeVar("R", bound=Reach)


class Aimed(ObservationAttack[Config, R], Generic[Config, R]):
    """An attack whose parameters say where it leads the victim."""

    config_type: ClassVar[type[Any]] = Aim
    agents: ClassVar[tuple[str, ...]] = ("target",)

    def __init__(self, budget: Budget, config: Config) -> None:
        super().__init__(budget, config)
        self._leader: Policy | None = None

    def check(self, setting: Setting) -> None:
        """Checks its parameters, and loads the agent that they name.

        Raises:
            RlattackError: A parameter that does not fit, or an agent that cannot be loaded or plays another game.
        """
        self.config.check(setting)
        if self.config.leads:
            self._leader = load_leader(str(self.config.target), setting)


def scores_of(out: Output) -> Tensor:
    """The scores of discrete actions, shape (slots, actions)."""
    assert isinstance(out.actions, Categorical), "`check` or `needs` refuses others"
    return out.actions.scores


def margin(scores: Tensor, goal: Tensor) -> Tensor:
    """The best other score minus that of an action, shape (n,): above 0 where another one is chosen."""
    own = scores.gather(1, goal[:, None]).squeeze(1)
    return scores.scatter(1, goal[:, None], -torch.inf).amax(dim=1) - own
