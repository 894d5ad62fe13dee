"""NR-MDP and PR-MDP: an adversary acts in the victim's place, in part or by chance (Tessler et al. 2019, sec. 3).

The adversary is trained by `rlattack train perturber`, on minus what the victim is paid, or, where none is named, it is
the action that the victim's own critic values least, or else the one that the victim is least likely to do (as of
`mas`), looked for by gradients in all of the range.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from rlattack.attacks.action import ActionAttack
from rlattack.attacks.attack import Setting
from rlattack.attacks.learned import Learned, LearnedConfig
from rlattack.attacks.mas import worse
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import Budget, Chance, Mix
from rlattack.draws import Draws
from rlattack.policies.distributions import ILLEGAL, Actions, Categorical, Normal, Point, SquashedNormal
from rlattack.specs import Count

_NEAR = 1e-3
"""Part of the range at which a search starts from the chosen action: who acts greedily has no slope there."""
_CONTINUOUS = frozenset({Normal, SquashedNormal, Point})


@dataclass(frozen=True, kw_only=True)
class RobustConfig(LearnedConfig):
    """Parameters of `nr-mdp` and `pr-mdp`."""

    agent: str = ""
    """The adversary, an agent of `rlattack train perturber`; without one, gradients through the victim take its
    place."""
    steps: Count = 10
    """Gradient steps of each search, where no adversary is named."""


class _InPlace(Learned[RobustConfig], ActionAttack[RobustConfig]):
    """What both share: whoever acts in the victim's place."""

    config_type: ClassVar[type[Any]] = RobustConfig

    def __init__(self, budget: Budget, config: RobustConfig) -> None:
        super().__init__(budget, config)
        self._action: Box | Discrete = Discrete(1)

    @classmethod
    def knows(cls, config: RobustConfig) -> Knowledge:
        """Nothing, where an adversary was trained."""
        return "none" if config.agent else "white"

    def outputs(self, setting: Setting) -> int:
        """A number an entry of an action, or a score of each of those to choose from."""
        action = setting.action
        return int(action.n) if isinstance(action, Discrete) else int(torch.Size(action.shape or ()).numel())

    def check(self, setting: Setting) -> None:
        """Notes what actions are, and refuses what `Learned` refuses where an adversary is named."""
        assert isinstance(setting.action, Box | Discrete), "declared in `needs`"
        self._action = setting.action
        if self.tell is not None:
            super().check(setting)

    @property
    def circumstances(self) -> dict[str, Any]:
        """What an adversary learns for: the size alone."""
        return {name: value for name, value in super().circumstances.items() if name != "steps"}

    def other(self, victim: Target, obs: Tensor, action: Tensor, draws: Draws, only: Tensor | None = None) -> Tensor:
        """What the adversary does, of the shape of `action`.

        Args:
            victim: Whose place it takes.
            obs: What that one received.
            action: What it chose.
            draws: Random numbers, a stream a slot.
            only: Slots that are asked about; all by default.
        """
        if self.tell is not None:
            return self._said(obs, action)
        if isinstance(self._action, Discrete):
            scores: Tensor = victim(obs, only).actions.scores  # type: ignore[attr-defined]  # as declared in `needs`
            return scores.masked_fill(scores <= ILLEGAL / 2, torch.inf).argmin(dim=1).to(action)
        low, high = (torch.as_tensor(end).to(action) for end in (self._action.low, self._action.high))
        adv = (action + _NEAR * (high - low) * draws.signs(*action.shape[1:]).to(action)).clamp(low, high)
        for _ in range(self.config.steps):
            way = worse(victim, obs, adv).sign()
            adv = (adv + 2.5 / self.config.steps * (high - low) * way).clamp(low, high)
        return adv

    def _said(self, obs: Tensor, action: Tensor) -> Tensor:
        """The action that a trained adversary says."""
        said = self.said(obs)
        if isinstance(self._action, Discrete):
            return said.argmax(dim=1).to(action)
        low, high = (torch.as_tensor(end).to(action) for end in (self._action.low, self._action.high))
        return low + (said.view_as(action) + 1) / 2 * (high - low)


class NRMDP(_InPlace):
    """Gives an adversary's action its share in every action of the victim: (1 - eps) a + eps b, eps in per cent."""

    name = "nr-mdp"
    title = "NR-MDP"
    reaches: ClassVar[tuple[str, ...]] = ("mix",)
    standard = (10.0,)
    needs: ClassVar[frozenset[type[Actions]]] = _CONTINUOUS

    def act(  # type: ignore[override]  # declared in `reaches`: never a ball
        self, victim: Target, obs: Tensor, action: Tensor, reach: Mix, draws: Draws
    ) -> Tensor:
        """Both, mixed."""
        return reach.mixed(action, self.other(victim, obs, action, draws))


class PRMDP(_InPlace):
    """Does an adversary's action in place of the victim's in eps per cent of the steps, by chance."""

    name = "pr-mdp"
    title = "PR-MDP"
    reaches: ClassVar[tuple[str, ...]] = ("chance",)
    standard = (10.0,)
    needs: ClassVar[frozenset[type[Actions]]] = _CONTINUOUS | {Categorical}

    def act(  # type: ignore[override]  # declared in `reaches`: never a ball
        self, victim: Target, obs: Tensor, action: Tensor, reach: Chance, draws: Draws
    ) -> Tensor:
        """The adversary's, where chance says so; it is asked in no other step."""
        drawn = draws.uniform(1)[:, 0].to(action.device)
        struck = reach.struck(drawn) & victim.active.to(action.device)
        other = self.other(victim, obs, action, draws, struck) if struck.any() else action
        return reach.replaced(drawn, other)
