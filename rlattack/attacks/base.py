"""The base of every attack on observations: an attack writes only its own idea; the base projects and checks."""

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

from torch import Tensor

from rlattack.attacks.streams import Streams
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import NORMS, Ball, Budget, Norm
from rlattack.errors import BudgetError
from rlattack.policies.gaussian import AnyPolicy

__all__ = ["Attack", "NoParameters"]

Config = TypeVar("Config")


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoParameters:
    """For attacks that take none."""


class Attack(ABC, Generic[Config]):
    """A rule that turns a batch of observations into another one within a budget.

    Args:
        budget: Norm, size and space; None only for `none`.
        config: The attack's own parameters.

    Raises:
        BudgetError: A norm that the attack does not have.
    """

    name: ClassVar[str]
    knowledge: ClassVar[Knowledge] = "white"
    norms: ClassVar[tuple[Norm, ...]] = NORMS
    config_type: ClassVar[type[Any]] = NoParameters

    def __init__(self, budget: Budget, config: Config) -> None:
        if budget.norm not in self.norms:
            raise BudgetError(f"attack {self.name} has the norms {', '.join(self.norms)}, got {budget.norm}")
        self.budget = budget
        self.config = config

    @abstractmethod
    def perturb(self, victim: Target, obs: Tensor, ball: Ball, rng: Streams) -> Tensor:
        """Returns perturbed observations, which the caller projects and, with `grid`, rounds.

        Args:
            victim: Outputs and gradients of the policy under attack.
            obs: Observations to start from, float32 in the game's own range, shape (slots, *observation).
            ball: The budget around them.
            rng: Random numbers, a stream a slot.
        """

    def check(self, policy: AnyPolicy) -> None:  # most attacks have nothing to check
        """Checks the parameters against the policy to be attacked.

        Raises:
            InvalidInput: They do not fit.
        """

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that differ from their defaults."""
        fields = dataclasses.fields(self.config)  # type: ignore[arg-type]  # every Config is a dataclass
        values = {field.name: getattr(self.config, field.name) for field in fields}
        return {field.name: values[field.name] for field in fields if values[field.name] != field.default}
