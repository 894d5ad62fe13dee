"""The two-player MuJoCo games in slots: threads step many scenes, numpy does the rest for all of them at once."""

from typing import Any

import mujoco
import mujoco.batch
import numpy as np
import numpy.typing as npt
from gymnasium import Space
from gymnasium.spaces import Box

from rlattack.errors import InvalidInput
from rlattack.games.batch import BoolArray, FloatArray, IntArray, check_seeds
from rlattack.games.duel import MASKS, NOBODY, DuelStep, Mask, Masks, Sight
from rlattack.games.mujoco.card import Kick, MujocoCard, Sumo
from rlattack.games.mujoco.observe import State, observe
from rlattack.games.mujoco.rules import ENDINGS, Seen, judge
from rlattack.games.mujoco.scene import build, seat

__all__ = ["MujocoDuel"]

_UNSTABLE = ENDINGS.index("unstable")
_TIME = ENDINGS.index("time")


class MujocoDuel:
    """One of the six games of Bansal et al. 2018, or a variant of it.

    A control step is `frame_skip` substeps; contact forces are those of the start of the last one, other derived
    quantities those of its last Runge-Kutta stage, as the agents of 2018 saw them.

    Args:
        card: Its numbers.
        slots: Number of scenes.
        threads: That step them; changes no result.
        masks: Seats from which the other player is hidden, and how (Gleave et al. 2019): its `qpos` as at the start of
            the scene, all zero, or with normal noise of standard deviation 1.

    Raises:
        InvalidInput: A seat or a way of hiding that there is none of.
    """

    endings: tuple[str, ...] = ENDINGS

    def __init__(self, card: MujocoCard, slots: int, threads: int = 1, masks: Masks | None = None) -> None:
        for number, mask in (masks or {}).items():
            if number not in (0, 1) or mask not in MASKS:
                raise InvalidInput(f"mask: expected seat 0 or 1 and one of {', '.join(MASKS)}, got {number} {mask!r}")
        self.card, self.slots, self.seats = card, slots, card.seats
        self.model = build(card.scene, card.rules)
        mujoco.set_mju_user_warning(lambda text: None)  # told by the step; else in a file in the working folder
        self._batch = mujoco.batch.Batch(self.model, slots, nthread=threads)
        self._masks = dict(masks or {})
        self._bind()
        low, high = self.model.actuator_ctrlrange[: self._actuators].T.astype(np.float32)
        self._low, self._high = low, high
        self._elapsed = np.zeros(slots, dtype=np.int64)
        self._radius = np.full(slots, self._arena[:, 0] if isinstance(card.rules, Sumo) else np.inf)
        self._touched = np.zeros(slots, dtype=np.bool_)
        self._com = np.zeros((2, slots))
        self._streams = [np.random.default_rng(0) for _ in range(slots)]
        self._noise = np.zeros((slots, self._nq))
        self._batch.forward()
        width = self._observe().shape[2]
        self.observation_spaces: tuple[Space[Any], Space[Any]] = (Box(-np.inf, np.inf, (width,), np.float32),) * 2
        self.action_spaces: tuple[Space[Any], Space[Any]] = (Box(low, high, dtype=np.float32),) * 2

    def reset(self, mask: BoolArray, seeds: IntArray) -> Sight:
        """See `DuelGame.reset`."""
        seeds = check_seeds(mask, seeds)
        if len(ids := np.flatnonzero(mask)):
            self._batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE)
            for slot, number in zip(ids, seeds, strict=True):
                self._place(int(slot), np.random.default_rng(number))
                self._streams[slot] = np.random.default_rng((number, 1))
                self._noise[slot] = self._streams[slot].standard_normal(self._nq)
            self._batch.forward(ids)
            self._elapsed[ids] = 0
            self._touched[ids] = isinstance(self.card.rules, Sumo) and self.card.rules.auto_contact
            self._com[:, ids] = self._centres()[:, ids]
        return self._sight()

    def step(self, actions: tuple[npt.NDArray[Any], npt.NDArray[Any]]) -> DuelStep:
        """Plays one action a seat and slot, each (slots, actuators) as the networks give them; the engine clamps."""
        raw = np.stack(actions).astype(np.float64)
        self._batch.ctrl[:] = np.concatenate([*raw], axis=1)
        self._batch.step(nstep=self.card.scene.frame_skip)
        self._elapsed += 1
        if "noise" in self._masks.values():
            self._noise = np.stack([stream.standard_normal(self._nq) for stream in self._streams])
        broken = ~(
            (np.abs(self._qpos) < mujoco.mjMAXVAL).all(axis=1) & (np.abs(self._qvel) < mujoco.mjMAXVAL).all(axis=1)
        )
        if broken.any():  # what is shown of it must be finite
            self._batch.reset(np.flatnonzero(broken))
        verdict = judge(self.card.rules, self.card.reward, self._seen(raw))
        ending = np.where(broken, _UNSTABLE, verdict.ending)
        alive = ~broken
        sparse = verdict.sparse * alive
        truncated = broken | ((ending == _TIME) & self.card.cut)
        return DuelStep(
            sight=self._sight(), rewards=sparse + verdict.dense * alive, sparse=sparse,
            terminated=(ending > 0) & ~truncated, truncated=truncated,
            winner=np.where(broken, NOBODY, verdict.winner), ending=ending,
        )  # fmt: skip

    def close(self) -> None:
        """Nothing is held."""

    def _bind(self) -> None:
        """Finds what belongs to each player in the arrays of the batch, and takes live views of them."""
        model, batch = self.model, self._batch
        first, second = (model.body(seat(number) + "torso").id for number in (0, 1))
        bodies = second - first
        self._ball = 7 if isinstance(self.card.rules, Kick) else 0
        self._nq, self._nv = (model.nq - self._ball) // 2, (model.nv - max(self._ball - 1, 0)) // 2
        self._bodies, self._torsos, self._actuators = slice(first, first + 2 * bodies), [first, second], model.nu // 2
        self._qpos, self._qvel = batch.qpos, batch.qvel
        self._cinert, self._cvel, self._forces = batch.bind("cinert"), batch.bind("cvel"), batch.bind("cfrc_ext")
        self._xmat, self._subtree, self._driven = (
            batch.bind("xmat"),
            batch.bind("subtree_com"),
            batch.bind("qfrc_actuator"),
        )
        self._touch = batch.bind("sensordata")
        if isinstance(self.card.rules, Sumo):
            self._arena = batch.expand("geom_size")[:, model.geom("arena").id]

    def _players(self, rows: npt.NDArray[Any], skip: int = 0) -> FloatArray:
        """(slots, 2 n) to (2, slots, n), without the ball's entries."""
        return rows[:, skip:].reshape(self.slots, 2, -1).swapaxes(0, 1)

    def _by_body(self, rows: npt.NDArray[Any]) -> FloatArray:
        """(slots, all bodies, k) to (2, slots, bodies * k)."""
        return rows[:, self._bodies].reshape(self.slots, 2, -1).swapaxes(0, 1)

    def _centres(self) -> FloatArray:
        centres: FloatArray = self._subtree[:, self._torsos, 0].T
        return centres

    def _place(self, slot: int, rng: np.random.Generator) -> None:
        """Noise on everything, then the players' places where the rules draw them."""
        reset, rules, model = self.card.reset, self.card.rules, self.model
        qpos = model.qpos0 + rng.uniform(-reset.position, reset.position, model.nq)
        qvel = reset.velocity * rng.standard_normal(model.nv)
        players = qpos[self._ball :].reshape(2, -1)
        if isinstance(rules, Sumo):
            self._radius[slot] = self._arena[slot, 0] = radius = rng.uniform(rules.radius[0], rules.radius[1])
            players[:, :2] = _in_arena(rules, radius, rng)
        if isinstance(rules, Kick):
            for row, place in zip(
                (players[0], players[1], qpos), (rules.kicker_place, rules.keeper_place, rules.ball_place), strict=True
            ):
                row[:2] = rng.uniform(place[0::2], place[1::2])
            qpos[2] = rules.ball_height
            if qvel[0] < 0:
                qvel[:3] = rules.roll
        # 1.31 made the noisy quaternions unit ones
        for free in (*([qpos] if self._ball else []), *players):
            free[3:7] /= np.linalg.norm(free[3:7])
        self._qpos[slot], self._qvel[slot] = qpos, qvel

    def _seen(self, raw: FloatArray) -> Seen:
        if isinstance(self.card.rules, Sumo | Kick):  # within the margin is not yet a touch
            found, distance = self._touch[:, -2], self._touch[:, -1]
            self._touched |= (found > 0) & (distance < 0)
        before, self._com = self._com, self._centres().copy()
        ball = (
            np.concatenate([self._qpos[:, :3], self._qvel[:, :3]], axis=1) if self._ball else np.empty((self.slots, 0))
        )
        return Seen(
            torso=self._players(self._qpos, self._ball)[..., :3], com=self._com, com_before=before, actions=raw,
            clipped=np.clip(raw, self._low, self._high), forces=self._by_body(self._forces), elapsed=self._elapsed,
            last=self._elapsed >= self.card.scene.max_steps, touched=self._touched, radius=self._radius, ball=ball,
        )  # fmt: skip

    def _sight(self) -> Sight:
        obs = self._observe()
        return Sight((obs[0], obs[1]), np.ones((2, self.slots), dtype=np.bool_))

    def _observe(self) -> FloatArray:
        skip = max(self._ball - 1, 0)
        qpos = self._players(self._qpos, self._ball)
        state = State(
            qpos=qpos, qvel=self._players(self._qvel, skip), cinert=self._by_body(self._cinert),
            cvel=self._by_body(self._cvel), qfrc_actuator=self._players(self._driven, skip),
            forces=self._by_body(self._forces), turn=self._xmat[:, self._torsos].swapaxes(0, 1), radius=self._radius,
            ball=self._qpos[:, :3] if self._ball else np.empty((self.slots, 0)),
            left=self.card.scene.max_steps - self._elapsed,
        )  # fmt: skip
        other = qpos[::-1]
        if self._masks:
            other = other.copy()
            for number, mask in self._masks.items():
                other[number] = self._hidden(mask, other[number], 1 - number)
        return observe(self.card.scene.body, self.card.rules, state, other)

    def _hidden(self, mask: Mask, shown: FloatArray, player: int) -> FloatArray:
        """What a masked seat sees of the other player's `qpos`, shape (slots, nq)."""
        if mask == "zero":
            return np.zeros_like(shown)
        if mask == "noise":
            return shown + self._noise
        start = self.model.qpos0[self._ball :].reshape(2, -1)[player]
        return np.broadcast_to(start, shown.shape)


def _in_arena(rules: Sumo, radius: float, rng: np.random.Generator) -> FloatArray:
    """X and y of both players on their own sides of the arena."""
    edge = rules.gap + rules.radius[0] / 2
    x = np.asarray([rng.uniform(-radius + edge, -rules.gap), rng.uniform(rules.gap, radius - edge)])
    room = np.sqrt(radius**2 - x**2) - edge
    return np.stack([x, rng.uniform(-room, room)], axis=1)
