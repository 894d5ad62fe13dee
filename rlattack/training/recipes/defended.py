"""The recipes of defended victims, one or several: agents that learn to stand attacks on what they see."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from rlattack.budget import Norm, Unit
from rlattack.training.recipes.recipe import AGENT, SEEDS, Recipe
from rlattack.training.recipes.victim import NetworkSize, TrainSingle

if TYPE_CHECKING:
    from rlattack.evaluation.study import Study

POISON = "--poison"
"""The option of what is planted."""


@dataclass(frozen=True, kw_only=True)
class DefendedRecipe(Recipe):
    """What recipes of one and of several defended victims share.

    Raises:
        InvalidInput: A value outside its range.
    """

    eps: float | None = None
    """Size per entry that it is to stand, in units of --space, as `rlattack attack` has it; those that need none say
    so."""
    norm: Norm = "linf"
    """Largest entry, root mean square, or mean; most have linf."""
    space: Unit = "unit"
    """Pixels over 255, the game's own range, or standard deviations of what it sees in training."""
    victim: Annotated[str | None, AGENT] = None
    """Start from this agent: its weights, and its observation statistics, frozen; of distil and garbage the teacher."""
    victim_temperature: float = 1.0
    """Divide the --victim's scores by this before it goes on: above 1, one that hardly draws explores again. Of ppo
    and discrete actions."""
    algo: Literal["ppo", "dqn"] = "ppo"
    """The learner, with the settings of `rlattack train victim`."""
    steps: int = 1_000_000
    """Agent steps to learn from, of each seed."""
    network: NetworkSize = "small"
    """For images, of students and without a --victim: half the channels of Mnih et al. 2015, or all of them."""
    learning_rate: float | None = None
    """At the start; the published one by default, which falls as in `rlattack train victim`."""
    sticky: float | None = None
    """Probability that the emulator repeats the last action; the card's by default."""
    env_args: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE ...")] = ()
    """Arguments of a Gymnasium environment, or of a control task, as rules=v4."""
    frame_stack: int | None = None
    """Observations of a Gymnasium environment, or frames of an Atari game, that are stacked; the card's by default."""
    channels: Literal["as-shown", "first"] | None = None
    """first: pictures of a Gymnasium environment are turned to (channels, height, width); the card's by default."""
    seeds: tuple[int, ...] = (0,)
    """Each trains an agent from the start; the one that earns most under --attack in tuning episodes ships."""
    workers: int | None = None
    """Seeds that learn at once, a process each; one a core by default. Changes no result."""
    envs: int = 8
    """Copies of the game played at once."""
    checkpoint_every: int = 100_000
    """Agent steps between checkpoints; at each, games begin anew, so that a killed run of ppo goes on as one that was
    not."""
    attack: Annotated[str | None, tyro.conf.arg(metavar="NAME[:key=value,...]")] = None
    """Attack at --eps by which seeds are chosen and that stands on the card; by default pgd, of discrete actions with
    loss=margin."""
    tuning: int = 20
    """Episodes by which the best of several seeds is chosen."""
    episodes: int = 50
    """Fresh episodes whose score goes on the agent's card: clean ones, under noise, and under the attack."""

    beside: ClassVar[tuple[str, ...]] = (*Recipe.beside, "workers", "attack")
    free: ClassVar[tuple[str, ...]] = ("steps", "seeds")

    def __post_init__(self) -> None:
        super().__post_init__()
        different = 0 < len(self.seeds) == len(set(self.seeds)) and min(self.seeds) >= 0
        self.expect("seeds", f"different numbers of 0 to {SEEDS - self.envs}", different)
        self.expect("seeds", f"different numbers of 0 to {SEEDS - self.envs}", max(self.seeds) <= SEEDS - self.envs)
        if self.workers is not None:
            self.expect("workers", "at least 1", self.workers >= 1)
        self.expect("victim_temperature", "a number above 0", 0 < self.victim_temperature < math.inf)
        if self.victim_temperature != 1:
            self.expect("victim_temperature", "a --victim whose scores it divides, or 1", self.victim is not None)
        self.single(0)  # refuses what no learner of one seat takes

    def single(self, seed: int) -> TrainSingle:
        """The recipe of an undefended victim of the same learner."""
        shared = ("game", "algo", "network", "learning_rate", "sticky", "envs", "device", "threads")
        same: dict[str, Any] = {name: getattr(self, name) for name in shared}
        return TrainSingle(**same, seed=seed, steps=self.steps)

    @property
    def options(self) -> Mapping[str, Any]:
        """What the command changes of the game's options."""
        return self.study("", "").options

    def study(
        self, agent: str, attack: str, fronts: Sequence[str] = (), *, episodes: int = 1, seed: int = 0
    ) -> "Study":
        """The game of a trained agent, under an attack or clean.

        Args:
            agent: Who plays.
            attack: As typed; none for clean play.
            fronts: What stands before the agent.
            episodes: How many.
            seed: Of the run.
        """
        from rlattack.evaluation.study import Study

        same: dict[str, Any] = {name: getattr(self, name) for name in _OF_A_STUDY}
        if attack:
            same |= {"attack": (attack,), "eps": () if self.eps is None else (self.eps,)}
        return Study(**same, players=(agent or "random",), defence=tuple(fronts), episodes=episodes, seed=seed)


@dataclass(frozen=True, kw_only=True)
class TrainDefended(DefendedRecipe):
    """Train an agent that stands attacks on what it sees, from nothing or from an agent that there is.

    `rlattack list defences` shows what there is, with the paper of each. If killed, the same command with --resume
    goes on; of ppo it ends with the same agent (a dqn's replay is filled anew). In TensorBoard train/robustness is the
    part of the loss that the defence adds, and rollout/ep_rew_mean what is earned in training.

    Raises:
        InvalidInput: A value outside its range.
    """

    defence: Annotated[str, tyro.conf.arg(metavar="NAME[:key=value,...]")]
    """How it learns to stand attacks, as sa:kappa=0.3,solver=convex; none for an undefended twin."""

    verb: ClassVar[str] = "defended"
    option: ClassVar[str] = "--defence"
    """The option that says how it learns."""

    @property
    def name(self) -> str:
        """Last part of the default id of the agent: the defence's."""
        return self.defence.partition(":")[0]


@dataclass(frozen=True, kw_only=True)
class TrainPoisoned(TrainDefended):
    """Train an agent in whose lessons somebody plants something: a backdoor, or another policy by what is paid.

    `rlattack list poisons` shows what there is, with the paper of each. The card says what was planted, and how like
    the target the agent is with and without the trigger.

    Raises:
        InvalidInput: A value outside its range.
    """

    defence: Annotated[str, tyro.conf.arg(name="poison", metavar="NAME:key=value,...")]
    """What is planted, as backdoor:target=2 or rewards:target=agent:ID."""

    verb: ClassVar[str] = "poisoned"
    option: ClassVar[str] = POISON


_OF_A_STUDY = ("game", "norm", "space", "sticky", "env_args", "frame_stack", "channels", "trust", "plugin")
"""Options that say what is played, as those of `rlattack attack` do."""
