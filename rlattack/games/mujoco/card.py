"""The tables of a MuJoCo game's card: the scene, the start, the rewards, and when it is over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from rlattack.errors import ContentError, nearest
from rlattack.games.table import parse_table

__all__ = ["TABLES", "Goal", "Kick", "MujocoCard", "Pass", "Reset", "Reward", "Rules", "Scene", "Sumo", "parse_mujoco"]

TABLES = ("duel", "scene", "reset", "reward", "rules")

_MOST_SUBSTEPS, _MOST_STEPS = 1000, 100_000

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
        _positive(self, "timestep", "frame_skip", "max_steps")
        _not_negative(self, "margin")
        if self.frame_skip > _MOST_SUBSTEPS or self.max_steps > _MOST_STEPS:
            got = f"{self.frame_skip} and {self.max_steps}"
            raise ContentError(
                f"frame_skip and max_steps: expected at most {_MOST_SUBSTEPS:,} and {_MOST_STEPS:,}, got {got}"
            )
        if min(self.start[2::3]) <= 0:
            raise ContentError(f"start: expected [x, y, z, x, y, z] above the floor, got {list(self.start)}")


@dataclass(frozen=True, kw_only=True)
class Reset:
    """How far starts differ."""

    position: float
    """Half-width of the uniform noise on every entry of qpos."""
    velocity: float
    """Standard deviation of the normal noise on every entry of qvel."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        _not_negative(self, "position", "velocity")


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
        _positive(self, "progress_time")
        _not_negative(
            self, "goal", "progress", "control", "contact", "contact_clip", "contact_most", "alive", "alive_height"
        )


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

    def __post_init__(self) -> None:
        """Checks ranges."""
        _positive(self, "line")
        _not_negative(self, "fallen", "distance")


@dataclass(frozen=True, kw_only=True)
class Pass:
    """You shall not pass: seat 1 runs to the line, seat 0 blocks."""

    rules: ClassVar[str] = "you-shall-not-pass"
    line: float
    fallen: float
    """Height of the runner's torso at which it has lost, and the blocker without the prize."""
    distance: float

    def __post_init__(self) -> None:
        """Checks ranges."""
        _positive(self, "line")
        _not_negative(self, "fallen", "distance")


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
        _positive(self, "height")
        _not_negative(self, "fallen", "gap")
        if not 0 < self.radius[0] <= self.radius[1]:
            raise ContentError(f"radius: expected [smallest, largest] above 0, got {list(self.radius)}")
        if 2 * self.gap + self.radius[0] / 2 >= self.radius[0]:
            most = self.radius[0] / 4
            raise ContentError(
                f"gap: expected less than a quarter of the smallest radius, {most:g}, or there is no place "
                f"for the players, got {self.gap:g}"
            )


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
        """Checks ranges, and that a game is not over as it starts."""
        _positive(self, "line", "post", "foul")
        _not_negative(self, "stopped", "touch", "standing", "standing_height", "kicker_fallen", "keeper_fallen", "roll")
        for name in ("kicker_place", "keeper_place", "ball_place"):
            low_x, high_x, low_y, high_y = getattr(self, name)
            if low_x > high_x or low_y > high_y:
                raise ContentError(f"{name}: expected [low x, high x, low y, high y], got {list(getattr(self, name))}")
        if min(self.ball) <= 0:
            raise ContentError(f"ball: expected a radius and a mass above 0, got {list(self.ball)}")
        if self.ball_height < self.ball[0]:
            raise ContentError(f"ball_height: expected at least the radius {self.ball[0]:g}, got {self.ball_height:g}")
        if self.ball_place[1] > self.line:
            raise ContentError(f"ball_place: expected x up to the line at {self.line:g}, got {self.ball_place[1]:g}")
        if max(abs(self.line - x) for x in self.keeper_place[:2]) > self.foul:
            got = list(self.keeper_place[:2])
            raise ContentError(f"keeper_place: expected x up to {self.foul:g} from the line, got {got}")


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

    def __post_init__(self) -> None:
        """Checks that nobody has lost or won before the first step.

        Raises:
            ContentError: A start below the height, or behind the line, at which the game is over.
        """
        for number in (0, 1):
            x, _, z = self.scene.start[3 * number : 3 * number + 3]
            seat, down = self.seats[number], _down(self.rules)[number]
            if z <= down:
                raise ContentError(f"[scene] start: the {seat} starts at {z:g}, and is down at {down:g} by [rules]")
            if isinstance(self.rules, Goal | Pass) and abs(x) >= self.rules.line:
                line = self.rules.line
                raise ContentError(f"[scene] start: the {seat} starts at {x:g}, behind the line at {line:g} of [rules]")

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
    kinds: dict[str, type] = {"scene": Scene, "reset": Reset, "reward": Reward, "rules": _RULES[duel.rules]}
    parts: dict[str, Any] = {
        name: parse_table(kind, tables[name], f"{where}: [{name}]") for name, kind in kinds.items()
    }
    try:
        return MujocoCard(seats=duel.seats, **parts)
    except ContentError as error:
        raise ContentError(f"{where}: {error}") from error


def _down(rules: Rules) -> tuple[float, float]:
    """Heights of the torsos at which the players are done."""
    if isinstance(rules, Kick):
        return rules.kicker_fallen, rules.keeper_fallen
    ground = rules.height if isinstance(rules, Sumo) else 0.0
    return ground + rules.fallen, ground + rules.fallen


def _positive(table: object, *names: str) -> None:
    for name in names:
        if getattr(table, name) <= 0:
            raise ContentError(f"{name}: expected more than 0, got {getattr(table, name)}")


def _not_negative(table: object, *names: str) -> None:
    for name in names:
        if getattr(table, name) < 0:
            raise ContentError(f"{name}: expected 0 or more, got {getattr(table, name)}")
