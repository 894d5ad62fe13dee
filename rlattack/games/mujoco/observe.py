"""What a player sees (Bansal et al. 2018): itself in full, and where the other one is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rlattack.arrays import FloatArray, IntArray
from rlattack.games.mujoco.engine import mujoco
from rlattack.games.mujoco.ruleset import Kick, Rules, Sumo
from rlattack.games.mujoco.scene import seat


@dataclass(frozen=True, kw_only=True)
class State:
    """The simulation by players: live views of a batch, mostly (2, slots, ...), and what both share."""

    qpos: FloatArray
    qvel: FloatArray
    cinert: FloatArray
    cvel: FloatArray
    qfrc_actuator: FloatArray
    forces: FloatArray
    """Contact forces, shape (2, slots, 6 * bodies)."""
    turn: FloatArray
    """Rotation matrix of the torso, shape (2, slots, 9)."""
    com: FloatArray
    """Centre of mass along x, shape (2, slots)."""
    ball: FloatArray
    """Position, shape (slots, 3); empty without one."""
    ball_velocity: FloatArray
    """Shape (slots, 3); empty without one."""


def bind(model: mujoco.MjModel, batch: mujoco.batch.Batch) -> State:
    """Finds what belongs to each player in the arrays of a batch; nothing is copied, now or later."""
    first, second = (model.body(seat(number) + "torso").id for number in (0, 1))
    bodies = second - first
    ball = 7 if first > 1 else 0  # the only body before the players
    torsos, own = slice(first, second + 1, bodies), slice(first, second + bodies)

    def players(rows: npt.NDArray[Any]) -> FloatArray:
        """(slots, 2 n, ...) to (2, slots, n * ...)."""
        parted = rows.reshape(batch.nsim, 2, -1).swapaxes(0, 1)
        assert np.shares_memory(parted, rows)
        return parted

    return State(
        qpos=players(batch.bind("qpos")[:, ball:]), qvel=players(batch.bind("qvel")[:, max(ball - 1, 0) :]),
        cinert=players(batch.bind("cinert")[:, own]), cvel=players(batch.bind("cvel")[:, own]),
        qfrc_actuator=players(batch.bind("qfrc_actuator")[:, max(ball - 1, 0) :]),
        forces=players(batch.bind("cfrc_ext")[:, own]), turn=players(batch.bind("xmat")[:, torsos]),
        com=batch.bind("subtree_com")[:, torsos, 0].T, ball=batch.bind("qpos")[:, : min(ball, 3)],
        ball_velocity=batch.bind("qvel")[:, : min(ball, 3)],
    )  # fmt: skip


def observe(body: str, rules: Rules, state: State, other: FloatArray, radius: FloatArray, left: IntArray) -> FloatArray:
    """Observations of both players, shape (2, slots, n), float32, by the layout of the game.

    Args:
        body: `ant` or `humanoid`.
        rules: Of the game.
        state: The simulation.
        other: `qpos` of the other player as each one sees it, shape (2, slots, nq).
        radius: Of the arena, shape (slots,).
        left: Control steps left, shape (slots,).
    """
    forces = state.forces.clip(-1.0, 1.0)
    me = [state.qpos, state.qvel, forces]
    if body == "humanoid":
        me = [state.qpos, state.qvel, state.cinert, state.cvel, state.qfrc_actuator, forces]
    place = state.qpos[..., :2]
    if isinstance(rules, Sumo):
        numbers = np.empty((*place.shape[:2], 4))
        numbers[..., 0], numbers[..., 3] = radius, left
        for column, at in ((1, place), (2, other[..., :2])):
            numbers[..., column] = radius - np.hypot(at[..., 0], at[..., 1])
        parts = [*me, other, other[..., :2] - place, state.turn, numbers]
    elif isinstance(rules, Kick):
        me[0] = state.qpos[..., 2:]  # no place of its own but by the ball and the goal
        ball = np.broadcast_to(state.ball, (2, *state.ball.shape))
        x, y, z = ball[..., 0], ball[..., 1], ball[..., 2]
        numbers = np.stack([z, rules.line - x, rules.post - y, -rules.post - y], axis=2)
        parts = [*me, other[..., :2] - place, other[..., 2:], ball[..., :2] - place, numbers]
    else:
        parts = [*me, other]
    return np.concatenate(parts, axis=2, dtype=np.float32)
