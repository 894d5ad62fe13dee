"""Training under random natural changes of what is seen, and of what is done (Tobin et al. 2017, for cameras)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from rlattack.attacks import ATTACKS, ActionAttacker, Attacker, make_attack
from rlattack.attacks.natural import NATURAL
from rlattack.budget import Budget
from rlattack.errors import InvalidInput
from rlattack.policies.policy import Policy
from rlattack.specs import Fraction
from rlattack.training.hardening.attacked import Attacked, arm
from rlattack.training.hardening.regime import Ground, Regime


@dataclass(frozen=True, kw_only=True)
class NaturalConfig:
    """Parameters of `natural`."""

    share: Fraction = 0.8
    """Share of the episodes that have a change."""
    changes: str = ""
    """Which, with a plus between them, as "rotate+shift-x"; by default all that fit what is seen and done."""


class NaturalTraining(Regime[NaturalConfig]):
    """Learns in episodes of which each has a natural change of the catalogue, in one of its standard severities.

    Changes of actions (action-slip, action-delay) are the game's dynamics as the agent meets them.
    """

    name = "natural"
    algorithms: ClassVar[tuple[str, ...]] = ("ppo", "dqn")
    reaches: ClassVar[tuple[str, ...]] = ("linf",)
    sized: ClassVar[bool] = False
    config_type: ClassVar[type[Any]] = NaturalConfig

    def check(self, ground: Ground) -> None:
        """Refuses names of no natural changes, too."""
        super().check(ground)
        if strange := [name for name in self._names if name not in NATURAL]:
            raise InvalidInput(f"--defence natural: changes: expected some of {', '.join(NATURAL)}; got {strange[0]}")

    def kinds(self, ground: Ground) -> Sequence[str]:
        """The changes that were named, or all that there are: those that fit no more than others are not played."""
        return self._names or NATURAL

    def attack(self, ground: Ground) -> str:
        """The first change that it learned under, in its least standard severity."""
        name = self._names[0] if self._names else "missing"
        return f"{name}:eps={ATTACKS.get(name).standard[0]:g}"

    def shown(self, env: VecEnv, ground: Ground) -> VecEnv:
        """The game under changes."""
        return Attacked(env, lambda policy: self._armed(policy, ground), clean=1 - self.config.share)

    def harden(self, model: BaseAlgorithm, ground: Ground) -> None:
        """Tells the game who learns."""
        super().harden(model, ground)
        arm(model)

    @property
    def _names(self) -> list[str]:
        return [name for name in self.config.changes.split("+") if name]

    def _armed(self, policy: Policy, ground: Ground) -> Sequence[Attacker | ActionAttacker]:
        """All that fit, each at each of its standard severities.

        Raises:
            InvalidInput: None does, or one that was named.
        """
        found: list[Attacker | ActionAttacker] = []
        for name in self._names or NATURAL:
            for eps in ATTACKS.get(name).standard:
                try:
                    found.append(self._one(name, eps, policy, ground))
                except InvalidInput:
                    if self._names:
                        raise
        if not found:
            raise InvalidInput(f"--defence natural: no natural change fits what {ground.recipe.game} shows")
        return found

    def _one(self, name: str, eps: float, policy: Policy, ground: Ground) -> Attacker | ActionAttacker:
        kind, seat, envs = ATTACKS.get(name), ground.seat, ground.recipe.envs
        made = make_attack(name, Budget(norm=kind.reaches[0], eps=eps, space=ground.recipe.space))
        if kind.access == "action":
            return ActionAttacker(made, policy, seat.action, envs)  # type: ignore[arg-type]  # as its access says
        return Attacker(made, policy, seat.observation, envs)  # type: ignore[arg-type]  # the same
