"""Adversaries that learned what to show a victim (SA-RL, Zhang et al. 2021, sec. 3.1), in files of their authors.

In each step the adversary looks at what the victim's statistics make of what the game truly shows, and its mean says
how far each entry is moved: by its output o, clipped to [-1, 1], times eps standard deviations.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import IntArray, renewed
from rlattack.attacks.attack import ObservationAttack, Setting
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import Ball, Budget
from rlattack.draws import Draws
from rlattack.errors import BudgetError, InvalidInput
from rlattack.policies.folder import policy_of
from rlattack.policies.placed import placed
from rlattack.policies.policy import Normaliser, State
from rlattack.policies.sa_ppo import load_sa_ppo


@dataclass(frozen=True, kw_only=True)
class PerturberConfig:
    """Parameters of `perturber`."""

    agent: str
    """A `.model` file of SA-PPO's family that holds an adversary."""
    transfer: bool = False
    """Lets it play against another victim than the one that it learned to perturb, and look through its statistics."""


class Perturber(ObservationAttack[PerturberConfig, Ball]):
    """Shows the victim what an adversary learned to show it; asks the victim nothing.

    What it remembers of an episode, where it has a memory, goes on in the steps in which it acts.

    Raises:
        RefusedFile: The file holds no adversary, or is damaged.
        BudgetError: It learned in standard deviations, and the budget is in other units.
    """

    name = "perturber"
    title = "A learned adversary"
    knowledge: ClassVar[Knowledge] = "none"
    reaches: ClassVar[tuple[str, ...]] = ("linf",)
    files: ClassVar[tuple[str, ...]] = ("agent",)
    config_type = PerturberConfig

    def __init__(self, budget: Budget, config: PerturberConfig) -> None:
        super().__init__(budget, config)
        card, network = load_sa_ppo(Path(config.agent).expanduser(), "adversary")
        self._policy = placed(policy_of(card, network), str(torch.get_default_device()))
        self._own = self._seen = self._policy.normaliser
        self._state: State = None
        if self._own is not None and budget.space != "sigma":
            raise BudgetError(
                f"attack perturber moves entries by standard deviations: expected --space sigma, got {budget.space}"
            )

    def check(self, setting: Setting) -> None:
        """Refuses a victim that sees something else, or was not there when it learned; notes the victim's statistics.

        Raises:
            InvalidInput: Observations of another shape; other statistics than the adversary's, unless `transfer`.
        """
        sees, does = tuple(self._policy.observation), tuple(self._policy.action.shape or ())
        if not sees == does == setting.observation:
            raise InvalidInput(
                f"expected an adversary of observations of shape {setting.observation}, {self.config.agent} holds one "
                f"that sees {sees} and moves {does}"
            )
        if not self.config.transfer and not _same(self._own, setting.normaliser):
            raise InvalidInput(
                f"{self.config.agent}: its adversary learned beside other observation statistics than the victim's, so "
                "against another victim, which is in the same file; transfer=true plays it nevertheless"
            )
        self._seen = setting.normaliser

    def restart(self, slots: IntArray) -> None:
        """Forgets the episodes that ended in these slots."""
        if self._state is not None:
            ended = torch.as_tensor(np.isin(np.arange(len(self._state)), slots))
            self._state = renewed(ended, self._policy.initial_state(len(ended)), self._state)

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Moves every entry as the adversary says."""
        before = self._policy.initial_state(len(obs)) if self._state is None else self._state
        with torch.no_grad():
            out = self._policy(self._shown(obs), before)
        self._state = renewed(victim.active, out.state, before)
        return obs + reach.radius * reach.scale * out.actions.greedy.clamp(-1, 1)

    def _shown(self, obs: Tensor) -> Tensor:
        """What the adversary is to be shown, so that its own statistics make of it what the victim's make of `obs`."""
        if self._own is None or self._seen is None or _same(self._own, self._seen):
            return obs
        return self._seen(obs) * self._own.deviation + self._own.mean


def _same(one: Normaliser | None, other: Normaliser | None) -> bool:
    """Whether both see the same of what the game shows."""
    if one is None or other is None:
        return one is other
    same = torch.equal(one.mean, other.mean) and torch.equal(one.unit, other.unit)
    return same and one.clip == other.clip
