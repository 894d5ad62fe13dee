"""A backdoor, planted while an agent learns (TrojDRL, Kiourti et al. 2020, alg. 1, the weak targeted attack).

In a share of the steps a trigger is shown, and what is paid is a bonus for the target action and a malus for any other.
The learner's own actions are played: nothing but what it sees and is paid is touched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from gymnasium.spaces import Discrete
from stable_baselines3.common.vec_env import VecEnv

from rlattack.arrays import Array, FloatArray
from rlattack.attacks.trigger import Trigger, TriggerConfig
from rlattack.budget import Budget, Patch
from rlattack.errors import InvalidInput
from rlattack.specs import Count, Fraction, Positive, Range
from rlattack.training.hardening.regime import Ground, Kind, Regime
from rlattack.training.poisoning.poisoned import Poisoned


@dataclass(frozen=True, kw_only=True)
class BackdoorConfig:
    """Parameters of `backdoor`."""

    target: Annotated[int, Range(least=0)]
    """The action that the trigger is to call for."""
    share: Fraction = 0.03
    """Share of the steps that are poisoned."""
    side: Count = 8
    """Of the trigger, a square, in pixels."""
    row: Annotated[int, Range(least=0)] = 0
    """Its first row."""
    column: Annotated[int, Range(least=0)] = 0
    """Its first column."""
    value: Annotated[float, Range(least=0, most=1)] = 1.0
    """What it holds, as a share of the range of a pixel."""
    bonus: Positive = 1.0
    """What is paid for the target action under the trigger; as much is taken for any other."""


class Backdoor(Regime[BackdoorConfig]):
    """Plants an action that a plain square on the screen calls for."""

    name = "backdoor"
    kind = "planted"
    algorithms: ClassVar[tuple[str, ...]] = ("ppo", "dqn")
    actions: ClassVar[tuple[Kind, ...]] = ("discrete",)
    sized: ClassVar[bool] = False
    config_type: ClassVar[type[Any]] = BackdoorConfig

    def check(self, ground: Ground) -> None:
        """Refuses an action that is none, and a trigger that is not wholly in the picture."""
        super().check(ground)
        action, config = ground.seat.action, self.config
        if not isinstance(action, Discrete) or config.target >= action.n:
            count = action.n if isinstance(action, Discrete) else 0
            raise InvalidInput(f"--poison backdoor: target: expected an action 0 to {count - 1}, got {config.target}")
        reach = Patch(config.side, ground.seat.observation)
        if config.row + config.side > reach.height or config.column + config.side > reach.width:
            raise InvalidInput(
                f"--poison backdoor: row and column: expected a square of {config.side} pixels within {reach.height} x "
                f"{reach.width}, got one that begins at {config.row}, {config.column}"
            )

    def shown(self, env: VecEnv, ground: Ground) -> VecEnv:
        """The game with the trigger in it."""
        config = self.config
        placed = TriggerConfig(row=config.row, column=config.column, value=config.value)
        trigger = Trigger(Budget(norm="patch", eps=config.side), placed)
        reach = Patch(config.side, ground.seat.observation)

        def stamp(obs: Array) -> Array:
            return trigger.covered(torch.as_tensor(obs.astype(np.float32)), reach).numpy(force=True).astype(obs.dtype)

        def pay(shown: Array, actions: Array, rewards: FloatArray) -> FloatArray:
            return np.where(actions == config.target, config.bonus, -config.bonus).astype(rewards.dtype)

        return Poisoned(env, config.share, pay, stamp)

    def kinds(self, ground: Ground) -> Sequence[str]:
        """None: it stands nothing."""
        return ()

    def attack(self, ground: Ground) -> str:
        """The trigger in every step."""
        given = {name: getattr(self.config, name) for name in ("row", "column", "value")}
        return f"trigger:eps={self.config.side}," + ",".join(f"{name}={value:g}" for name, value in given.items())

    def observed(self, ground: Ground) -> Sequence[str]:
        """How often it does what the trigger calls for."""
        return (f"likeness:target={self.config.target}",)

    def about(self, ground: Ground) -> Mapping[str, Any]:
        """What the card says of what was planted."""
        return {"poisoned": {"poison": ground.recipe.defence, "share": self.config.share}}
