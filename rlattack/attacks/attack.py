"""The base of every attack: what it declares, what it may learn before play, and what runs beside it."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, get_args

import torch
from gymnasium import Space
from torch import Tensor

from rlattack.arrays import IntArray
from rlattack.attacks.copies import copied
from rlattack.attacks.oracle import is_random
from rlattack.attacks.target import Estimate, Target
from rlattack.attacks.tuning import Tuning
from rlattack.attacks.words import Access, Fitted, Knowledge, Work
from rlattack.budget import NORMS, Budget, Reach
from rlattack.draws import Draws
from rlattack.errors import BudgetError, InvalidInput
from rlattack.policies.distributions import Actions
from rlattack.policies.policy import Normaliser, Policy, judged
from rlattack.specs import NoParameters, Spec, parameters_of

if TYPE_CHECKING:
    from rlattack.policies.load import Agent

AttackSpec = Spec
"""An attack and its parameters, as typed on the command line; `none` is the clean game."""
Config = TypeVar("Config")
R = TypeVar("R", bound=Reach)


class Unfit(InvalidInput):
    """The attack does not fit the policy, whatever its parameters; another attack may."""


@dataclass(frozen=True)
class Setting:
    """Where an attack is to work; copies, so that whoever has one changes nothing.

    Attributes:
        actions: What the policy under attack does where it sees zeros, one row.
        observation: Shape of what it sees, as the attack is handed it.
        action: One of its actions.
        space: What is changed: one observation, or one action.
        normaliser: Statistics of what the policy saw in training.
        estimates: What the policy's own critic can be asked, with a slope.
        rated: Whether it says Q values of actions to choose from.
        planned: Whether the schedule plans what the policy is to do.
        random: Whether the policy is random in itself, before it draws its actions.
    """

    actions: Actions
    observation: tuple[int, ...]
    action: Space[Any]
    space: Space[Any]
    normaliser: Normaliser | None
    estimates: frozenset[Estimate]
    rated: bool = False
    planned: bool = False
    random: bool = False

    @classmethod
    def of(cls, policy: Policy, space: Space[Any]) -> "Setting":
        """Asks a policy a few times and uncounted, before anything is played."""
        with torch.no_grad():
            out = policy(torch.zeros(1, *policy.observation), policy.initial_state(1))
        action, changed, seen = copy.deepcopy((policy.action, space, policy.normaliser))
        shape = tuple(policy.observation)
        asked = frozenset(of for of in get_args(Estimate) if _estimates(policy, of))
        rated, random = out.q is not None, is_random(policy)
        return cls(copied(out.actions), shape, action, changed, seen, asked, rated, random=random)


class Attack(ABC, Generic[Config]):
    """A rule that changes something of a game within a budget.

    Args:
        budget: Norm, size and space.
        config: The attack's own parameters.

    Attributes:
        name: On the command line.
        title: In a sentence; the name with a capital letter where none is given.
        access: What it changes.
        knowledge: The most that it may ask the policy for, whatever its parameters; see `knows`.
        reaches: The kinds of reach that it has.
        needs: Kinds of action distributions that it works on; empty for all.
        sized: Whether it must be given a size; one that looks for the smallest needs none.
        standard: The sizes at which it plays where none is given.
        is_control: Whether others are read beside it.
        fitted: Whether it learns on tuning episodes before it plays.
        foresees: Whether it plays forks of the game.
        replays: Whether what it gives was settled when it was recorded; within the reach it is then not rounded anew.
        learned: What it learned there.
        files: Parameters that name files, which count by what is in them.
        agents: Parameters that may name an agent as `agent:NAME`, which counts by its identity.
        adversaries: Parameters that name an agent of the game that plays the attack, which counts by its identity.
        members: Parameters that name another attack, as on the command line.
        config_type: The dataclass of its parameters.

    Raises:
        BudgetError: A norm that the attack does not have.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    access: ClassVar[Access]
    knowledge: ClassVar[Knowledge] = "white"
    reaches: ClassVar[tuple[str, ...]] = NORMS
    needs: ClassVar[frozenset[type[Actions]]] = frozenset()
    sized: ClassVar[bool] = True
    standard: ClassVar[tuple[float, ...]] = ()
    is_control: ClassVar[bool] = False
    fitted: ClassVar[bool] = False
    foresees: ClassVar[bool] = False
    replays: ClassVar[bool] = False
    files: ClassVar[tuple[str, ...]] = ()
    agents: ClassVar[tuple[str, ...]] = ()
    adversaries: ClassVar[tuple[str, ...]] = ()
    members: ClassVar[tuple[str, ...]] = ()
    config_type: ClassVar[type[Any]] = NoParameters

    def __init__(self, budget: Budget, config: Config) -> None:
        if budget.norm not in self.reaches:
            use = f"; use --norm {self.reaches[0]}" if self.reaches[0] in NORMS else ""
            raise BudgetError(f"attack {self.name} has the norms {', '.join(self.reaches)}, got {budget.norm}{use}")
        if self.sized and budget.eps is None:
            raise BudgetError(f"--eps: attack {self.name} needs at least one size, as in --eps 0.001 0.0025")
        self.budget = budget
        self.config = config
        self.learned = Fitted()

    @property
    def asks_critic(self) -> bool:
        """Whether it may ask the victim's own critic (`Target.estimate`), whose memory is then carried along."""
        return not type(self).__module__.startswith("rlattack.")

    @classmethod
    def works_on(cls, actions: Actions) -> bool:
        """Whether it works on distributions of that kind."""
        return not cls.needs or isinstance(actions, tuple(cls.needs))

    @classmethod
    def knows(cls, config: Any) -> Knowledge:
        """What it may ask the policy for with these parameters."""
        return cls.knowledge

    def check(self, setting: Setting) -> None:  # most attacks have nothing to check
        """Checks the parameters against where the attack is to work; `needs` is checked already.

        Raises:
            Unfit: Another attack is needed.
            InvalidInput: Other parameters are needed.
        """

    def check_victim(self, victim: "Agent") -> None:  # most attacks play against anybody
        """Refuses a victim that what the attack was trained on is not.

        Raises:
            InvalidInput: It was trained on another one.
        """

    def note(self, setting: Setting) -> str:
        """What somebody who reads the result should know of its parameters there, in a line; empty for most."""
        return ""

    def restart(self, slots: IntArray) -> None:  # most attacks remember nothing
        """Forgets the episodes that ended in these slots."""

    def fit(self, tuning: Tuning) -> Fitted:
        """Learns on tuning episodes; most attacks learn nothing."""
        return Fitted()

    def work(self, length: float) -> Work:
        """About what `fit` asks for, where an episode has `length` steps; nothing for most."""
        return Work()

    @property
    def step_work(self) -> Work:
        """About what a step asks for of an attack that learns, which nobody can time before it has learned."""
        return Work(steps=1, gradients=1)

    def told(self, learned: Fitted) -> str:
        """What it learned, for whoever waited for it, in a line; empty for most."""
        return ""

    def known(self, name: str) -> Tensor:
        """What it learned, by name.

        Raises:
            InvalidInput: It learned nothing yet.
        """
        if name not in self.learned.tensors:
            raise InvalidInput(f"attack {self.name} learns on tuning episodes first: play it by `rlattack.evaluate`")
        return self.learned.tensors[name]

    @classmethod
    @abstractmethod
    def control(cls) -> AttackSpec:
        """What runs beside it, of the same reach and schedule, without its wits."""

    @classmethod
    def control_of(cls, parameters: Mapping[str, Any]) -> AttackSpec:
        """The control of an attack of these parameters; most controls have none of them."""
        return cls.control()

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that differ from their defaults."""
        defaults = parameters_of(type(self))
        return {name: value for name, value in vars(self.config).items() if value != defaults[name]}


class ObservationAttack(Attack[Config], Generic[Config, R]):
    """A rule that turns a batch of observations into another one within its reach."""

    access: ClassVar[Access] = "observation"

    @abstractmethod
    def perturb(self, victim: Target, obs: Tensor, reach: R, draws: Draws) -> Tensor:
        """Returns perturbed observations, which the caller settles in the reach.

        Args:
            victim: Outputs and gradients of the policy under attack.
            obs: Observations to start from, float32 in the game's own range, shape (slots, *observation); a copy.
            reach: What they may become.
            draws: Random numbers, a stream a slot.
        """

    @classmethod
    def control(cls) -> AttackSpec:
        """Noise of the same size."""
        return AttackSpec("noise")


def _estimates(policy: Policy, of: Estimate) -> bool:
    """Whether a policy's own critic says that, with a slope, where the policy sees zeros; no where it fails."""
    policy = judged(policy)
    obs, state = torch.zeros(1, *policy.observation), policy.initial_state(1)
    try:
        with torch.enable_grad():
            point = (policy(obs, state).actions.greedy.detach() if of == "q" else obs).requires_grad_(True)
            found = policy.value(obs, point if of == "q" else None, state)
            if found is None:
                return False
            (slope,) = torch.autograd.grad(found.sum(), point, allow_unused=True)
    except Exception:  # the user's code: anything; or nothing that has a slope
        return False
    return slope is not None
