"""The recipe of perturbers: policies that make a frozen victim fail by what it sees or does (Zhang et al. 2021)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from rlattack.budget import Norm, Unit
from rlattack.errors import InvalidInput
from rlattack.training.recipes.recipe import AGENT, SEEDS, Recipe

if TYPE_CHECKING:
    from rlattack.evaluation.study import Study
    from rlattack.specs import Spec


@dataclass(frozen=True, kw_only=True)
class TrainPerturber(Recipe):
    """Train who perturbs what a frozen victim sees or does, within a budget, by PPO on minus the victim's reward.

    With sa-rl (Zhang et al. 2021) it says how far every number moves; with pa-ad (Sun et al. 2022), for pictures too,
    where the victim's decision should go, and gradients through the victim do the rest; with nr-mdp and pr-mdp (Tessler
    et al. 2019) what is done in the victim's place, in part or by chance. With --towards the victim is to do what
    another agent does, and how like demonstrations of it its play seems is what is paid (BIA, Yamabe et al. 2026). If
    killed, the same command with --resume goes on and ends with the same agent. In TensorBoard rollout/ep_rew_mean is
    what is paid: minus the victim's return, or likeness to demonstrations by the discriminator of now.

    Raises:
        InvalidInput: A value outside its range.
    """

    victim: Annotated[str, AGENT]
    """Who is to fail: an agent's id, folder or file."""
    attack: Annotated[str, tyro.conf.arg(metavar="sa-rl|pa-ad[:steps=N]|nr-mdp|pr-mdp")]
    """What the perturber says; steps of pa-ad are gradients through the victim at each of its own."""
    eps: float
    """Size per entry in units of --space, as `rlattack attack` has it; of nr-mdp and pr-mdp per cent."""
    towards: Annotated[str | None, AGENT] = None
    """Whose behaviour the victim is to show, for sa-rl and pa-ad on numbers: an agent of the same game, of which the
    perturber is shown demonstrations. It is then paid by likeness to them, and chosen and scored by likeness."""
    demonstrations: int = 10
    """Clean episodes that --towards plays, in games of their own."""
    states_only: bool = False
    """Demonstrations show states alone, not what was done in them (BIA-ILfO)."""
    norm: Norm = "linf"
    """Largest entry, root mean square, or mean; sa-rl has linf."""
    space: Unit = "unit"
    """Pixels over 255, the game's own range, or standard deviations of what the victim saw in training."""
    device: str = "cpu"
    """cpu, or cuda for the perturber, the victim and gradients through it on a GPU; games stay on the CPU."""
    seat: str | None = None
    """The victim's, by its name on the card of a game of several; by default the one that it was trained for, or the
    last."""
    opponent: Annotated[str | None, AGENT] = None
    """Who holds the other seats of such a game; the perturber is then paid minus what comes for the end of a game."""
    actions: Literal["card", "sampled", "greedy"] = "card"
    """How players choose; `card`: as the game's card says."""
    defence: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FRONT[:key=value,...] ...")] = ()
    """What stands before the victim, as in `rlattack attack`."""
    sticky: float | None = None
    """Probability that the emulator repeats the last action; the card's by default."""
    env_args: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE ...")] = ()
    """Arguments of a Gymnasium environment, or of a control task, as rules=v4."""
    frame_stack: int | None = None
    """Observations of a Gymnasium environment, or frames of an Atari game, that are stacked; the card's by default."""
    channels: Literal["as-shown", "first"] | None = None
    """first: pictures of a Gymnasium environment are turned to (channels, height, width); the card's by default."""
    normaliser: Annotated[str, tyro.conf.arg(metavar="FILE|none")] = ""
    """Statistics of what the victim saw in training; by default those beside its file."""
    seeds: tuple[int, ...] = (0,)
    """Each trains a perturber from the start; that under which the victim earns least in tuning episodes, or is most
    like --towards, becomes the agent."""
    workers: int | None = None
    """Seeds that learn at once, a process each; one a core by default. Changes no result."""
    steps: int = 1_000_000
    """Steps of the victim to learn from, of each seed."""
    envs: int = 16
    """Games played at once."""
    batch: int = 2048
    """Steps between two updates, of 10 epochs, or of 4 where pictures are seen."""
    minibatch: int = 64
    """Steps of a part of an epoch."""
    learning_rate: float = 3e-4
    """At the start; it falls linearly to 0."""
    entropy: float = 0.0
    """Weight of the entropy bonus."""
    checkpoint_every: int = 100_000
    """Steps between checkpoints; at each, games begin anew, so that a killed run goes on as one that was not."""
    tuning: int = 20
    """Episodes by which the best of several seeds is chosen."""
    episodes: int = 50
    """Fresh episodes whose score goes on the agent's card, beside clean ones and noise."""

    verb: ClassVar[str] = "perturber"
    role: ClassVar[str] = "adversary"
    beside: ClassVar[tuple[str, ...]] = (*Recipe.beside, "workers")
    free: ClassVar[tuple[str, ...]] = ("steps", "seeds")

    def __post_init__(self) -> None:
        super().__post_init__()
        different = 0 < len(self.seeds) == len(set(self.seeds))
        self.expect("seeds", f"different numbers of 0 to {SEEDS - 1}", different and min(self.seeds) >= 0)
        self.expect("seeds", f"different numbers of 0 to {SEEDS - 1}", max(self.seeds) < SEEDS)
        self.expect("batch", f"a multiple of --envs {self.envs}", self.batch % self.envs == 0)
        self.expect("minibatch", f"a divisor of --batch {self.batch}, 2 or more", self.minibatch > 1)
        self.expect("minibatch", f"a divisor of --batch {self.batch}, 2 or more", self.batch % self.minibatch == 0)
        self.expect("steps", f"at least {self.batch}, one --batch", self.steps >= self.batch)
        self.expect("learning_rate", "a number above 0", 0 < self.learning_rate < math.inf)
        self.expect("entropy", "a weight of 0 or more", 0 <= self.entropy < math.inf)
        if self.workers is not None:
            self.expect("workers", "at least 1", self.workers >= 1)
        if self.states_only and self.towards is None:
            raise InvalidInput("--states-only: expected --towards, whose demonstrations those are; name an agent")

    @property
    def name(self) -> str:
        """Last part of the default id of the agent: the attack's."""
        return self.attack.partition(":")[0]

    @property
    def spec(self) -> "Spec":
        """The attack.

        Raises:
            InvalidInput: Another one than those that are trained, or towards a target; a parameter that does not fit.
        """
        from rlattack.attacks import ATTACKS, parse_attack  # which need torch

        trained = [name for name, kind in ATTACKS.working() if getattr(kind, "adversaries", ())]
        if self.name not in trained:
            raise InvalidInput(f"--attack: expected {' or '.join(sorted(trained))}, got {self.attack!r}")
        spec = parse_attack(self.attack)
        seen = [name for name in trained if ATTACKS.get(name).access == "observation"]
        if self.towards is not None and spec.name not in seen:
            expected = f"an attack on what the victim sees, {' or '.join(sorted(seen))}"
            raise InvalidInput(f"--towards: expected {expected}, got {self.attack!r}")
        if given := sorted({"agent", "transfer"} & spec.parameters.keys()):
            raise InvalidInput(f"--attack {self.attack}: {given[0]} is for `rlattack attack`: here one is trained")
        return spec

    def study(
        self, seats: Sequence[str], victim: int, attack: str = "", *, target: bool = False, episodes: int = 1,
        seed: int = 0,
    ) -> "Study":  # fmt: skip
        """The victim's game, under an attack or clean.

        Args:
            seats: Names of the game's seats.
            victim: Number of the victim's.
            attack: The attack, as typed.
            target: Whether the one of `towards` plays in the victim's place, with nothing before it.
            episodes: How many.
            seed: Of the run.
        """
        from rlattack.evaluation.study import Study

        more: dict[str, Any] = {} if not attack else {"attack": (attack,), "eps": (self.eps,)}
        same = {name: getattr(self, name) for name in _OF_A_STUDY if not (target and name in _OF_THE_VICTIM)}
        own = str(self.towards) if target else self.victim
        players = tuple(own if number == victim else str(self.opponent) for number in range(len(seats)))
        return Study(**same, players=players, victim=seats[victim], episodes=episodes, seed=seed, **more)


_OF_A_STUDY = (
    "game", "norm", "space", "actions", "defence", "sticky", "env_args", "frame_stack", "channels", "normaliser",
    "trust", "plugin",
)  # fmt: skip
"""Options that say what is played, as those of `rlattack attack` do."""
_OF_THE_VICTIM = ("norm", "space", "defence", "normaliser")
"""Those of them that are not of who plays in its place."""
