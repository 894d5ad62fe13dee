"""The card of a game: what is seen, what can be done, how it is won, and how it is evaluated."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from rlattack.content import Card
from rlattack.errors import ContentError, InvalidInput, nearest
from rlattack.games.game import PLAYER, Mask
from rlattack.games.mujoco.card import TABLES, MujocoCard, parse_mujoco
from rlattack.games.mujoco.task import Task
from rlattack.games.table import at_most, not_negative, parse_table, positive

SCHEMA = "rlattack/game/1"
ActionMode = Literal["sampled", "greedy"]
Outcome = Literal["win", "tie", "loss"]
_ONE_SEAT = ("atari", "gymnasium")
SHOWN = ("resize", "crop", "stack", "stack_fill", "channels", "action_set")
"""Options of how a game is shown, and by which buttons it is played; all others are rules of it."""


@dataclass(frozen=True, kw_only=True)
class AtariOptions:
    """How an Atari game is shown and played; the variants that published victims were trained with."""

    noop_max: int = 30
    """An episode starts with 0 to `noop_max - 1` no-ops: ale-py 0.12 draws so, Gymnasium's wrapper 1 to `noop_max`."""
    fire_reset: bool = True
    """Presses FIRE at the start where the game needs it."""
    action_set: Literal["minimal", "full"] | tuple[int, ...] = "minimal"
    """ALE's minimal set, all 18 actions, or the listed ALE action numbers in that order."""
    frame_skip: int = 4
    """Emulator frames an agent step; the screen is the maximum over the last two."""
    resize: tuple[int, int] = (84, 84)
    """Height and width after area interpolation."""
    crop: tuple[int, int, int, int] | None = None
    """Top, left, height, width cut out of the resized frame."""
    stack: int = 4
    """Frames an observation, oldest first."""
    stack_fill: Literal["zero", "first"] = "zero"
    """What stands in the stack before enough frames came: zeros, or copies of the first frame."""
    life_loss: Literal["continue", "terminal"] = "continue"
    """Whether a lost life ends the episode; the next one is then a new game, not the next life."""
    max_frames: int = 108_000
    """Emulator frames after the start at which an episode is truncated (30 minutes of play)."""

    def __post_init__(self) -> None:
        positive(self, "frame_skip", "stack", "max_frames")
        not_negative(self, "noop_max")
        if len(self.resize) != 2 or min(self.resize) < 1:
            raise ContentError(f"resize: expected [height, width], got {list(self.resize)}")
        if isinstance(self.action_set, tuple) and not (self.action_set and all(0 <= a < 18 for a in self.action_set)):
            raise ContentError(f"action_set: expected ALE actions, 0 to 17, got {list(self.action_set)}")
        if self.crop is not None:
            top, left, height, width = self.crop
            inside = min(top, left) >= 0 and top + height <= self.resize[0] and left + width <= self.resize[1]
            if not inside or min(height, width) < 1:
                raise ContentError(f"crop: {list(self.crop)} does not fit in resize {list(self.resize)}")

    @property
    def frame(self) -> tuple[int, int]:
        """Height and width of what the agent sees."""
        return self.resize if self.crop is None else self.crop[2:]


@dataclass(frozen=True, kw_only=True)
class GymnasiumOptions:
    """How a Gymnasium environment is made and shown."""

    env: str = ""
    """Id of the environment, where it is not the card's own: `LunarLander-v3`, `package:Name-v0`."""
    args: dict[str, Any] = field(default_factory=dict)
    """Arguments of the environment, as `gymnasium.make` takes them."""
    stack: int = 1
    """Observations stacked, oldest first, as Stable-Baselines3's VecFrameStack does."""
    stack_fill: Literal["zero", "first"] = "zero"
    """What stands in the stack before enough came: zeros, or copies of the first one."""
    channels: Literal["as-shown", "first"] = "as-shown"
    """`first`: pictures (height, width, channels) are shown as (channels, height, width)."""

    def __post_init__(self) -> None:
        positive(self, "stack")
        at_most(self, stack=1000)


@dataclass(frozen=True, kw_only=True)
class Win:
    """When an episode counts as won."""

    rule: Literal["score", "threshold"]
    """`score`: return above, at, below 0 is win, tie, loss. `threshold`: return at or above `score` is a win."""
    score: float | None = None
    """The threshold: a named human reference."""

    def __post_init__(self) -> None:
        if (self.rule == "threshold") != (self.score is not None):
            got = f"rule {self.rule!r} with score {self.score}"
            raise ContentError(f"rule 'threshold' needs a score and rule 'score' takes none, got {got}")

    def outcome(self, score: float) -> Outcome:
        """Whether a return is a win, a tie or a loss; a threshold knows no tie."""
        if self.score is not None:
            return "win" if score >= self.score else "loss"
        return "win" if score > 0 else "loss" if score < 0 else "tie"


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """The two axes of evaluation: how actions are chosen and how often the emulator repeats the last one."""

    actions: ActionMode = "sampled"
    sticky: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.sticky < 1.0:
            raise ContentError(f"sticky: expected a probability in [0, 1), got {self.sticky}")


@dataclass(frozen=True, kw_only=True)
class Stall:
    """An episode with no reward for this many agent steps is ended and marked."""

    steps: int

    def __post_init__(self) -> None:
        positive(self, "steps")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Scores to read a return against, and the size of perturbations that the literature attacks with."""

    random: float
    """Mean return of a random policy."""
    human: float | None = None
    """Of a person who has practised."""
    agent: float | None = None
    """Of a strong published agent."""
    eps: float | None = None
    """Largest change of an entry, in standard deviations of what the victim saw in training."""
    source: str

    def __post_init__(self) -> None:
        if (self.human is None) == (self.agent is None):
            raise ContentError(f"expected one of human and agent, got {self.human} and {self.agent}")
        if self.eps is not None:
            positive(self, "eps")


@dataclass(frozen=True, kw_only=True)
class GameCard:
    """A game, resolved: everything an evaluation needs to build and judge it."""

    id: str
    title: str
    rom: str | None = None
    protocol: Protocol = field(default_factory=Protocol)
    atari: AtariOptions = field(default_factory=AtariOptions)
    gymnasium: GymnasiumOptions = field(default_factory=GymnasiumOptions)
    max_steps: int | None = None
    """Steps after which an episode is cut, whatever limit the game has of its own."""
    stand_in: float = 0.0
    """What a victim gets in place of a value that is missing, in the game's own units: of a picture 0 is black."""
    win: Win | None = None
    stall: Stall | None = None
    reference: Reference | None = None
    mujoco: MujocoCard | None = None
    """All numbers of a MuJoCo game of two seats."""
    task: Task | None = None
    """All numbers of a MuJoCo game of one seat."""

    def __post_init__(self) -> None:
        """Checks that a game carries what its family has, and nothing else."""
        if (self.mujoco or self.family == "pettingzoo") and (self.win or self.stall or self.reference):
            raise ContentError(f"game {self.id}: [win], [stall] and [reference] are for games of one seat")
        if (self.mujoco is not None) + (self.task is not None) != (self.family == "mujoco"):
            tables = f"either [task] or [{'], ['.join(TABLES)}]"
            raise ContentError(f"game {self.id}: a MuJoCo game needs {tables}, and others take none of them")
        if self.family != "atari" and (self.rom or self.protocol.sticky or self.atari != AtariOptions()):
            raise ContentError(f"game {self.id}: a rom, [atari] options and sticky actions are for Atari games only")
        if self.family != "gymnasium" and self.gymnasium != GymnasiumOptions():
            raise ContentError(f"game {self.id}: [gymnasium] options are for gymnasium/ games only")
        if not math.isfinite(self.stand_in):
            raise ContentError(f"game {self.id}: stand_in: expected a finite number, got {self.stand_in:g}")
        if self.max_steps is not None and not 0 < self.max_steps < 2**31:
            raise ContentError(f"max_steps: expected a whole number from 1 to 2^31, got {self.max_steps}")

    @property
    def rules(self) -> dict[str, Any]:
        """What decides what an episode pays, by name, as far as a command or an agent may change it."""
        tables = {"atari": self.atari, "gymnasium": self.gymnasium, "task": self.task}
        options = {
            f"{table} {name}": value
            for table, of in tables.items() if of is not None
            for name, value in vars(of).items() if name not in SHOWN
        }  # fmt: skip
        return {**options, "max_steps": self.max_steps, "sticky": self.protocol.sticky}

    @property
    def family(self) -> str:
        """What plays it: the first part of the id."""
        return self.id.partition("/")[0]

    @property
    def seats(self) -> tuple[str, ...] | None:
        """Names of the seats where the card tells them; None where only the game itself does."""
        if self.mujoco is not None:
            return self.mujoco.seats
        return (PLAYER,) if self.task is not None or self.family in _ONE_SEAT else None


@dataclass(frozen=True)
class Variant:
    """A game as a command plays it.

    Attributes:
        card: The game; sticky actions and options are changed in it (`with_variant`).
        hidden: Seats from which the other player is hidden, and how.
    """

    card: GameCard
    hidden: tuple[tuple[int, Mask], ...] = ()

    def check_nothing_hidden(self) -> None:
        """Refuses hidden players, for a family of games that cannot hide them.

        Raises:
            InvalidInput: The other player is to be hidden from a seat.
        """
        if self.hidden:
            raise InvalidInput(f"game {self.card.id}: only MuJoCo games can hide the other player from a seat")


def parse_card(name: str, card: Card) -> GameCard:
    """Builds a GameCard from a TOML table.

    Raises:
        ContentError: An unknown key, a missing one, or a value of the wrong type.
    """
    tables = {
        "protocol": Protocol,
        "atari": AtariOptions,
        "gymnasium": GymnasiumOptions,
        "win": Win,
        "stall": Stall,
        "reference": Reference,
        "task": Task,
    }
    values: dict[str, Any] = {"id": name}
    if name.startswith("mujoco/") and "task" not in card:
        values["mujoco"] = parse_mujoco({key: card[key] for key in TABLES if key in card}, f"game {name}")
        card = {key: value for key, value in card.items() if key not in TABLES}
    for key, value in card.items():
        if key == "schema":
            continue
        if key in tables:
            values[key] = parse_table(tables[key], value, f"game {name}: [{key}]")
        elif key in ("title", "rom"):
            values[key] = str(value)
        elif (key == "max_steps" and type(value) is int) or (key == "stand_in" and type(value) in (int, float)):
            values[key] = value
        else:
            known = [*tables, "title", "rom", "max_steps", "stand_in"]
            raise ContentError(f"game {name}: unknown key {key!r}{nearest(key, known)}")
    if "title" not in values:
        raise ContentError(f"game {name}: the card has no title")
    return GameCard(**values)
