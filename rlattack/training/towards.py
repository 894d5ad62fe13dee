"""Whose behaviour a victim is to show, and how a perturber learns to bring that about (BIA, Yamabe et al. 2026)."""

import functools
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from rlattack.attacks.attack import Setting
from rlattack.attacks.leader import load_leader
from rlattack.errors import InvalidInput
from rlattack.evaluation.likeness import alike
from rlattack.evaluation.table import Table
from rlattack.policies.load import Agent
from rlattack.specs import Spec
from rlattack.training.demonstrations import Experience, demonstrate
from rlattack.training.discriminator import Discriminator
from rlattack.training.hardening.learners import HardenedPPO
from rlattack.training.perturbing import Perturbing
from rlattack.training.ppo import make_perturber
from rlattack.training.recipes import TrainPerturber
from rlattack.training.vecenv import SoloVecEnv


class Towards:
    """The wanted behaviour, known to who learns by demonstrations alone.

    Args:
        recipe: Names the agent that shows it.
        seats: Names of the game's seats.
        seat: Number of the victim's.
        victim: Who is to show it.

    Raises:
        RlattackError: An agent that cannot sit there, does something else, has a memory, or is the victim itself; a
            game that shows other things than numbers in a row.
    """

    def __init__(self, recipe: TrainPerturber, seats: tuple[str, ...], seat: int, victim: Agent) -> None:
        self._recipe, self._seat, name = recipe, seat, f"agent:{recipe.towards}"
        self._table = table = Table.lay(recipe.study(seats, seat, target=True))
        place, (self.agent,) = table.seats[seat], table.agents[seat].values()
        if not isinstance(place.observation, Box) or len(place.observation.shape) != 1:
            raise InvalidInput(
                f"--towards: expected numbers in a row, which demonstrations are told by; {recipe.game} shows "
                f"{place.observation.shape}"
            )
        if self.agent.identity == victim.identity:
            raise InvalidInput(f"--towards: expected another agent than the victim, got {self.agent.name} for both")
        load_leader(name, Setting.of(victim.policy, place.observation), f"--towards {recipe.towards}")
        self.observe = (str(Spec("likeness", {"target": name})),)

    @property
    def about(self) -> dict[str, Any]:
        """What the card of a perturber says of it."""
        shown = {"demonstrations": self._recipe.demonstrations, "states_only": self._recipe.states_only}
        sha256 = "" if self.agent.foreign else self.agent.sha256
        return {"id": self.agent.name, "sha256": sha256, **shown}

    @functools.cached_property
    def demonstrations(self) -> Experience:
        """What is known of it."""
        return demonstrate(self._table.pairs[0], self._seat, self._recipe.demonstrations)

    def make(self, env: Perturbing, seed: int) -> OnPolicyAlgorithm:
        """Makes who learns with a seed, and a discriminator that pays in the game and learns after each rollout."""
        recipe = self._recipe
        made = make_perturber(recipe, SoloVecEnv(env), seed, HardenedPPO)
        assert isinstance(made, HardenedPPO), "as asked"
        judge = Discriminator(
            self.demonstrations, self._table.seats[self._seat].action, recipe.states_only, seed, recipe.device
        )
        made.policy.beside, made.beside_optimizer, env.pay = judge.net, judge.optimizer, judge.pay

        def turn() -> None:
            play, told = judge.learn()
            for name, value in told.items():
                made.logger.record(f"discriminator/{name}", value)
            made.logger.record("rollout/likeness", self._likeness(play))

        made.collected = turn
        return made

    def _likeness(self, play: Experience) -> float:
        """How like what it would have done what the victim did was; for who looks on, not for who learns."""
        with torch.no_grad():
            does = self.agent.policy(torch.as_tensor(play.shown.astype(np.float32))).actions
            return float(alike(torch.as_tensor(play.did), does.greedy, does).mean())
