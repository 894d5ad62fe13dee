"""Physics that differ from copy to copy of a scene: what of the engine's numbers each parameter of a world is."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from rlattack.arrays import Array, FloatArray, IntArray
from rlattack.games.dynamics import Parameter
from rlattack.games.mujoco.engine import mujoco

_FIELDS = (
    "body_mass", "body_inertia", "geom_friction", "pair_friction", "opt.gravity", "opt.wind", "opt.density",
)  # fmt: skip
_SCALED = {"mass": ("body_mass", "body_inertia"), "friction": ("geom_friction", "pair_friction")}
_AIR = 1.2
"""Kilograms a cubic metre of what wind blows where a scene has no medium."""


def body_names(model: mujoco.MjModel) -> tuple[str, ...]:
    """Names of all bodies but the world, in order; of one without a name its number."""
    return tuple(model.body(number).name or str(number) for number in range(1, model.nbody))


class Dynamics:
    """Masses, friction, gravity, wind and forces of each copy of a scene; rewards go on counting by the scene's own.

    Args:
        model: The scene, which stays as it is.
        scenes: The engine's batch of copies.
    """

    def __init__(self, model: mujoco.MjModel, scenes: mujoco.batch.Batch) -> None:
        self._scenes, self._bodies = scenes, body_names(model)
        self._usual: dict[str, Array] = {name: np.array(attrgetter(name)(model)) for name in _FIELDS}
        self._now: dict[str, FloatArray] = {name: scenes.expand(name) for name in _FIELDS}
        self._applied: FloatArray = scenes.bind("xfrc_applied")
        self._forces = np.zeros_like(self._applied)
        self._geom_body = np.array(model.geom_bodyid)

    def bend(self, slots: IntArray, parameters: Sequence[Parameter], values: FloatArray) -> None:
        """Makes copies what is said of them, and all else in them as the scene says."""
        for name, now in self._now.items():
            now[slots] = self._usual[name]
        self._forces[slots] = 0.0
        for one, value in zip(parameters, values.T, strict=True):
            self._set(one, slots, value)
        self._settle(slots)

    def bent(self, parameters: Sequence[Parameter]) -> FloatArray:
        """How copies behave, shape (slots, parameters), by the engine's own numbers."""
        return np.stack([self._read(one) for one in parameters], axis=1)

    def push(self, slots: IntArray) -> None:
        """Lets forces act again in copies that were reset."""
        self._applied[slots] = self._forces[slots]

    def save(self, slot: int) -> list[Array]:
        """All that is its own of a copy."""
        return [row[slot].copy() for row in (*self._now.values(), self._forces)]

    def restore(self, slot: int, saved: Sequence[Array]) -> None:
        """Makes a copy what was saved of any."""
        for row, values in zip((*self._now.values(), self._forces), saved, strict=True):
            row[slot] = values
        self._settle(np.asarray([slot]))
        self.push(np.asarray([slot]))

    def _settle(self, slots: IntArray) -> None:
        """Lets what the engine derives from masses follow them."""
        self._scenes.set_const(slots)

    def _set(self, one: Parameter, slots: IntArray, value: FloatArray) -> None:
        if one.kind in _SCALED:
            for name in _SCALED[one.kind]:
                rows = self._rows(name, one.body)
                usual = self._usual[name][rows]
                self._now[name][np.ix_(slots, rows)] = usual * value.reshape(-1, *[1] * usual.ndim)
        elif one.kind == "gravity":
            self._now["opt.gravity"][slots] = self._usual["opt.gravity"] * value[:, None]
        elif one.kind.startswith("wind"):
            self._now["opt.wind"][slots, _axis(one)] = value
            blown = self._now["opt.density"][slots]
            self._now["opt.density"][slots] = np.where((blown == 0) & (value != 0), _AIR, blown)
        else:
            self._forces[slots, self._body(one.body), _axis(one)] = value

    def _read(self, one: Parameter) -> FloatArray:
        found: FloatArray
        if one.kind in _SCALED:
            name = _SCALED[one.kind][0]
            rows = self._rows(name, one.body)
            usual = self._usual[name][rows].sum()
            found = self._now[name][:, rows].reshape(len(self._forces), -1).sum(axis=1)
            return found / usual if usual else found + one.usual  # of what has none
        if one.kind == "gravity":
            usual = self._usual["opt.gravity"]
            found = self._now["opt.gravity"] @ usual / max(float(usual @ usual), 1e-12)
        elif one.kind.startswith("wind"):
            found = self._now["opt.wind"][:, _axis(one)].copy()
        else:
            found = self._applied[:, self._body(one.body), _axis(one)].copy()
        return found

    def _rows(self, name: str, body: str) -> Any:
        """Places of a body, or of all, in a field of bodies, geoms or pairs of geoms; a pair is of no one body."""
        count = len(self._usual[name])
        if not body:
            return np.arange(count)
        if name == "pair_friction":
            return np.arange(0)
        if name == "geom_friction":
            return np.flatnonzero(self._geom_body == self._body(body))
        return np.asarray([self._body(body)])

    def _body(self, name: str) -> int:
        return self._bodies.index(name) + 1


def _axis(one: Parameter) -> int:
    return "xyz".index(one.kind[-1])
