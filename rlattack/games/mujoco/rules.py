"""Rewards, endings and winners of the six games (Bansal et al. 2018), a batch at a time.

Arrays have the seat as their first axis and the slot as their second. A rule says what each player earns for the end
and what it earns on the way; who fell, crossed a line or left the arena is read from torsos and centres of mass.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rlattack.arrays import BoolArray, FloatArray, IntArray
from rlattack.games.game import NOBODY
from rlattack.games.mujoco.card import Reward
from rlattack.games.mujoco.ruleset import Goal, Kick, Pass, Rules, Sumo

ENDINGS = ("", "goal", "fallen", "out", "time", "stopped", "foul", "unstable")
"""How a game can end, by number."""
_GOAL, _FALLEN, _OUT, _TIME, _STOPPED, _FOUL, _UNSTABLE = range(1, 8)
_DIRECTION = np.asarray([[1.0], [-1.0]])
_SIGN = np.asarray([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])
"""Of what a seat gets for a winner; NOBODY is the last."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the rules look at after a control step."""

    torso: FloatArray
    """x, y, z, shape (2, slots, 3)."""
    com: FloatArray
    """Centre of mass along x, shape (2, slots)."""
    com_before: FloatArray
    actions: FloatArray
    """As given, shape (2, slots, actuators)."""
    clipped: FloatArray
    """Within their range."""
    forces: FloatArray
    """Contact forces, shape (2, slots, 6 * bodies)."""
    last: BoolArray
    """Whether the time is up."""
    touched: BoolArray
    """Whether the players (kick: keeper and ball) have touched in this episode, shape (slots,)."""
    radius: FloatArray
    """Of the arena, shape (slots,)."""
    ball: FloatArray
    """x, y, z, shape (slots, 3); empty without one."""
    ball_velocity: FloatArray


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a control step brought."""

    sparse: FloatArray
    """For the end of the game, shape (2, slots)."""
    dense: FloatArray
    """On the way, shape (2, slots)."""
    winner: IntArray
    """Seat, or NOBODY, shape (slots,)."""
    ending: IntArray
    """Index into ENDINGS; 0 while the game goes on."""


def judge(rules: Rules, reward: Reward, seen: Seen) -> Verdict:
    """Applies the rules of a game to a step."""
    return _JUDGES[type(rules)](rules, reward, seen)


def void(verdict: Verdict, broken: BoolArray) -> Verdict:
    """Ends the games of slots that broke down: `unstable`, for nobody and nothing."""
    return Verdict(
        sparse=np.where(broken, 0.0, verdict.sparse), dense=np.where(broken, 0.0, verdict.dense),
        winner=np.where(broken, NOBODY, verdict.winner), ending=np.where(broken, _UNSTABLE, verdict.ending),
    )  # fmt: skip


def _run_to_goal(rules: Goal, reward: Reward, seen: Seen) -> Verdict:
    across = np.stack([seen.com[0] > rules.line, seen.com[1] < -rules.line])
    down = (seen.torso[..., 2] < rules.fallen).all(axis=0)
    ending = _first((across.any(axis=0), _GOAL), (down, _FALLEN), (seen.last, _TIME))
    dense = _costs(reward, seen) + _alive(reward, seen) + _progress(reward, seen)
    dense -= rules.distance * np.abs(seen.torso[..., 0] - rules.line * _DIRECTION)
    if not ending.any():
        return _going_on(dense, ending)
    winner = _only(across)
    return Verdict(sparse=_for_winner(winner, reward.goal), dense=dense, winner=winner, ending=ending)


def _pass(rules: Pass, reward: Reward, seen: Seen) -> Verdict:
    """Seat 1 runs towards -x. The blocker may lie down, and wins by the runner's fall or by time."""
    across = seen.com[1] < -rules.line
    down = seen.torso[..., 2] <= rules.fallen
    ending = _first((across, _GOAL), (down[1], _FALLEN), (seen.last, _TIME))
    dense = _costs(reward, seen) + _alive(reward, seen)
    dense[1] += _progress(reward, seen)[1] - rules.distance * np.abs(seen.torso[1, :, 0] + rules.line)
    if not ending.any():
        return _going_on(dense, ending)
    winner = np.where(ending == 0, NOBODY, np.where(across, 1, 0))
    sparse = _for_winner(winner, reward.goal)
    # a blocker that lies, or waited for the end, has won without the prize
    sparse[0] = np.where(((ending == _FALLEN) & down[0]) | (ending == _TIME), 0.0, sparse[0])
    return Verdict(sparse=sparse, dense=dense, winner=winner, ending=ending)


def _sumo(rules: Sumo, reward: Reward, seen: Seen) -> Verdict:
    fallen = seen.torso[..., 2] <= rules.fallen + rules.height
    far = np.hypot(seen.torso[..., 0], seen.torso[..., 1])
    out = far > seen.radius
    ending = _first((fallen.any(axis=0), _FALLEN), (out.any(axis=0), _OUT), (seen.last, _TIME))
    dense = _costs(reward, seen) + _alive(reward, seen, above=rules.height) - far
    if not ending.any():
        return _going_on(dense, ending)
    lost = np.where(ending == _FALLEN, fallen, np.where(ending == _OUT, out, ending == _TIME))
    winner = np.where(seen.touched & (ending > 0), _only(~lost), NOBODY)
    sparse = np.where(lost, -reward.goal, 0.0) + np.where(winner == [[0], [1]], reward.goal, 0.0)
    return Verdict(sparse=sparse, dense=dense, winner=winner, ending=ending)


def _kick(rules: Kick, reward: Reward, seen: Seen) -> Verdict:
    x, y, velocity = seen.ball[:, 0], seen.ball[:, 1], seen.ball_velocity
    scored = (x > rules.line) & (np.abs(y) <= rules.post)
    back = (velocity[:, 0] < 0) & (np.linalg.norm(velocity, axis=1) > rules.stopped)
    down = (seen.torso[0, :, 2] < rules.kicker_fallen) & (seen.torso[1, :, 2] <= rules.keeper_fallen)
    foul = np.abs(rules.line - seen.torso[1, :, 0]) > rules.foul
    wide = x > rules.line
    ending = _first((scored, _GOAL), (seen.last, _TIME), (wide, _OUT), (back, _STOPPED), (down, _FALLEN), (foul, _FOUL))
    dense = _costs(reward, seen)
    dense[0] += _alive(reward, seen)[0] + _progress(reward, seen)[0]
    dense[0] -= np.hypot(seen.torso[0, :, 0] - x, seen.torso[0, :, 1] - y)
    place = (seen.torso[1, :, 0] <= rules.line + 0.05) & (np.abs(seen.torso[1, :, 1]) <= rules.post)
    dense[1] += np.where((seen.torso[1, :, 2] >= reward.alive_height) & place, reward.alive, -reward.alive)
    if not ending.any():
        return _going_on(dense, ending)
    fouled = ending == _FOUL
    winner = np.where((ending == 0) | fouled, NOBODY, np.where(scored, 0, 1))
    sparse = _for_winner(winner, reward.goal)
    kept = winner == 1
    sparse[1] += np.where(kept & seen.touched, rules.touch, 0.0)
    sparse[1] += np.where(kept & (seen.torso[1, :, 2] > rules.standing_height), rules.standing, 0.0)
    sparse[1] -= np.where(fouled, reward.goal, 0.0)
    return Verdict(sparse=sparse, dense=dense, winner=winner, ending=ending)


def _going_on(dense: FloatArray, ending: IntArray) -> Verdict:
    """Of a step that ended no game, as most do: nothing is left to find out."""
    return Verdict(sparse=np.zeros(dense.shape), dense=dense, winner=np.full(ending.shape, NOBODY), ending=ending)


def _first(*conditions: tuple[BoolArray | np.bool_, int]) -> IntArray:
    """The number of the first condition that holds in each slot, or 0."""
    first: IntArray = np.zeros(np.shape(conditions[0][0]), dtype=np.int64)
    for met, number in reversed(conditions):
        first[met] = number
    return first


def _only(met: BoolArray) -> IntArray:
    """The seat that alone meets a condition, or NOBODY."""
    return np.where(met[0] == met[1], NOBODY, np.where(met[0], 0, 1))


def _for_winner(winner: IntArray, goal: float) -> FloatArray:
    paid: FloatArray = _SIGN[:, winner] * goal
    return paid


def _costs(reward: Reward, seen: Seen) -> FloatArray:
    """Of control and of contact, below 0."""
    actions = seen.clipped if reward.clip_control else seen.actions
    forces = seen.forces.clip(-reward.contact_clip, reward.contact_clip) if reward.contact_clip else seen.forces
    contact = reward.contact * np.square(forces).sum(axis=2)
    if reward.contact_most:
        contact = np.minimum(contact, reward.contact_most)
    costs: FloatArray = -reward.control * np.square(actions).sum(axis=2) - contact
    return costs


def _alive(reward: Reward, seen: Seen, above: float = 0.0) -> FloatArray:
    return np.where(seen.torso[..., 2] - above >= reward.alive_height, reward.alive, -reward.alive)


def _progress(reward: Reward, seen: Seen) -> FloatArray:
    return _DIRECTION * reward.progress * (seen.com - seen.com_before) / reward.progress_time


_JUDGES: dict[type[Rules], Callable[..., Verdict]] = {Goal: _run_to_goal, Pass: _pass, Sumo: _sumo, Kick: _kick}
