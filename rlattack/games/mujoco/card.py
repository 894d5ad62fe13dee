"""The tables of a MuJoCo game's card: the scene, the start, the rewards, and when it is over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from rlattack.errors import ContentError, nearest
from rlattack.games.table import parse_table

__all__ = ["TABLES", "Goal", "Kick", "MujocoCard", "Pass", "Reset", "Reward", "Rules", "Scene", "Sumo", "parse_mujoco"]

TABLES = ("duel", "scene", "reset", "reward", "rules")

Body = Literal["humanoid", "ant"]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is simulated."""

    body: Body
    """Of both players; Gymnasium's, changed into those of MuJoCo 1.31."""
    timestep: float
    """Seconds a substep."""
    frame_skip: int
    """Substeps a control step."""
    margin: float
    """Metres at which two geoms begin to touch."""
    start: tuple[float, float, float, float, float, float]
    """x, y, z of both torsos."""
    yaw: tuple[float, float]
    """Degrees, of both torsos."""
    max_steps: int
    """Control steps."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            ContentError: A value outside its range.
        """
        _above_zero(self, "timestep", "frame_skip", "max_steps")
        if self.margin < 0:
            raise ContentError(f"margin: expected 0 or more, got {self.margin:g}")


@dataclass(frozen=True, kw_only=True)
class Reset:
    """How far starts differ."""

    position: float
    """Half-width of the uniform noise on every entry of qpos."""
    velocity: float
    """Standard deviation of the normal noise on every entry of qvel."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        for name in ("position", "velocity"):
            if getattr(self, name) < 0:
                raise ContentError(f"{name}: expected 0 or more, got {getattr(self, name):g}")


@dataclass(frozen=True, kw_only=True)
class Reward:
    """What a control step brings: sparse at the end, dense before (Bansal et al. 2018)."""

    goal: float
    """For the winner; the loser pays it."""
    progress: float
    """Times the way of the centre of mass, in `progress_time` seconds."""
    progress_time: float
    control: float
    """Times the sum of squared actions."""
    clip_control: bool
    """Actions are first clipped to their range."""
    contact: float
    """Times the sum of squared contact forces."""
    contact_clip: float
    """Forces are first clipped to this size; 0 for not."""
    contact_most: float
    """The largest cost; 0 for none."""
    alive: float
    """For a torso at `alive_height` or more; else it is paid."""
    alive_height: float

    def __post_init__(self) -> None:
        """Checks ranges."""
        _above_zero(self, "progress_time")


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Run to goal: touch the line behind the other first."""

    rules: ClassVar[str] = "run-to-goal"
    line: float
    """Metres along x, on either side."""
    fallen: float
    """Height of the torso below which a player is done."""
    distance: float
    """Times the distance to the line, a cost."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """You shall not pass: seat 1 runs to the line, seat 0 blocks."""

    rules: ClassVar[str] = "you-shall-not-pass"
    line: float
    fallen: float
    """Height of the runner's torso at which it has lost."""
    distance: float


@dataclass(frozen=True, kw_only=True)
class Sumo:
    """Stay on your feet and in the arena."""

    rules: ClassVar[str] = "sumo"
    radius: tuple[float, float]
    """Smallest and largest radius of the arena."""
    height: float
    """Of its surface."""
    fallen: float
    """Height of the torso above it at which a player has fallen."""
    gap: float
    """Of the players' first places from the middle."""
    auto_contact: bool
    """A fall before the first contact counts too (Gleave et al. 2019)."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        if not 0 < self.radius[0] <= self.radius[1]:
            raise ContentError(f"radius: expected [smallest, largest] above 0, got {list(self.radius)}")
        if self.gap + self.gap + self.radius[0] / 2 >= self.radius[0]:
            raise ContentError(f"gap: {self.gap:g} leaves no place in a radius of {self.radius[0]:g}")


@dataclass(frozen=True, kw_only=True)
class Kick:
    """Kick and defend: seat 0 kicks the ball between the posts, seat 1 keeps it out."""

    rules: ClassVar[str] = "kick-and-defend"
    line: float
    post: float
    """Half the width of the goal."""
    stopped: float
    """Speed above which a ball that flies back is stopped."""
    touch: float
    """For a winning keeper that touched the ball."""
    standing: float
    """For a winning keeper above `standing_height`."""
    standing_height: float
    foul: float
    """How far the keeper may leave the line."""
    kicker_fallen: float
    keeper_fallen: float
    ball: tuple[float, float]
    """Radius and mass."""
    ball_height: float
    """At the start."""
    kicker_place: tuple[float, float, float, float]
    """Ranges of x and y, as for all places."""
    keeper_place: tuple[float, float, float, float]
    ball_place: tuple[float, float, float, float]
    roll: float
    """Speed along each axis given to a ball that would roll back."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        for name in ("kicker_place", "keeper_place", "ball_place"):
            low_x, high_x, low_y, high_y = getattr(self, name)
            if low_x > high_x or low_y > high_y:
                raise ContentError(f"{name}: expected [low x, high x, low y, high y], got {list(getattr(self, name))}")
        if min(self.ball) <= 0:
            raise ContentError(f"ball: expected a radius and a mass above 0, got {list(self.ball)}")


Rules = Goal | Pass | Sumo | Kick


@dataclass(frozen=True, kw_only=True)
class MujocoCard:
    """All numbers of a two-player MuJoCo game."""

    seats: tuple[str, str]
    """Names of seat 0 and seat 1."""
    scene: Scene
    reset: Reset
    reward: Reward
    rules: Rules

    @property
    def cut(self) -> bool:
        """Whether the time limit cuts the game short; in the others it is a rule, and somebody loses by it."""
        return isinstance(self.rules, Goal)


@dataclass(frozen=True, kw_only=True)
class _Duel:
    """The `[duel]` table."""

    rules: str
    seats: tuple[str, str]


_RULES: dict[str, type[Goal] | type[Pass] | type[Sumo] | type[Kick]] = {
    kind.rules: kind for kind in (Goal, Pass, Sumo, Kick)
}


def parse_mujoco(tables: Mapping[str, Any], where: str) -> MujocoCard:
    """Builds the card from its TOML tables.

    Raises:
        ContentError: A table or a number that is missing, of the wrong type or out of range.
    """
    if lacking := [name for name in TABLES if name not in tables]:
        raise ContentError(f"{where}: the table [{lacking[0]}] is missing")
    duel = parse_table(_Duel, tables["duel"], f"{where}: [duel]")
    if duel.rules not in _RULES:
        hint = nearest(duel.rules, _RULES)
        raise ContentError(f"{where}: [duel] rules: expected one of {', '.join(_RULES)}, got {duel.rules!r}{hint}")
    if len(set(duel.seats)) < 2 or not all(duel.seats):
        raise ContentError(f"{where}: [duel] seats: expected two names, got {list(duel.seats)}")
    return MujocoCard(
        seats=duel.seats,
        scene=parse_table(Scene, tables["scene"], f"{where}: [scene]"),
        reset=parse_table(Reset, tables["reset"], f"{where}: [reset]"),
        reward=parse_table(Reward, tables["reward"], f"{where}: [reward]"),
        rules=parse_table(_RULES[duel.rules], tables["rules"], f"{where}: [rules]"),
    )


def _above_zero(table: object, *names: str) -> None:
    for name in names:
        if getattr(table, name) <= 0:
            raise ContentError(f"{name}: expected more than 0, got {getattr(table, name)}")
