"""Alternating training with a learned adversary: ATLA (Zhang et al. 2021, sec. 3.2) and PA-ATLA (Sun et al. 2022).

Before each rollout of the agent an adversary, a second PPO, learns to perturb what the agent of now sees; the rollout
is then played under that adversary. Both go on with their games from turn to turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from rlattack.attacks import Attacker, make_attack
from rlattack.attacks.director import led
from rlattack.attacks.learned import LearnedObservation
from rlattack.games import make_game
from rlattack.games.game import Game
from rlattack.policies.policy import Policy
from rlattack.specs import Count, NotNegative, Positive
from rlattack.training.hardening.actor import Actor
from rlattack.training.hardening.attacked import Attacked, arm, check_bytes, frozen
from rlattack.training.hardening.learners import HardenedPPO
from rlattack.training.hardening.ramp import Ramped
from rlattack.training.hardening.regime import Ground, Regime
from rlattack.training.hardening.sa import SA, SAConfig
from rlattack.training.hardening.vicinity import Vicinity
from rlattack.training.perturbing import Perturbing
from rlattack.training.ppo import make_perturber
from rlattack.training.recipes import TrainPerturber
from rlattack.training.vecenv import SoloVecEnv

_LEAST = 1e-3
"""Share of the size that the first adversary has."""


@dataclass(frozen=True, kw_only=True)
class ATLAConfig(Ramped):
    """Parameters of `atla` and `pa-atla`."""

    turns: Count = 1
    """Updates of the adversary before each of the agent."""
    learning_rate: Positive = 3e-4
    """Of the adversary, at the start; it falls linearly to 0."""
    entropy: NotNegative = 0.0
    """Weight of the adversary's entropy bonus."""
    kappa: NotNegative = 0.0
    """Weight of SA's regulariser beside (ATLA-PPO + SA-Reg of the paper); 0 for none."""


class ATLA(Regime[ATLAConfig]):
    """Learns in turns with an adversary that says how far every number moves: ATLA-PPO (Zhang et al. 2021)."""

    name = "atla"
    against: ClassVar[str] = "sa-rl"
    config_type: ClassVar[type[Any]] = ATLAConfig

    def __init__(self, config: ATLAConfig) -> None:
        super().__init__(config)
        self._game: Game | None = None
        self._adversary: BaseAlgorithm | None = None

    def check(self, ground: Ground) -> None:
        """Refuses a norm that the adversary's attack does not have, too."""
        super().check(ground)
        check_bytes(self.name, ground.seat, ground.budget)
        make_attack(self.against, ground.budget)

    def shown(self, env: VecEnv, ground: Ground) -> VecEnv:
        """The game under the adversary of now."""
        return Attacked(env, lambda policy: self._armed(policy, ground))

    def harden(self, model: BaseAlgorithm, ground: Ground) -> None:
        """Gives the learner its adversary, a partner, and lets both learn in turns."""
        super().harden(model, ground)
        assert isinstance(model, HardenedPPO)
        self._share, self._adversary = _LEAST, None
        agent, recipe = frozen(model), self._recipe(ground, model)
        if self._game is None:
            self._game = make_game(ground.run.card, recipe.envs, threads=ground.recipe.threads or 1)
        mode = ground.run.card.protocol.actions
        env = Perturbing(self._game, self._attack(ground), agent, mode, ground.recipe.device)
        partner = make_perturber(recipe, SoloVecEnv(env), model.seed or 0)
        model.partner = self._adversary = partner
        attacked = arm(model)

        def turn() -> None:
            self._share = max(_LEAST, self.config.share(model.done))
            env.meet(self._attack(ground), frozen(model))
            partner.learn(self.config.turns * recipe.batch, reset_num_timesteps=False, log_interval=None)  # type: ignore[arg-type]  # PPO takes it
            attacked.arm()

        model.begins = turn
        if self.config.kappa:
            sa, actor = SA(SAConfig(kappa=self.config.kappa)), Actor.of(model)
            model.objective = lambda batch: sa.policy(
                actor, Vicinity.of(model, ground.budget, self.config.share(model.done)), batch
            )

    def _attack(self, ground: Ground) -> LearnedObservation[Any]:
        """The attack at the size of now, which waits for who says what it does."""
        budget = replace(ground.budget, eps=self._share * ground.budget.size)
        made = make_attack(self.against, budget)
        assert isinstance(made, LearnedObservation)
        return made

    def _armed(self, policy: Policy, ground: Ground) -> Sequence[Attacker]:
        """The adversary of now as an attack on the agent; none before there is one."""
        if self._adversary is None:
            return []
        attack, adversary = self._attack(ground), frozen(self._adversary)
        attack.tell = lambda obs: led(adversary(obs).actions)
        return [Attacker(attack, policy, ground.seat.observation, ground.recipe.envs)]

    def _recipe(self, ground: Ground, model: HardenedPPO) -> TrainPerturber:
        """Of the adversary, as `make_perturber` takes it: its updates are of as many steps as the agent's."""
        recipe, batch = ground.recipe, model.n_steps * model.n_envs
        return TrainPerturber(
            game=recipe.game, victim="its partner", attack=self.against, eps=ground.budget.size, norm=recipe.norm,
            space=recipe.space, device=recipe.device, steps=max(batch, recipe.steps * self.config.turns),
            envs=model.n_envs, batch=batch, minibatch=model.batch_size,
            learning_rate=self.config.learning_rate, entropy=self.config.entropy,
        )  # fmt: skip


class PAATLA(ATLA):
    """Learns in turns with an adversary that says where its decision should go: PA-ATLA-PPO (Sun et al. 2022)."""

    name = "pa-atla"
    against: ClassVar[str] = "pa-ad"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
