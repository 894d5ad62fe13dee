"""What a player sees (Bansal et al. 2018): itself in full, and where the other one is."""

from dataclasses import dataclass

import numpy as np

from rlattack.games.batch import FloatArray, IntArray
from rlattack.games.mujoco.card import Kick, Rules, Sumo

__all__ = ["State", "observe"]


@dataclass(frozen=True, kw_only=True)
class State:
    """The simulation by players: arrays (2, slots, ...), and what both share."""

    qpos: FloatArray
    qvel: FloatArray
    cinert: FloatArray
    cvel: FloatArray
    qfrc_actuator: FloatArray
    forces: FloatArray
    """Contact forces."""
    turn: FloatArray
    """Rotation matrix of the torso, shape (2, slots, 9)."""
    radius: FloatArray
    """Of the arena, shape (slots,)."""
    ball: FloatArray
    """Position, shape (slots, 3); empty without one."""
    left: IntArray
    """Control steps left, shape (slots,)."""


def observe(body: str, rules: Rules, state: State, other: FloatArray) -> FloatArray:
    """Observations of both players, shape (2, slots, n), by the layout of the game.

    Args:
        body: `ant` or `humanoid`.
        rules: Of the game.
        state: The simulation.
        other: `qpos` of the other player as each one sees it, shape (2, slots, nq).
    """
    forces = np.clip(state.forces, -1.0, 1.0)
    me = [state.qpos, state.qvel, forces]
    if body == "humanoid":
        me = [state.qpos, state.qvel, state.cinert, state.cvel, state.qfrc_actuator, forces]
    place = state.qpos[..., :2]
    away = other[..., :2] - place
    if isinstance(rules, Sumo):
        radius = np.broadcast_to(state.radius, place.shape[:2])
        far = [radius - np.linalg.norm(at, axis=2) for at in (place, other[..., :2])]
        left = np.broadcast_to(state.left, place.shape[:2])
        numbers = np.stack([radius, *far, left], axis=2)
        return np.concatenate([*me, other, away, state.turn, numbers], axis=2, dtype=np.float32)
    if isinstance(rules, Kick):
        me[0] = state.qpos[..., 2:]  # no place of its own but by the ball and the goal
        ball = np.broadcast_to(state.ball, (2, *state.ball.shape))
        x, y, z = ball[..., 0], ball[..., 1], ball[..., 2]
        numbers = np.stack([z, rules.line - x, rules.post - y, -rules.post - y], axis=2)
        return np.concatenate([*me, away, other[..., 2:], ball[..., :2] - place, numbers], axis=2, dtype=np.float32)
    return np.concatenate([*me, other], axis=2, dtype=np.float32)
