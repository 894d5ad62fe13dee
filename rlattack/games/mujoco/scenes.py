"""MuJoCo games in slots: threads step many scenes, numpy does the rest for all of them at once."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from rlattack.arrays import Array, BoolArray, FloatArray, IntArray
from rlattack.errors import InvalidInput
from rlattack.games.camera import Camera
from rlattack.games.dynamics import Parameter
from rlattack.games.game import Seat, Step, View, always, check_seeds
from rlattack.games.mujoco.dynamics import Dynamics
from rlattack.games.mujoco.engine import mujoco

TALL = np.asarray([[-0.9, 0.0, -1.0], [0.9, 0.0, -1.0], [0.0, 0.0, 0.8]])
"""Corners around a torso, in metres, that a picture must show as well."""
_LATE = 1e6
"""Seconds to which clocks are set: the engine starts a diverged scene anew, at 0, and says nothing. Forbidding it that
would cost seconds, since a state of NaN touches itself everywhere."""


_STATE = ("qpos", "qvel", "act", "qacc_warmstart")
"""What the engine goes on from; actions and the clock are written before each step."""


class MujocoGame(ABC):
    """Copies of a scene: what all games of MuJoCo share.

    A control step is `frame_skip` substeps. A scene that diverges ends its episode as `unstable`, and shows its start
    until it is reset.

    Args:
        model: The scene.
        slots: Number of copies.
        threads: That step them; changes no result.
        frame_skip: Substeps a control step.
        whole: Whether the engine keeps all that it computed of each copy, and not its state alone.

    Attributes:
        scenes: The engine's own batch.
        qpos: Positions, a live view, shape (slots, nq).
        qvel: Velocities, a live view, shape (slots, nv).
        elapsed: Control steps of the running episodes, shape (slots,).

    Raises:
        InvalidInput: No memory for so many copies.
    """

    seats: tuple[Seat, ...]
    endings: tuple[str, ...]
    _before: FloatArray
    """`_place_now` before the next step: numbers of the engine alone do not bring it back."""

    def __init__(
        self, model: mujoco.MjModel, slots: int, threads: int, frame_skip: int, *, whole: bool = False
    ) -> None:
        mujoco.set_mju_user_warning(lambda text: None)  # told by the step; else in a file in the working folder
        self.model, self.slots, self.frame_skip = model, slots, frame_skip
        try:
            self.scenes = mujoco.batch.Batch(model, slots, nthread=threads, persistent=whole)
        except (MemoryError, ValueError) as error:
            raise InvalidInput(f"no memory for {slots:,} games at once ({error}); choose fewer --envs") from None
        self.qpos, self.qvel, self._time = (self.scenes.bind(name) for name in ("qpos", "qvel", "time"))
        self._held = [self.scenes.bind(name) for name in _STATE]
        self.elapsed = np.zeros(slots, dtype=np.int64)
        self._turn = always(slots)
        self._dynamics: Dynamics | None = None  # of a batch that was never bent the engine shares all numbers

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        """Starts new episodes in the slots of `mask`."""
        seeds = check_seeds(mask, seeds)
        if len(ids := np.flatnonzero(mask)):
            self.scenes.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE)
            for slot, seed in zip(ids.tolist(), seeds.tolist(), strict=True):
                self._place(slot, seed)
            if self._dynamics is not None:
                self._dynamics.push(ids)
            self.scenes.forward(ids)
            self.elapsed[ids] = 0
            self._before[ids] = self._place_now()[ids]
        return self._views()

    @abstractmethod
    def step(self, actions: Sequence[Array]) -> Step:
        """Plays one action a seat and slot, each (slots, actuators)."""

    @abstractmethod
    def must_see(self, model: mujoco.MjModel, data: mujoco.MjData) -> FloatArray:
        """Places that a picture of a scene must show, shape (places, 3)."""

    def save(self, slots: IntArray) -> list[object]:
        """The state of each of these slots."""
        bent = self._dynamics
        return [
            ([row[slot].copy() for row in self._kept], None if bent is None else bent.save(slot))
            for slot in slots.tolist()
        ]

    def restore(self, slots: IntArray, states: Sequence[Any]) -> None:
        """Goes on in these slots from what was saved."""
        for slot, (state, bent) in zip(slots.tolist(), states, strict=True):
            for row, saved in zip(self._kept, state, strict=True):
                row[slot] = saved
            if bent is not None:
                self._own_dynamics().restore(slot, bent)
            elif self._dynamics is not None:
                self._dynamics.bend(np.asarray([slot]), (), np.zeros((1, 0)))
                self._dynamics.push(np.asarray([slot]))

    def bend(self, slots: IntArray, parameters: Sequence[Parameter], values: FloatArray) -> None:
        """Makes the worlds of these slots what is said of them, from the next reset on; all else becomes usual."""
        self._own_dynamics().bend(slots, parameters, values)

    def bent(self, parameters: Sequence[Parameter]) -> FloatArray:
        """How the worlds behave now, by the engine's own numbers, shape (slots, parameters)."""
        return self._own_dynamics().bent(parameters)

    def _own_dynamics(self) -> Dynamics:
        if self._dynamics is None:
            self._dynamics = Dynamics(self.model, self.scenes)
        return self._dynamics

    @property
    def _kept(self) -> list[Array]:
        """All that an episode goes on from, live, each (slots, ...)."""
        return [*self._held, self.elapsed, self._before]

    def show(self, slot: int, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Writes where everything of a slot stands into a copy of `model` and its data, to draw it.

        Raises:
            InvalidInput: No such slot.
        """
        if not 0 <= slot < self.slots:
            raise InvalidInput(f"slot: expected 0 to {self.slots - 1}, got {slot}")
        self.scenes.get_model(slot, model)
        self.scenes.get_data(slot, data)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)

    def camera(self, size: tuple[int, int]) -> Camera:
        """Sets up a renderer of pictures of `size` (width, height)."""
        from rlattack.games.mujoco.render import Renderer

        renderer = Renderer(self, *size)
        return Camera(renderer.frame, 1 / (self.model.opt.timestep * self.frame_skip), renderer.close)

    def close(self) -> None:  # noqa: B027  # a part of every game, and here there is nothing to do
        """Holds nothing that must be freed."""

    @abstractmethod
    def _place(self, slot: int, seed: int) -> None:
        """Writes the start of an episode into `qpos` and `qvel` of a slot."""

    @abstractmethod
    def _place_now(self) -> FloatArray:
        """What rewards compare with a step later, shape (slots, ...)."""

    @abstractmethod
    def _views(self) -> tuple[View, ...]: ...

    def _checked(self, actions: Sequence[Array]) -> FloatArray:
        """Actions of all seats, shape (seats, slots, actuators).

        Raises:
            InvalidInput: Actions of another shape, or that are not finite: idle slots take any that are.
        """
        for one, given in zip(self.seats, actions, strict=True):
            if np.shape(given) != (shape := (self.slots, *(one.action.shape or ()))):
                raise InvalidInput(f"actions of the {one.name}: expected shape {shape}, got {np.shape(given)}")
        raw = np.array(actions, dtype=np.float64)
        if not np.isfinite(raw).all():  # the engine would take them for zeros, and say nothing
            first = tuple(np.argwhere(~np.isfinite(raw))[0])
            raise InvalidInput(f"actions of the {self.seats[first[0]].name}: expected finite numbers, got {raw[first]}")
        return raw

    def _advance(self) -> BoolArray:
        """Steps all scenes; returns which of them broke down, shape (slots,), after setting those to their start."""
        broken = np.zeros(self.slots, dtype=np.bool_)
        self._time[:] = _LATE
        try:
            self.scenes.step(nstep=self.frame_skip)
        except mujoco.batch.SimulationError as error:
            broken[error.ids] = True
        self.elapsed += 1
        broken |= self._time < _LATE
        for numbers in (self.qpos, self.qvel):
            if not np.abs(numbers).max() < mujoco.mjMAXVAL:  # so that NaN counts
                broken |= ~(np.abs(numbers).max(axis=1) < mujoco.mjMAXVAL)
        if broken.any():  # what is shown must be finite
            self.scenes.reset(np.flatnonzero(broken))
        return broken
