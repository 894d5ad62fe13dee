"""What recipes of training share: where a run goes, the command that repeats it, and the ranges of options."""

import dataclasses
import math
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import tyro

from rlattack.errors import InvalidInput

MINIBATCHES = 4
"""A batch of PPO in games of several seats is divided into so many."""
SEEDS = 2**31
"""Seeds of games lie below (ale-py takes no others)."""
GAME = tyro.conf.arg(metavar="GAME")
AGENT = tyro.conf.arg(metavar="AGENT")
AGENTS = tyro.conf.arg(metavar="A,B,...")
ID = tyro.conf.arg(metavar="ID")
CUT = tyro.conf.arg(metavar="STEPS RATE")


class Recipe:
    """What all recipes share: where a run and its agent go, and the command that repeats it."""

    game: str
    run: Path | None
    agent: str | None
    resume: bool
    verb: ClassVar[str]
    """Word after `rlattack train`."""
    beside: ClassVar[tuple[str, ...]] = ("run", "agent", "resume", "threads", "trust", "episodes", "tuning")
    """Options that change nothing of what is learned."""
    free: ClassVar[tuple[str, ...]] = ("steps",)
    """Options that may change when a run goes on: it can be made longer."""
    role: ClassVar[str] = "victim"
    """The agent's part in an experiment, as its card says it."""
    cut: tuple[int, float] | None = None
    """Steps and win rate: who has won less of its last 500 training games by then is given up."""

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
        for field in dataclasses.fields(self):  # type: ignore[arg-type]  # whoever inherits is a dataclass
            value = getattr(self, field.name)
            if field.name in ("game", "resume") or value == field.default:
                continue
            words.append(f"--{field.name.replace('_', '-')}")
            if value is not True:
                words += map(str, value if isinstance(value, tuple) else [value])
        return shlex.join(words)

    def learned(self) -> dict[str, Any]:
        """The options that the result depends on."""
        values = dataclasses.asdict(self)  # type: ignore[call-overload]  # whoever inherits is a dataclass
        return {name: value for name, value in values.items() if name not in self.beside}


class SeatRecipe(Recipe):
    """What recipes of a learner in one seat share, whose opponents hold the others: PPO, its rewards, its games."""

    seat: str | None
    steps: int
    envs: int
    threads: int | None
    batch: int
    learning_rate: float
    sparse: float
    dense: float
    checkpoint_every: int
    init: str | None
    trust: bool

    def weights(self, steps: int) -> tuple[float, float]:
        """Weights of what is paid for the end of a game and on the way, after so many steps."""
        return self.sparse, self.dense

    def check_learning(self) -> None:
        """Checks ranges.

        Raises:
            InvalidInput: A value outside its range.
        """
        check_counts(self, ("steps", "envs", "batch", "checkpoint_every"))
        if self.batch % (MINIBATCHES * self.envs):
            raise InvalidInput(
                f"--batch: expected a multiple of {MINIBATCHES * self.envs}, {MINIBATCHES} minibatches of all games, "
                f"got {self.batch}"
            )
        if self.steps < self.batch:
            raise InvalidInput(
                f"--steps: expected at least {self.batch}, one batch, got {self.steps}; choose a smaller --batch"
            )
        for name in ("sparse", "dense"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InvalidInput(f"--{name}: expected a weight of 0 or more, got {getattr(self, name)}")
        if not self.sparse + self.dense:
            raise InvalidInput("--sparse and --dense: expected a weight above 0 for one of them, got 0 and 0")
        check_learning_rate(self.learning_rate)


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


def check_counts(recipe: Recipe, names: Iterable[str]) -> None:
    """Refuses counts below 1, where they are given."""
    for name in names:
        value = getattr(recipe, name)
        if value is not None and value < 1:
            raise InvalidInput(f"{flag(name)}: expected at least 1, got {value}")


def check_one(name: str, agent: str | None) -> None:
    """Refuses the name of an agent that would be taken for several where it is to play."""
    if agent is not None and "," in agent:
        raise InvalidInput(f"{flag(name)}: expected one agent, and no comma in its name, got {agent!r}")


def check_learning_rate(rate: float) -> None:
    """Refuses a learning rate of 0 or less, or none at all."""
    if not 0 < rate < math.inf:
        raise InvalidInput(f"--learning-rate: expected a number above 0, got {rate}")
