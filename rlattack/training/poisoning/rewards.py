"""Poisoned rewards: what is paid is moved by a bounded amount towards who does what another policy does.

Rakhsha et al. 2020 (policy teaching by attacks on rewards) and Zhang et al. 2020 (adaptive reward poisoning): in each
step at most `size` is added or taken, |r' - r| <= size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv

from rlattack.arrays import Array, FloatArray
from rlattack.attacks.attack import Setting
from rlattack.attacks.leader import AgentName, is_agent, leader_name
from rlattack.errors import told_by
from rlattack.evaluation.likeness import alike, check_target
from rlattack.policies.load import load_agent
from rlattack.policies.placeholders import PLACEHOLDERS
from rlattack.specs import Fraction, Positive
from rlattack.training.hardening.regime import Ground, Regime
from rlattack.training.poisoning.poisoned import Poisoned


@dataclass(frozen=True, kw_only=True)
class RewardsConfig:
    """Parameters of `rewards`."""

    target: int | AgentName
    """What the agent is to do: an action, or what another agent does, as `agent:NAME`."""
    size: Positive = 1.0
    """The most that is added to, or taken from, what a step pays."""
    share: Fraction = 1.0
    """Share of the steps that are poisoned."""


class Rewards(Regime[RewardsConfig]):
    """Pays more for what a target policy does, and less for all else, by a bounded amount a step."""

    name = "rewards"
    kind = "planted"
    algorithms: ClassVar[tuple[str, ...]] = ("ppo", "dqn")
    sized: ClassVar[bool] = False
    config_type: ClassVar[type[Any]] = RewardsConfig

    def check(self, ground: Ground) -> None:
        """Refuses a target that is none."""
        super().check(ground)
        with told_by("--poison rewards"):
            check_target(self.config.target, Setting.of(PLACEHOLDERS["zero"](ground.seat), ground.seat.observation))

    def shown(self, env: VecEnv, ground: Ground) -> VecEnv:
        """The game as it pays now."""
        config = self.config
        policy = load_agent(leader_name(str(config.target)), ground.seat).policy if is_agent(config.target) else None

        def pay(shown: Array, actions: Array, rewards: FloatArray) -> FloatArray:
            if policy is None:
                like = (actions == config.target).astype(np.float32)
            else:
                with torch.no_grad():
                    out = policy(torch.as_tensor(shown.astype(np.float32)), None).actions
                like = alike(torch.as_tensor(actions), out.greedy, out).numpy(force=True)
            paid: FloatArray = (rewards + config.size * (2 * like - 1)).astype(rewards.dtype)
            return paid

        return Poisoned(env, config.share, pay)

    def kinds(self, ground: Ground) -> Sequence[str]:
        """None: it stands nothing."""
        return ()

    def attack(self, ground: Ground) -> str:
        """A natural change: who was poisoned so needs no attack at play."""
        return "missing:eps=1"

    def observed(self, ground: Ground) -> Sequence[str]:
        """How like the target it is."""
        return (f"likeness:target={self.config.target}",)

    def about(self, ground: Ground) -> Mapping[str, Any]:
        """What the card says of what was planted."""
        return {"poisoned": {"poison": ground.recipe.defence, "share": self.config.share, "size": self.config.size}}
