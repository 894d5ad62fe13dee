"""Regimes: how a learner is hardened against attacks on what it sees, and where it learns."""

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

from gymnasium import Space
from gymnasium.spaces import Box
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from rlattack.budget import Budget
from rlattack.defences import FRONTS
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.load import Agent
from rlattack.registry import Registry
from rlattack.specs import NoParameters, make
from rlattack.training.extractor import ConvolutionalExtractor
from rlattack.training.learner import Learner, begin, learn_in_parts
from rlattack.training.recipes import POISON, TrainDefended
from rlattack.training.run import TrainingRun
from rlattack.training.watch import Trained, Watch

Config = TypeVar("Config")
Kind = Literal["discrete", "continuous"]
"""Actions to choose from, or numbers."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where an agent is hardened.

    Attributes:
        run: Of the training; `run.recipe` says what was asked for, with nothing left to be settled.
        seat: What the agent sees and does.
        budget: Size and space that it is to stand; its `eps` is None where the regime needs none.
        victim: Whom it starts from, or learns of; None where it starts from nothing.
        learner: Makes the whole `Learner` of a seed, with its folder in the run and what its agent's card says.
    """

    run: TrainingRun[TrainDefended]
    seat: Seat
    budget: Budget
    victim: Agent | None
    learner: Callable[[int], Learner]

    @property
    def recipe(self) -> TrainDefended:
        """What was asked for."""
        return self.run.recipe

    @property
    def kind(self) -> Kind:
        """What kind of actions there are."""
        return kind_of(self.seat.action)


class Regime(ABC, Generic[Config]):
    """A way to harden a learner; it writes only what differs from plain learning.

    Most change what a learner of Stable-Baselines3 minimises (see `hardening.losses`), or what it sees; one that is no
    such learner writes `learn` itself, and leaves in `folder/seed-N` of the run what a `Learner` would: an `agent`.

    Args:
        config: The regime's own parameters.

    Attributes:
        name: On the command line.
        kind: Beside fronts, which stand before any agent.
        algorithms: Those of `--algo` that it has; empty where it is no learner of these.
        actions: The kinds of actions that it has.
        reaches: The norms that it has.
        sized: Whether it must be given a size.
        needs_victim: Whether it must be given an agent.
        config_type: The dataclass of its parameters.
    """

    name: ClassVar[str]
    kind: ClassVar[str] = "trained"
    algorithms: ClassVar[tuple[str, ...]] = ("ppo",)
    actions: ClassVar[tuple[Kind, ...]] = ("discrete", "continuous")
    reaches: ClassVar[tuple[str, ...]] = ("linf",)
    sized: ClassVar[bool] = True
    needs_victim: ClassVar[bool] = False
    config_type: ClassVar[type[Any]] = NoParameters

    def __init__(self, config: Config) -> None:
        self.config = config

    def check(self, ground: Ground) -> None:
        """Checks that the ground is one on which it can harden; what is told here was not played for.

        Raises:
            InvalidInput: Actions, an algorithm, a norm or a victim that the regime does not have.
        """
        recipe, told = ground.recipe, f"{ground.recipe.option} {self.name}"
        if ground.kind not in self.actions:
            raise InvalidInput(
                f"{told}: is for {' or '.join(self.actions)} actions, {recipe.game} has {ground.kind} ones"
            )
        if self.algorithms and recipe.algo not in self.algorithms:
            raise InvalidInput(f"{told}: is for --algo {' or '.join(self.algorithms)}, got {recipe.algo}")
        if self.algorithms and recipe.algo == "dqn" and ground.kind == "continuous":
            raise InvalidInput(f"--algo dqn: {recipe.game} has continuous actions; choose --algo ppo")
        if recipe.norm not in self.reaches:
            raise InvalidInput(f"{told}: has the norms {', '.join(self.reaches)}, got --norm {recipe.norm}")
        draws = recipe.algo in self.algorithms and recipe.algo == "ppo" and ground.kind == "discrete"
        if recipe.victim_temperature != 1 and not draws:
            raise InvalidInput(
                f"--victim-temperature: is for ppo of discrete actions, which goes on from the scores of its --victim; "
                f"leave it out for {told} of {recipe.game}"
            )
        if self.needs_victim and ground.victim is None:
            raise InvalidInput(f"{told}: learns of an agent that there is; name it by --victim")

    def begin(self, ground: Ground) -> None:
        """Opens the run; what cannot be learned, gone on with or written is refused before a file is made."""
        recipe = ground.recipe
        begin([ground.learner(seed) for seed in recipe.seeds], (recipe.id, recipe.folder))

    def learn(self, ground: Ground, seed: int, watch: Watch) -> Trained:
        """Lets one seed learn, or go on from its checkpoint, to the end.

        Raises:
            KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
        """
        return learn_in_parts(ground.learner(seed), watch)

    def shown(self, env: VecEnv, ground: Ground) -> VecEnv:
        """What the learner sees of its game, before it normalises that; the game itself by default."""
        return env

    def harden(self, model: BaseAlgorithm, ground: Ground) -> None:
        """Changes a new learner, one of `hardening.learners`, before it learns.

        By default its trunk computes in float32: bfloat16 would round a change of one grey level away.
        """
        model.whole = ground.recipe.steps  # type: ignore[attr-defined]  # of `hardening.learners`
        for part in model.policy.modules():
            if isinstance(part, ConvolutionalExtractor):
                part.exact()

    def fronts(self, ground: Ground) -> Sequence[str]:
        """What stands before the agent where it plays, as `rlattack attack --defence` takes it; nothing by default."""
        return ()

    def kinds(self, ground: Ground) -> Sequence[str]:
        """What its training meets, for the card: norms, or names of natural changes; by default its norm."""
        return (ground.recipe.norm,)

    def observed(self, ground: Ground) -> Sequence[str]:
        """What else its card tells of its play, as `rlattack attack --observe` takes it; nothing by default."""
        return ()

    def about(self, ground: Ground) -> Mapping[str, Any]:
        """What else its card says of its training; nothing by default."""
        return {}

    def attack(self, ground: Ground) -> str:
        """The attack by which seeds are chosen where none is named: by default PGD on the margin, or on the mean.

        Without a size it is a natural change, which has one of its own.
        """
        if ground.recipe.eps is None:
            return "missing:eps=1"
        return "pgd" if ground.kind == "continuous" else "pgd:loss=margin"


REGIMES: Registry[type[Regime[Any]]] = Registry(
    "defence",
    {
        "none": "rlattack.training.hardening.plain:Plain",
        "distil": "rlattack.training.hardening.distil:Distil",
        "garbage": "rlattack.training.hardening.garbage:Garbage",
        "sa": "rlattack.training.hardening.sa:SA",
        "radial": "rlattack.training.hardening.radial:Radial",
        "car": "rlattack.training.hardening.car:CAR",
        "bar": "rlattack.training.hardening.bar:BAR",
        "wocar": "rlattack.training.hardening.wocar:WocaR",
        "atla": "rlattack.training.hardening.atla:ATLA",
        "pa-atla": "rlattack.training.hardening.atla:PAATLA",
        "adversarial": "rlattack.training.hardening.adversarial:Adversarial",
        "smoothed": "rlattack.training.hardening.smoothed:Smoothed",
        "natural": "rlattack.training.hardening.natural:NaturalTraining",
    },
    group="rlattack.regimes",
)
"""Entries of other packages stand in the group `rlattack.regimes`."""
POISONS: Registry[type[Regime[Any]]] = Registry(
    "poison",
    {
        "backdoor": "rlattack.training.poisoning.backdoor:Backdoor",
        "rewards": "rlattack.training.poisoning.rewards:Rewards",
    },
)
"""What is planted in an agent as it learns, which is trained as a defended one is."""


def regime_of(recipe: TrainDefended) -> Regime[Any]:
    """How the recipe's agent is hardened.

    Raises:
        UnknownName: No such regime or parameter.
        InvalidInput: A front, or a parameter that does not fit.
    """
    if recipe.option == POISON:
        poison: Regime[Any] = make("poison", POISONS, recipe.defence)
        return poison
    if recipe.name in FRONTS and recipe.name not in REGIMES:
        raise InvalidInput(
            f"--defence {recipe.name}: is a front, which stands before any agent and is not trained: "
            f"`rlattack attack {recipe.game} --victim AGENT --defence {recipe.defence}`"
        )
    regime: Regime[Any] = make("defence", REGIMES, recipe.defence)
    return regime


def kind_of(action: Space[Any]) -> Kind:
    """What kind of actions a seat has."""
    return "continuous" if isinstance(action, Box) else "discrete"
