"""Adversaries that `rlattack train perturber` trained: what attacks share that play one."""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from rlattack.attacks.attack import Attack, ObservationAttack, Setting
from rlattack.attacks.director import led
from rlattack.attacks.target import Target
from rlattack.budget import Ball, Budget
from rlattack.device import CPU
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.load import Agent, load_agent
from rlattack.policies.placed import placed
from rlattack.specs import parameters_of

TRAINED_BY = "rlattack train perturber GAME --victim AGENT --attack"


@dataclass(frozen=True, kw_only=True)
class LearnedConfig:
    """Parameters of attacks that play a trained adversary."""

    agent: str = ""
    """The adversary, an agent of `rlattack train perturber`; needed to play."""
    transfer: bool = False
    """Lets it play against another victim than the one that it learned to perturb."""


Config = TypeVar("Config", bound=LearnedConfig)


class Learned(Attack[Config]):
    """Does what an adversary says, by its mean: numbers in [-1, 1]; an attack writes what they mean.

    Attributes:
        tell: Says it, shape (slots, outputs), of observations: the trained adversary, or who is learning.

    Raises:
        RlattackError: There is no such agent, or it is no adversary of this attack.
    """

    adversaries: ClassVar[tuple[str, ...]] = ("agent",)
    config_type: ClassVar[type[Any]] = LearnedConfig
    tell: Callable[[Tensor], Tensor] | None = None

    def __init__(self, budget: Budget, config: Config) -> None:
        super().__init__(budget, config)
        self._agent: Agent | None = None
        self._about: dict[str, Any] = {}
        if not config.agent:
            return
        with torch.device(CPU):
            self._agent = load_agent(config.agent)
        self._about = self._told_of(self._agent)
        policy = placed(self._agent.policy, str(torch.get_default_device()))
        self.tell = lambda obs: led(policy(obs).actions)

    @abstractmethod
    def outputs(self, setting: Setting) -> int:
        """How many numbers the adversary says."""

    def check(self, setting: Setting) -> None:
        """Refuses an adversary of another shape, and none at all.

        Raises:
            InvalidInput: It sees or says something else than this victim takes, or there is none.
        """
        if self.tell is None:
            raise InvalidInput(
                f"attack {self.name}: expected agent=ID, an adversary: `{TRAINED_BY} {self.name}` trains one"
            )
        if self._agent is None:
            return
        sees = tuple(self._agent.policy.observation)
        with torch.no_grad():
            says = math.prod(self.tell(torch.zeros(1, *sees)).shape[1:])
        if (sees, says) != (setting.observation, self.outputs(setting)):
            raise InvalidInput(
                f"{self.config.agent}: expected an adversary that sees {setting.observation} and says "
                f"{self.outputs(setting)} numbers, got one that sees {sees} and says {says}"
            )

    def check_victim(self, victim: Agent) -> None:
        """Refuses another victim than the one that the adversary learned on, unless `transfer`.

        Raises:
            InvalidInput: It is another one.
        """
        learned_on = self._about.get("victim_identity")
        if self._agent is not None and not self.config.transfer and learned_on != victim.identity:
            raise InvalidInput(
                f"attack {self.name}: {self.config.agent} learned to perturb another victim, "
                f"{self._about.get('victim')}, than {victim.name}; transfer=true plays it nevertheless"
            )

    @property
    def circumstances(self) -> dict[str, Any]:
        """What an adversary learns for: the size, and the attack's other parameters; its card tells the same."""
        own = {name: value for name, value in vars(self.config).items() if name not in ("agent", "transfer")}
        return {name: getattr(self.budget, name) for name in ("norm", "eps", "space")} | own

    def note(self, setting: Setting) -> str:
        """Says where it plays at another size, or with other parameters, than it learned with."""
        plays, defaults = self.circumstances, parameters_of(type(self))
        learned = {name: self._about.get(name, defaults.get(name)) for name in plays}
        if self._agent is None or learned == plays:
            return ""
        return f"{self.config.agent} learned at {_words(learned)} and plays at {_words(plays)}"

    def said(self, obs: Tensor) -> Tensor:
        """What the adversary says of observations, in [-1, 1], shape (slots, outputs)."""
        assert self.tell is not None, "checked before play"
        with torch.no_grad():
            return self.tell(obs).clamp(-1, 1)

    def _told_of(self, agent: Agent) -> dict[str, Any]:
        """What the adversary's card says of what it learned.

        Raises:
            InvalidInput: It is none, or one of another attack.
        """
        about = {} if agent.card is None else agent.card.provenance.get("perturbs", {})
        if not isinstance(about, dict) or about.get("attack") is None:
            raise InvalidInput(
                f"attack {self.name}: expected an adversary that `{TRAINED_BY} {self.name}` trained, got {agent.name}"
            )
        if about["attack"] != self.name:
            raise InvalidInput(
                f"attack {self.name}: {agent.name} is an adversary of {about['attack']}; play it as "
                f"{about['attack']}:agent={agent.name}"
            )
        if not isinstance(about.get("eps"), int | float):
            raise InvalidInput(f"attack {self.name}: the card of {agent.name} tells no eps that it learned at")
        return about


class LearnedObservation(Learned[Config], ObservationAttack[Config, Ball]):
    """Does with what is seen what an adversary says."""

    @abstractmethod
    def moved(self, victim: Target, obs: Tensor, said: Tensor, reach: Ball) -> Tensor:
        """What becomes of observations, shape (slots, *observation), by what the adversary said, in [-1, 1]."""

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Asks the adversary, and does what it says."""
        return self.moved(victim, obs, self.said(obs), reach)


def _words(circumstances: Mapping[str, Any]) -> str:
    size = "{norm} {eps:g} {space}".format(**circumstances)
    own = [f"{name}={value}" for name, value in circumstances.items() if name not in ("norm", "eps", "space")]
    return ", ".join([size, *own])
