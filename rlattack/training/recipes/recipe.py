"""What recipes of training share: options, their ranges, where a run goes, and the command that repeats it."""

import dataclasses
import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from rlattack.errors import InvalidInput
from rlattack.evaluation.options import Plugins

MINIBATCHES = 4
"""A batch of PPO in games of several seats is divided into so many."""
SEEDS = 2**31
"""Seeds of games lie below (ale-py takes no others)."""
AGENT = tyro.conf.arg(metavar="AGENT")
AGENTS = tyro.conf.arg(metavar="A,B,...")
CUT = tyro.conf.arg(metavar="STEPS RATE")
_COUNTS = (
    "rounds", "episodes", "tuning", "steps", "envs", "threads", "batch", "checkpoint_every", "snapshot_every", "turns",
    "demonstrations",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Recipe(Plugins):
    """What all recipes share.

    Raises:
        InvalidInput: A value outside its range.
    """

    game: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="GAME")]
    """Game to learn, as `rlattack list games` shows: atari/pong, gymnasium/CartPole-v1, mujoco/you-shall-not-pass."""
    threads: int | None = None
    """Threads that step games of ours; one a core by default. Changes no result."""
    device: str = "cpu"
    """cpu, or cuda for the learner's network on a GPU; games and opponents stay on the CPU."""
    trust: bool = False
    """Load other agents that can only be read by running their code."""
    resume: bool = False
    """Go on from the run's last checkpoints; it may become longer, by --steps, --rounds, or more --seeds."""
    run: Path | None = None
    """Run folder; by default runs/train-<game>-<name>, where the name is the algorithm for a victim in a game of one
    seat, else victim, adversary or rounds. `tensorboard --logdir` on it shows the curves."""
    agent: Annotated[str | None, tyro.conf.arg(metavar="ID")] = None
    """Id of the agent folder to write under ./agents; by default <game>/<name>. With `--seat each`, and of rounds, it
    holds a folder an agent."""

    verb: ClassVar[str]
    """Word after `rlattack train`."""
    beside: ClassVar[tuple[str, ...]] = (
        "run", "agent", "resume", "threads", "trust", "episodes", "tuning", "plugin",
    )  # fmt: skip
    """Options that change nothing of what is learned."""
    free: ClassVar[tuple[str, ...]] = ("steps",)
    """Options that may change when a run goes on: it can be made longer."""
    role: ClassVar[str] = "victim"
    """The agent's part in an experiment, as its card says it."""

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name, None) is not None:
                self.expect(name, "at least 1", getattr(self, name) >= 1)

    def expect(self, name: str, what: str, holds: bool) -> None:
        """Refuses the value of an option, unless what is expected of it holds."""
        if not holds:
            value = getattr(self, name)
            got = list(value) if isinstance(value, tuple) else value
            raise InvalidInput(f"{flag(name)}: expected {what}, got {got!r}")

    @property
    def name(self) -> str:
        """Last part of the default id of the agent."""
        return self.verb

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.run or Path("runs") / f"train-{self.game.replace('/', '-')}-{self.name}"

    @property
    def id(self) -> str:
        """Id of the agent folder to write, under `./agents`."""
        return self.agent or f"{self.game}/{self.name}"

    @property
    def command(self) -> str:
        """The command line that trains the agent anew: the options that are not the defaults."""
        words = ["rlattack", "train", self.verb, self.game]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in ("game", "resume") or value == field.default:
                continue
            words.append(flag(field.name))
            if value is not True:
                words += map(str, value if isinstance(value, tuple) else [value])
        return shlex.join(words)


@dataclass(frozen=True, kw_only=True)
class PPORecipe(Recipe):
    """What recipes of PPO in games of several seats share."""

    steps: int = 20_000_000
    """Agent steps to learn from, of each seed; in rounds of each victim."""
    envs: int = 64
    """Games played at once."""
    batch: int = 16_384
    """Agent steps between two updates, of 4 epochs of 4 minibatches."""
    learning_rate: float = 3e-4
    """Of the whole run."""
    checkpoint_every: int = 100_000
    """Agent steps between checkpoints; at each, games begin anew, so that a killed run goes on as one that was not."""
    episodes: int = 1000
    """Fresh games whose score goes on an agent's card; at the end of rounds, of every pair too."""

    def __post_init__(self) -> None:
        super().__post_init__()
        part = MINIBATCHES * self.envs
        self.expect("batch", f"a multiple of {part}, {MINIBATCHES} minibatches of all games", self.batch % part == 0)
        if self.steps < self.batch:
            raise InvalidInput(
                f"--steps: expected at least {self.batch}, one batch, got {self.steps}; choose a smaller --batch"
            )
        self.expect("learning_rate", "a number above 0", 0 < self.learning_rate < math.inf)


@dataclass(frozen=True, kw_only=True)
class SeatRecipe(PPORecipe):
    """What recipes share of a learner whose opponents hold the other seats."""

    seat: str | None = None
    """The learner's, by its name on the game's card; by default the one that the victim was not trained for."""
    init: Annotated[str | None, AGENT] = None
    """Start from this agent's weights, its observation statistics frozen, in place of chance."""
    sparse: float = 0.01
    """Weight of the reward that comes for the end of a game."""
    dense: float = 0.0
    """Weight of the reward on the way; 0.1 in the shaped runs of Gleave et al."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sparse", "dense"):
            self.expect(name, "a weight of 0 or more", 0 <= getattr(self, name) < math.inf)
        if not self.sparse + self.dense:
            raise InvalidInput("--sparse and --dense: expected a weight above 0 for one of them, got 0 and 0")


def names(opponents: str | None) -> tuple[str, ...]:
    """Reads `A,B,...`.

    Raises:
        InvalidInput: A name that is empty or comes twice.
    """
    found = () if opponents is None else tuple(opponents.split(","))
    if not all(found) or len(set(found)) < len(found):
        raise InvalidInput(f"--opponents: expected different names with commas between them, got {opponents!r}")
    return found


def flag(name: str) -> str:
    """The option of that name on the command line."""
    return f"--{name.replace('_', '-')}"
