"""The `[rules]` tables of MuJoCo games' cards: how a game is won and lost, a kind of table for each set of rules."""

from dataclasses import dataclass
from typing import ClassVar

from rlattack.errors import ContentError
from rlattack.games.table import at_most, not_negative, positive


@dataclass(frozen=True, kw_only=True)
class _Line:
    """A line to get to."""

    line: float
    """Metres along x, on either side."""
    fallen: float
    """Height of the torso below which a player is done."""
    distance: float
    """Times the distance to the line, a cost."""

    def __post_init__(self) -> None:
        positive(self, "line")
        not_negative(self, "fallen", "distance")
        at_most(self, line=1000.0)


class Goal(_Line):
    """Run to goal: touch the line behind the other first."""

    rules: ClassVar[str] = "run-to-goal"


class Pass(_Line):
    """You shall not pass: seat 1 runs to the line, seat 0 blocks.

    A runner whose torso is at the height `fallen` has lost; a blocker's is without the prize there.
    """

    rules: ClassVar[str] = "you-shall-not-pass"


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
        positive(self, "height")
        at_most(self, height=1000.0)
        not_negative(self, "fallen", "gap")
        if not 0 < self.radius[0] <= self.radius[1]:
            raise ContentError(f"radius: expected [smallest, largest] above 0, got {list(self.radius)}")
        if self.radius[1] > 1000:
            raise ContentError(f"radius: expected at most 1,000, got {self.radius[1]:g}")
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
        positive(self, "line", "post", "foul")
        at_most(self, line=1000.0)
        not_negative(self, "stopped", "touch", "standing", "standing_height", "kicker_fallen", "keeper_fallen", "roll")
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
