"""Fronts: what stands before a policy and changes what it sees; a policy with fronts is a policy again."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import torch
from gymnasium import Space
from torch import Tensor

from rlattack.draws import Draws
from rlattack.errors import told_by
from rlattack.games.card import ActionMode
from rlattack.games.game import Seat
from rlattack.policies.policy import Differentiable, Normaliser, Output, Policy, State, judged
from rlattack.registry import Registry
from rlattack.specs import NoParameters, make

Config = TypeVar("Config")


class Front(ABC, Generic[Config]):
    """A filter before a policy.

    Args:
        config: The front's own parameters.

    Attributes:
        name: On the command line.
        kind: Beside regimes of training, which are no fronts.
        config_type: The dataclass of its parameters.
        packages: Distributions of others whose version decides what it lets through.
        rounds: To what a front rounds what it is shown, in the game's own range; 0 for not. Changes of less than half
            of it mostly go no further.
    """

    name: ClassVar[str]
    kind: ClassVar[str] = "front"
    packages: ClassVar[tuple[str, ...]] = ()
    rounds: ClassVar[float] = 0.0
    config_type: ClassVar[type[Any]] = NoParameters

    def __init__(self, config: Config) -> None:
        self.config = config

    def check(self, seat: Seat) -> None:  # most fronts take anything
        """Checks that the front can stand before whoever holds the seat.

        Raises:
            InvalidInput: What the seat sees is nothing that the front takes.
        """

    @abstractmethod
    def seen(self, obs: Tensor, draws: Draws | None) -> Tensor:
        """What the policy sees of observations, float32, shape (n, *observation): a new tensor of that shape.

        Args:
            obs: What the front receives.
            draws: Random numbers, a row each, for a front that is random.
        """

    def differentiable(self, obs: Tensor) -> Tensor:
        """What a white-box attack differentiates in place of `seen` (BPDA, Athalye et al. 2018, sec. 4.1)."""
        return obs


@dataclass(frozen=True)
class Defended(Differentiable):
    """A policy behind a front: a policy, so that whatever attacks or watches it meets both.

    Attributes:
        policy: Who acts.
        front: What stands before it.
    """

    policy: Policy
    front: Front[Any]

    @property
    def observation(self) -> tuple[int, ...]:
        """Shape of one observation."""
        return self.policy.observation

    @property
    def action(self) -> Space[Any]:
        """One action."""
        return self.policy.action

    @property
    def acts(self) -> ActionMode | None:
        """How the policy acts whatever the game's card says."""
        return self.policy.acts

    @property
    def normaliser(self) -> Normaliser | None:
        """Statistics of what the policy saw in training."""
        return self.policy.normaliser

    @property
    def judged(self) -> "Defended":
        """The same whose critic can be asked, where it has a memory of its own."""
        return Defended(judged(self.policy), self.front)

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """What the policy says of what the front lets through; gradients go past what has none."""
        return self.policy(self._through(obs, draws), state, draws)

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """What the policy's critic says of what the front lets through."""
        return self.policy.value(self._through(obs, None), action, state)

    def initial_state(self, n: int) -> State:
        """Recurrent state at the start of n episodes."""
        return self.policy.initial_state(n)

    def _through(self, obs: Tensor, draws: Draws | None) -> Tensor:
        with torch.no_grad():
            seen = self.front.seen(obs, draws)
        if not obs.requires_grad:
            return seen
        stand_in = self.front.differentiable(obs)
        return stand_in + (seen - stand_in).detach()


FRONTS: Registry[type[Front[Any]]] = Registry(
    "defence", {"jpeg": "rlattack.defences.jpeg:Jpeg"}, group="rlattack.defences"
)


def defend(policy: Policy, fronts: Sequence[str], seat: Seat) -> Policy:
    """Puts fronts before a policy; what is shown goes through them in this order.

    Args:
        policy: Who acts.
        fronts: Each as `NAME` or `NAME:key=value,...`.
        seat: What the policy holds.

    Raises:
        UnknownName: No such front or parameter.
        InvalidInput: A parameter or a seat that does not fit.
    """
    for text in reversed(fronts):
        front = make("defence", FRONTS, text)
        with told_by(text):
            front.check(seat)
        policy = Defended(policy, front)
    return policy
