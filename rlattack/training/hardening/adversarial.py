"""Adversarial training on transitions (Behzadan and Munir 2017; Pattanaik et al. 2018), and a pool of examples.

A share of what the learner sees is attacked, by any attack of the catalogue, crafted on the learner itself. Beside it a
pool of adversarial examples may be kept and mixed in, of what is seen or of a hidden layer (Szegedy et al. 2014, sec.
4.2): there what is said of an example is pressed towards what was said of the state that it came of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from rlattack.attacks import Attacker, ObservationAttack, make_attack, make_schedule, parse_attack
from rlattack.errors import InvalidInput
from rlattack.policies.policy import Policy
from rlattack.specs import Count, Fraction, NotNegative, Range
from rlattack.training.hardening.actor import Actor
from rlattack.training.hardening.attacked import Attacked, arm, check_bytes
from rlattack.training.hardening.learners import HardenedPPO
from rlattack.training.hardening.pool import Pool
from rlattack.training.hardening.regime import Ground, Regime


@dataclass(frozen=True, kw_only=True)
class AdversarialConfig:
    """Parameters of `adversarial`."""

    attack: str = "pgd"
    """The attack, as on the command line, in double quotes where it has a comma: "pgd:steps=5,loss=margin"."""
    share: Fraction = 0.5
    """Share of the steps in which it acts."""
    pool: Annotated[int, Range(least=0, most=1_000_000)] = 0
    """Adversarial examples that are kept and mixed in, of ppo; 0 for none."""
    layer: Literal["input", "hidden"] = "input"
    """Of what: of what is seen, within --eps, or of the last hidden layer, within --eps of its standard deviations."""
    weight: NotNegative = 1.0
    """Of the loss on the pool."""
    steps: Count = 10
    """Gradient steps to an example."""


class Adversarial(Regime[AdversarialConfig]):
    """Learns from attacked observations, and from a pool of adversarial examples (Behzadan and Munir 2017)."""

    name = "adversarial"
    algorithms: ClassVar[tuple[str, ...]] = ("ppo", "dqn")
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1", "l0")
    config_type: ClassVar[type[Any]] = AdversarialConfig

    def check(self, ground: Ground) -> None:
        """Refuses attacks that change nothing that is seen, or learn before they play, and a pool where it has none."""
        super().check(ground)
        check_bytes(self.name, ground.seat, ground.budget)
        self._made(ground)
        if self.config.pool and ground.recipe.algo != "ppo":
            raise InvalidInput(f"--defence adversarial: pool: is for --algo ppo, got {ground.recipe.algo}")
        if self.config.pool and ground.recipe.norm != "linf":
            raise InvalidInput(f"--defence adversarial: pool: has the norm linf, got --norm {ground.recipe.norm}")

    def attack(self, ground: Ground) -> str:
        """The attack that it learned under, at its strongest where that is PGD as it stands."""
        return super().attack(ground) if self.config.attack == "pgd" else self.config.attack

    def shown(self, env: VecEnv, ground: Ground) -> VecEnv:
        """The game under attack."""
        return Attacked(env, lambda policy: self._armed(policy, ground))

    def harden(self, model: BaseAlgorithm, ground: Ground) -> None:
        """Tells the game who learns, and keeps a pool."""
        super().harden(model, ground)
        arm(model)
        if self.config.pool:
            assert isinstance(model, HardenedPPO), "checked before"
            config = self.config
            pool = Pool(
                model, Actor.of(model), ground.budget, config.pool, config.steps, hidden=config.layer == "hidden"
            )
            model.collected = pool.renew
            model.objective = lambda batch: (
                batch.surrogate(batch.log_prob).mean() + config.weight * pool.loss(len(batch.seen))
            )

    def _made(self, ground: Ground) -> ObservationAttack[Any, Any]:
        spec = parse_attack(self.config.attack)
        made = make_attack(spec.name, ground.budget, **spec.parameters) if spec.name != "none" else None
        if not isinstance(made, ObservationAttack):
            raise InvalidInput(f"--defence adversarial: attack: expected one on what is seen, got {self.config.attack}")
        if made.fitted:
            raise InvalidInput(
                f"--defence adversarial: attack: {spec.name} learns before it plays, of who is attacked; expected one "
                "that does not, as pgd"
            )
        return made

    def _armed(self, policy: Policy, ground: Ground) -> Sequence[Attacker]:
        when = make_schedule("every" if self.config.share == 1 else f"random:share={self.config.share}")
        return [Attacker(self._made(ground), policy, ground.seat.observation, ground.recipe.envs, schedule=when)]
