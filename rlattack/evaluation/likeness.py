"""How like another's what a victim does is: the score of attacks that lead it, and of backdoors."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from rlattack.attacks.attack import Setting
from rlattack.attacks.leader import AgentName, is_agent, leader_name, load_leader
from rlattack.errors import InvalidInput
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.observer import Moment, Observer
from rlattack.games.game import Seat
from rlattack.policies.distributions import Actions, Categorical, Choices, Normal, Point
from rlattack.policies.load import load_agent
from rlattack.policies.placed import placed
from rlattack.policies.policy import Policy

DOES, CLEAN = "likeness", "likeness, clean view"


@dataclass(frozen=True, kw_only=True)
class LikenessConfig:
    """Parameters of `likeness`."""

    target: int | AgentName
    """An action, or `agent:NAME`: what another agent does where it sees what is truly shown."""


class Likeness(Observer):
    """Share of the steps in which a victim does what the target does; of continuous actions how near it comes.

    Of continuous actions it is 1 less the mean distance over the entries, as a share of their ranges. Beside what the
    victim did stands what it would have done where nothing is attacked, by its greedy action.
    """

    config_type = LikenessConfig

    def __init__(self, seat: int, slots: int, config: LikenessConfig) -> None:
        super().__init__(seat, slots)
        self._config = config
        self._policy: Policy | None = None
        self._steps = np.zeros(slots)
        self._sums = np.zeros((2, slots))

    @classmethod
    def of(cls, cell: Cell, seat: int, config: LikenessConfig) -> Self:  # type: ignore[override]  # as it declares
        """Looks at a seat."""
        return cls(seat, cell.envs, config)

    @classmethod
    def check(cls, config: LikenessConfig, policy: Policy, seat: Seat) -> None:
        """Refuses an action that is none, and an agent that sees or does something else.

        Raises:
            InvalidInput: A target that does not fit.
        """
        check_target(config.target, Setting.of(policy, seat.observation))

    @classmethod
    def depends(cls, config: LikenessConfig) -> str:
        """The digest of the agent that is compared with."""
        return load_agent(leader_name(str(config.target))).identity if is_agent(config.target) else ""

    def see(self, moment: Moment) -> None:
        """Adds how like one step was."""
        if moment.seat != self.seat:
            return
        clean = moment.clean.actions
        goal = self._goal(moment, clean)
        self._steps += moment.acting
        for row, action in enumerate((moment.action, clean.greedy)):
            self._sums[row] += np.where(moment.acting, alike(action, goal, clean).numpy(force=True), 0.0)

    def collect(self, slot: int) -> Mapping[str, float | None]:
        """Means of the episode that ended in a slot; None where the victim was never to act."""
        steps, sums = self._steps[slot], self._sums[:, slot].tolist()
        self._steps[slot] = self._sums[:, slot] = 0
        did, clean = ((total / steps if steps else None) for total in sums)
        return {DOES: did, CLEAN: clean}

    def _goal(self, moment: Moment, clean: Actions) -> Tensor:
        if not is_agent(self._config.target):
            return torch.full((self.slots,), int(self._config.target))
        if self._policy is None:
            policy = load_agent(leader_name(str(self._config.target))).policy
            self._policy = placed(policy, str(moment.received.device))
        shown = torch.as_tensor(moment.shown).to(moment.received)
        with torch.no_grad():
            return self._policy(shown).among(moment.legal).actions.greedy


def check_target(target: int | str, setting: Setting) -> None:
    """Refuses an action that is none, and an agent that sees or does something else.

    Raises:
        InvalidInput: A target that does not fit.
    """
    if is_agent(target):
        load_leader(str(target), setting)
        return
    count = setting.actions.scores.shape[1] if isinstance(setting.actions, Categorical) else 0
    if not isinstance(target, int) or not 0 <= target < count:
        has = f"an action 0 to {count - 1}, or agent:NAME" if count else "agent:NAME of an agent of such actions"
        raise InvalidInput(f"target: expected {has}, got {target!r}")


def alike(action: Tensor, goal: Tensor, kind: Actions) -> Tensor:
    """How like actions are, shape (n,), in [0, 1]."""
    if isinstance(kind, Categorical | Choices):
        return (action == goal.to(action.device)).float().reshape(len(action), -1).mean(dim=1)
    assert isinstance(kind, Normal | Point), "there are no other actions"
    did, wanted = dataclasses.replace(kind, mean=action), dataclasses.replace(kind, mean=goal.to(action))
    like: Tensor = 1 - did.moved(wanted)  # type: ignore[arg-type]  # both are of the kind
    return like
