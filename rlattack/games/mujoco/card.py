"""The tables of a MuJoCo game's card: the scene, the start, the rewards, and when it is over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rlattack.errors import ContentError, nearest
from rlattack.games.mujoco.ruleset import Goal, Kick, Pass, Rules, Sumo
from rlattack.games.table import at_most, not_negative, parse_table, positive

TABLES = ("duel", "scene", "reset", "reward", "rules")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is simulated."""

    body: Literal["humanoid", "ant"]
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
        positive(self, "timestep", "frame_skip", "max_steps")
        not_negative(self, "margin")
        at_most(self, timestep=0.1, margin=0.1, frame_skip=1000, max_steps=100_000)
        if min(self.start[2::3]) <= 0 or max(map(abs, self.start)) > 1000:
            raise ContentError(
                f"start: expected [x, y, z, x, y, z] above the floor, within 1,000, got {list(self.start)}"
            )

    @property
    def fps(self) -> float:
        """Control steps a second."""
        return 1 / (self.timestep * self.frame_skip)


@dataclass(frozen=True, kw_only=True)
class Reset:
    """How far starts differ."""

    position: float
    """Half-width of the uniform noise on every entry of qpos."""
    velocity: float
    """Standard deviation of the normal noise on every entry of qvel."""

    def __post_init__(self) -> None:
        not_negative(self, "position", "velocity")
        at_most(self, position=10.0, velocity=100.0)


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
        positive(self, "progress_time")
        not_negative(
            self, "goal", "progress", "control", "contact", "contact_clip", "contact_most", "alive", "alive_height"
        )


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
        """Checks that nobody has lost or won before the first step."""
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


_RULES: dict[str, type[Rules]] = {kind.rules: kind for kind in (Goal, Pass, Sumo, Kick)}


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
