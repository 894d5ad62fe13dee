"""Gymnasium's control tasks (Hopper, Ant, ...): the start, and what is seen, paid and ended, equal to it to the bit."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from gymnasium.spaces import Box

from rlattack.arrays import Array, FloatArray
from rlattack.games.card import Variant
from rlattack.games.game import NOBODY, PLAYER, UNDECIDED, Seat, Step, View
from rlattack.games.mujoco.dynamics import body_names
from rlattack.games.mujoco.engine import mujoco
from rlattack.games.mujoco.scene import ASSETS
from rlattack.games.mujoco.scenes import MujocoGame
from rlattack.games.mujoco.task import Physics, distance, features, observe, paid, place, upright

_FALLEN, _TIME, _UNSTABLE = 1, 2, 3
_ROOM = 1.4
"""Half of what a picture shows, in halves of the body as it starts."""


class ControlGame(MujocoGame):
    """One of Gymnasium's control tasks; actions are clipped to their range first, as every library does for agents.

    Raises:
        InvalidInput: Something hidden from the player, or no memory for so many scenes.
    """

    endings: tuple[str, ...] = ("", "fallen", "time", "unstable")

    def __init__(self, variant: Variant, slots: int, threads: int = 1, *, camera: bool = False) -> None:
        variant.check_nothing_hidden()
        assert variant.card.task is not None, "its card was checked"
        self._task = task = variant.card.task
        mujoco.set_mju_user_warning(lambda text: None)  # of what will go from the language of scenes
        model = mujoco.MjModel.from_xml_path(str(ASSETS / task.asset))
        super().__init__(model, slots, threads, task.frame_skip, whole=task.feels)
        self._data, self._forces = mujoco.MjData(model), np.zeros((slots, model.nbody, 6))
        self._ctrl = self.scenes.bind("ctrl")
        parts = {name: self.scenes.bind(name) for name in task.looks_at}
        tip, goal = (model.body(name).id for name in ("fingertip", "target")) if task.body == "reacher" else (-1, -1)
        self._now = Physics(
            qpos=self.qpos, qvel=self.qvel, forces=self._forces, mass=model.body_mass[:, None].copy(),
            seconds=model.opt.timestep * task.frame_skip, tip=tip, goal=goal, **parts,
        )  # fmt: skip
        low, high = model.actuator_ctrlrange.T.astype(np.float32)
        self.scenes.forward()
        width = observe(task, self._now).shape[1]
        self._box = Box(low, high)
        seen = features(task, [model.joint(number).name for number in range(model.njnt)])
        self._before = self._place_now()
        shown = Box(-np.inf, np.inf, (width,), np.float64)
        self.seats = (Seat(PLAYER, shown, self._box, seen, bodies=body_names(model)),)

    def step(self, actions: Sequence[Array]) -> Step:
        """Plays one action a slot, `actions[0]`, shape (slots, actuators).

        Raises:
            InvalidInput: Actions of another shape, or that are not finite.
        """
        (raw,), task = self._checked(actions), self._task
        clipped = raw.astype(np.float32).clip(self._box.low, self._box.high)
        self._ctrl[:] = clipped
        before = self._before.copy()
        broken = self._advance()
        self._before[:] = self._place_now()
        if task.feels:
            self._feel()
        fine, late = upright(task, self._now), self.elapsed >= task.max_steps
        ending = np.where(broken, _UNSTABLE, np.where(fine, _TIME * late, _FALLEN))
        rewards = np.where(broken, 0.0, paid(task, self._now, clipped, before, fine))
        return Step(
            views=self._views(), rewards=rewards[None], terminated=~fine & ~broken, truncated=(late & fine) | broken,
            winner=np.where(ending > 0, UNDECIDED, NOBODY), ending=ending,
        )  # fmt: skip

    def must_see(self, model: mujoco.MjModel, data: mujoco.MjData) -> FloatArray:
        """Around the body, as much in every posture: its first part is followed; shape (places, 3)."""
        places: FloatArray = data.xpos[1] + self._around
        return places

    @cached_property
    def _around(self) -> FloatArray:
        """Ends of a cross that the body fits in as it starts, beside where its first part is, shape (4, 3)."""
        data = mujoco.MjData(self.model)
        mujoco.mj_kinematics(self.model, data)
        moving = self.model.geom_bodyid > 0
        reach = data.geom_xmat.reshape(-1, 3, 3)[moving, :, 2] * self.model.geom_size[moving, 1:2]
        ends = np.concatenate([data.geom_xpos[moving] + reach, data.geom_xpos[moving] - reach]) - data.xpos[1]
        low, high = ends[:, 2].min(), ends[:, 2].max()
        arm = _ROOM * max(np.abs(ends[:, 0]).max(), (high - low) / 2)
        around = np.asarray([[-arm, 0, 0], [arm, 0, 0], [0, 0, -arm], [0, 0, arm]])
        around[:, 2] += (low + high) / 2
        return around

    def _place(self, slot: int, seed: int) -> None:
        """Noise around the start, in the order in which Gymnasium draws it."""
        rng, task, model = np.random.Generator(np.random.PCG64(seed)), self._task, self.model
        qpos = model.qpos0 + rng.uniform(-task.noise, task.noise, model.nq)
        if task.body == "reacher":
            while np.linalg.norm(goal := rng.uniform(-0.2, 0.2, 2)) >= 0.2:
                pass
            qpos[-2:], qvel = goal, rng.uniform(-0.005, 0.005, model.nv)
            qvel[-2:] = 0
        elif task.own.normal:
            qvel = task.noise * rng.standard_normal(model.nv)
        else:
            qvel = rng.uniform(-task.noise, task.noise, model.nv)
        self.qpos[slot], self.qvel[slot] = qpos, qvel
        if task.feels:
            self._forces[slot] = 0.0

    def _place_now(self) -> FloatArray:
        return distance(self._now) if self._task.body == "reacher" else place(self._task, self._now)

    def _feel(self) -> None:
        """Finds the contact forces, which the engine leaves out of a step."""
        for slot in range(self.slots):
            data = self.scenes.get_data(slot, self._data)
            mujoco.mj_rnePostConstraint(self.model, data)
            self._forces[slot] = data.cfrc_ext

    def _views(self) -> tuple[View, ...]:
        return (View(observe(self._task, self._now), self._turn),)
