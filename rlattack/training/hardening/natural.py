"""Training under random natural changes of what is seen, and of what is done (Tobin et al. 2017, for cameras)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from rlattack.attacks import ATTACKS, ActionAttacker, Attacker, make_attack
from rlattack.attacks.natural import NATURAL
from rlattack.budget import Budget
from rlattack.errors import InvalidInput, UnknownName
from rlattack.games.dynamics import parse_region
from rlattack.policies.policy import Policy
from rlattack.specs import Fraction
from rlattack.training.hardening.attacked import Attacked, arm
from rlattack.training.hardening.regime import Ground, Regime
from rlattack.training.hardening.worlds import Worlds

_WORLDS = ("world", "random-world", "worst-world")
"""Attacks that play in another world."""


@dataclass(frozen=True, kw_only=True)
class NaturalConfig:
    """Parameters of `natural`."""

    share: Fraction = 0.8
    """Share of the episodes that have a change."""
    changes: str = ""
    """Which, with a plus between them, as "rotate+shift-x"; by default all that fit what is seen and done, or where
    `worlds` are named none."""
    worlds: str = ""
    """Of MuJoCo games, a box of worlds, as "mass=0.5..2,friction=0.5..2": the same share of the episodes is each in any
    of them."""

    def __post_init__(self) -> None:
        if self.worlds:
            try:
                parse_region(self.worlds)
            except InvalidInput as error:
                raise InvalidInput(f"worlds: {error}") from error


class NaturalTraining(Regime[NaturalConfig]):
    """Learns in episodes of which each has a natural change of the catalogue, in one of its standard severities.

    Changes of actions (action-slip, action-delay) are the game's dynamics as the agent meets them; `worlds` are other
    masses, friction, gravity, winds and forces.
    """

    name = "natural"
    algorithms: ClassVar[tuple[str, ...]] = ("ppo", "dqn")
    reaches: ClassVar[tuple[str, ...]] = ("linf",)
    sized: ClassVar[bool] = False
    config_type: ClassVar[type[Any]] = NaturalConfig

    def check(self, ground: Ground) -> None:
        """Refuses names of no natural changes, and worlds that the game does not have, too."""
        super().check(ground)
        told = "--defence natural"
        if strange := [name for name in self._named if name not in NATURAL]:
            beside = '; worlds are named apart, as worlds="mass=0.5..2"' * (strange[0] in _WORLDS)
            raise InvalidInput(f"{told}: changes: expected some of {', '.join(NATURAL)}; got {strange[0]}{beside}")
        if self.config.worlds:
            try:
                parse_region(self.config.worlds).check_bodies(ground.seat.bodies)
            except (InvalidInput, UnknownName) as error:
                raise type(error)(f"{told}: worlds: {error}") from error

    def kinds(self, ground: Ground) -> Sequence[str]:
        """The changes that were named, or all that there are: those that fit no more than others are not played."""
        return (*self._names, *(_WORLDS if self.config.worlds else ()))

    def attack(self, ground: Ground) -> str:
        """The first change that it learned under, in its least standard severity."""
        if not self._names:
            return f'random-world:box="{self.config.worlds}",evaluations=1,eps=100'
        name = self._named[0] if self._named else "missing"
        return f"{name}:eps={ATTACKS.get(name).standard[0]:g}"

    def shown(self, env: VecEnv, ground: Ground) -> VecEnv:
        """The game under changes, in its worlds."""
        if self.config.worlds:
            Worlds.into(env, parse_region(self.config.worlds), self.config.share)
        if not self._names:
            return env
        return Attacked(env, lambda policy: self._armed(policy, ground), clean=1 - self.config.share)

    def harden(self, model: BaseAlgorithm, ground: Ground) -> None:
        """Tells the game who learns."""
        super().harden(model, ground)
        if self._names:
            arm(model)

    @property
    def _named(self) -> Sequence[str]:
        return [name for name in self.config.changes.split("+") if name]

    @property
    def _names(self) -> Sequence[str]:
        """Those that were named, or all; none where worlds alone were."""
        return self._named or (() if self.config.worlds else NATURAL)

    def _armed(self, policy: Policy, ground: Ground) -> Sequence[Attacker | ActionAttacker]:
        """All that fit, each at each of its standard severities.

        Raises:
            InvalidInput: None does, or one that was named.
        """
        found: list[Attacker | ActionAttacker] = []
        for name in self._names:
            for eps in ATTACKS.get(name).standard:
                try:
                    found.append(self._one(name, eps, policy, ground))
                except InvalidInput:
                    if self._named:
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
