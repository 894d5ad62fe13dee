"""The control tasks of the literature: what a body sees, when it has fallen, what a step pays (Gymnasium's v5 and v4).

Arrays have the slot as their first axis. Sums are in the order and precision in which Gymnasium's environments add up,
so that rewards are the same to the bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from rlattack.arrays import BoolArray, FloatArray
from rlattack.errors import ContentError
from rlattack.games.table import at_most, not_negative, positive

Bodies = Literal[
    "ant", "half_cheetah", "hopper", "humanoid", "inverted_pendulum", "reacher", "swimmer", "walker2d"
]  # fmt: skip


class Body(NamedTuple):
    """What the numbers of a card do not say of a body.

    Attributes:
        hidden: So many entries of `qpos` are not seen: where it is.
        height: Entry of `qpos` that is its height.
        angle: Entry of `qpos` that is its angle.
        fastest: Velocities are seen within this.
        normal: Whether velocities at the start are drawn from a normal distribution; else from a uniform one.
    """

    hidden: int
    height: int | None = None
    angle: int | None = None
    fastest: float | None = None
    normal: bool = False


BODIES: dict[Bodies, Body] = {
    "ant": Body(2, height=2, normal=True),
    "half_cheetah": Body(1, normal=True),
    "hopper": Body(1, height=1, angle=2, fastest=10.0),
    "humanoid": Body(2, height=2),
    "inverted_pendulum": Body(0, angle=1),
    "reacher": Body(0),
    "swimmer": Body(2),
    "walker2d": Body(1, height=1, angle=2, fastest=10.0),
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """The `[task]` table of a card: one of Gymnasium's control tasks with its numbers."""

    body: Bodies
    """Gymnasium's."""
    rules: Literal["v5", "v4"] = "v5"
    """v4 pays for health in the step of a fall too, shows contact forces of the world as well (humanoid) or none
    (ant), counts contact as no cost, has other feet (walker2d), and pays before the step (reacher)."""
    frame_skip: int
    """Substeps a control step."""
    max_steps: int
    """Control steps."""
    noise: float
    """Of the start: half-width of a uniform distribution, or standard deviation."""
    forward: float = 0.0
    """Times the velocity along x."""
    control: float = 0.0
    """Times the sum of squared actions, a cost."""
    contact: float = 0.0
    """Times the sum of squared contact forces, a cost."""
    healthy: float = 0.0
    """For a step without a fall."""
    z: tuple[float, float] | None = None
    """Heights between which the body has not fallen."""
    angle: tuple[float, float] | None = None
    """Angles between which it has not fallen."""
    state: float | None = None
    """The largest of all other numbers of the state with which it has not fallen."""

    def __post_init__(self) -> None:
        positive(self, "frame_skip", "max_steps")
        not_negative(self, "noise", "control", "contact", "healthy")
        at_most(self, frame_skip=1000, max_steps=100_000, noise=10.0)
        for name, entry in (("z", self.own.height), ("angle", self.own.angle)):
            limits = getattr(self, name)
            if limits is not None and (entry is None or limits[0] >= limits[1]):
                of = f"a body that has {name}" if entry is None else "the lower one first"
                raise ContentError(f"{name}: expected {of}, got {list(limits)} of {self.body}")

    @property
    def own(self) -> Body:
        """What the numbers do not say."""
        return BODIES[self.body]

    @property
    def gymnasium_id(self) -> str:
        """Gymnasium's own environment of the task."""
        return f"{''.join(part.capitalize() for part in self.body.split('_'))}-{self.rules}"

    @property
    def asset(self) -> str:
        """Name of Gymnasium's file of the scene."""
        return "walker2d_v5.xml" if (self.body, self.rules) == ("walker2d", "v5") else f"{self.body}.xml"

    @property
    def looks_at(self) -> tuple[str, ...]:
        """What of the engine's numbers it needs beside positions and velocities."""
        of = {"ant": ("xpos",), "reacher": ("xpos",), "humanoid": ("xipos", "cinert", "cvel", "qfrc_actuator")}
        return of.get(self.body, ())

    @property
    def feels(self) -> bool:
        """Whether contact forces are seen or paid for."""
        return self.body == "humanoid" or (self.body == "ant" and self.rules == "v5")


def _nothing() -> FloatArray:
    return np.zeros(0)


@dataclass(frozen=True, kw_only=True)
class Physics:
    """Live arrays of a batch of scenes, (slots, ...), and what never changes."""

    qpos: FloatArray
    qvel: FloatArray
    forces: FloatArray
    """Contact forces, shape (slots, bodies, 6); zeros where the task does not feel them."""
    mass: FloatArray
    """Of each body, shape (bodies, 1)."""
    seconds: float
    """Of a control step."""
    tip: int
    """Body that a reacher moves."""
    goal: int
    """Body that it is to reach."""
    xpos: FloatArray = field(default_factory=_nothing)
    xipos: FloatArray = field(default_factory=_nothing)
    cinert: FloatArray = field(default_factory=_nothing)
    cvel: FloatArray = field(default_factory=_nothing)
    qfrc_actuator: FloatArray = field(default_factory=_nothing)


def observe(task: Task, now: Physics) -> FloatArray:
    """What is seen, float64, shape (slots, entries)."""
    own = task.own
    if task.body == "reacher":
        arm, both = now.qpos[:, :2], 3 if task.rules == "v4" else 2
        return _joined(np.cos(arm), np.sin(arm), now.qpos[:, 2:], now.qvel[:, :2], _away(now)[:, :both])
    fast = now.qvel if own.fastest is None else now.qvel.clip(-own.fastest, own.fastest)
    seen = [now.qpos[:, own.hidden :], fast]
    world = 0 if task.rules == "v4" else 1  # whether the world counts among the bodies
    if task.body == "humanoid":
        free = 0 if task.rules == "v4" else 6
        seen += [now.cinert[:, world:], now.cvel[:, world:], now.qfrc_actuator[:, free:]]
    if task.feels:
        seen.append(_felt(task, now)[:, world:])
    return _joined(*seen)


def features(task: Task, joints: Sequence[str]) -> tuple[str, ...]:
    """Names of the entries of what is seen: Gymnasium's names of the joints, `<joint>_velocity` for how fast they move.

    None of the bodies that move in space, whose joints are more than one number.
    """
    if task.body in ("ant", "humanoid"):
        return ()
    if task.body == "reacher":
        arm, axes = joints[:2], ("x", "y", "z")[: 3 if task.rules == "v4" else 2]
        angles = [f"{name}_{turn}" for turn in ("cos", "sin") for name in arm]
        return (*angles, *joints[2:], *(f"{name}_velocity" for name in arm), *(f"distance_{axis}" for axis in axes))
    return (*joints[task.own.hidden :], *(f"{name}_velocity" for name in joints))


def place(task: Task, now: Physics) -> FloatArray:
    """Where the body is along x, shape (slots,); a copy."""
    if task.body == "ant":
        return now.xpos[:, 1, 0].copy()
    if task.body == "humanoid":
        centre: FloatArray = np.sum(now.mass * now.xipos, axis=1)[:, 0] / np.sum(now.mass)
        return centre
    return now.qpos[:, 0].copy()


def upright(task: Task, now: Physics) -> BoolArray:
    """Which slots have not fallen, shape (slots,), of finite states: others are no more than broken."""
    fine: BoolArray = np.ones(len(now.qpos), dtype=np.bool_)
    for limits, entry in ((task.z, task.own.height), (task.angle, task.own.angle)):
        if limits is not None and entry is not None:
            fine &= (limits[0] < now.qpos[:, entry]) & (now.qpos[:, entry] < limits[1])
    if task.state is not None:
        for numbers in (now.qpos[:, 2:], now.qvel):
            if not np.abs(numbers).max() < task.state:
                fine &= (np.abs(numbers) < task.state).all(axis=1)
    return fine


def paid(task: Task, now: Physics, actions: npt.NDArray[np.float32], before: FloatArray, fine: BoolArray) -> FloatArray:
    """The reward of a step, shape (slots,).

    Args:
        task: With its weights.
        now: After the step.
        actions: Shape (slots, actuators); their squares are added in float32.
        before: Where bodies were before the step; of a reacher, what it was paid for its distance.
        fine: Which have not fallen.
    """
    reward: FloatArray
    if task.body == "reacher":
        reward = (before if task.rules == "v4" else distance(now)) - task.control * np.square(actions).sum(axis=1)
        return reward
    done = actions.astype(np.float64) if task.body == "humanoid" else actions
    costs: npt.NDArray[np.floating] = task.control * np.square(done).sum(axis=1)
    if task.contact and task.rules == "v5":
        contact = task.contact * np.square(_felt(task, now)).reshape(len(done), -1).sum(axis=1)
        costs = costs + (contact.clip(None, 10.0) if task.body == "humanoid" else contact)
    health = task.healthy * (fine if task.rules == "v5" else np.ones(len(done)))
    forward = task.forward * ((place(task, now) - before) / now.seconds)
    reward = forward + health - costs
    return reward


def distance(now: Physics) -> FloatArray:
    """What a reacher is paid for the distance to its goal, shape (slots,)."""
    away = _away(now)
    paid_for: FloatArray = -np.sqrt(np.vecdot(away, away))  # as np.linalg.norm adds up, to the bit, on any processor
    return paid_for


def _felt(task: Task, now: Physics) -> FloatArray:
    """Contact forces as they are seen and paid for: an ant's within one unit."""
    return now.forces.clip(-1.0, 1.0) if task.body == "ant" else now.forces


def _away(now: Physics) -> FloatArray:
    """From a reacher's tip to its goal, shape (slots, 3)."""
    return now.xpos[:, now.tip] - now.xpos[:, now.goal]


def _joined(*parts: FloatArray) -> FloatArray:
    joined: FloatArray = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    return joined
