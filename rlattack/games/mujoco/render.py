"""Pictures of a slot of a MuJoCo game: a camera that follows the play."""

import contextlib
import copy
import ctypes
import importlib
import os
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from rlattack.arrays import FloatArray
from rlattack.errors import InvalidInput, MissingExtra, one_line
from rlattack.games.camera import Picture
from rlattack.games.mujoco.engine import mujoco

if TYPE_CHECKING:
    from rlattack.games.mujoco.scenes import MujocoGame

_LIBRARIES = {"egl": "libEGL.so.1", "osmesa": "libOSMesa.so.8"}
_DOWN = np.deg2rad(20.0)
"""Angle by which the camera looks down."""
_FORWARD = np.asarray([0.0, np.cos(_DOWN), -np.sin(_DOWN)])
_UP = np.asarray([0.0, np.sin(_DOWN), np.cos(_DOWN)])


class Renderer:
    """Draws slots of a game off screen; make, use and close it in one thread.

    The camera stands on the side of the negative y, and just so far away that it sees all that the game names.

    Args:
        game: Drawing changes nothing in it.
        width: Of a picture, in pixels.
        height: Of a picture, in pixels.

    Raises:
        InvalidInput: A picture without pixels, or of more than 4096 on a side.
        MissingExtra: No GL library draws without a display.
    """

    def __init__(self, game: "MujocoGame", width: int = 480, height: int = 320) -> None:
        if not (1 <= width <= 4096 and 1 <= height <= 4096):
            raise InvalidInput(f"picture: expected 1 to 4096 pixels a side, got {width} by {height}")
        self._game, self._ratio = game, width / height
        self._model = copy.copy(game.model)
        self._model.vis.global_.offwidth, self._model.vis.global_.offheight = width, height
        self._model.vis.quality.shadowsize, self._model.vis.quality.offsamples = 1024, 0  # half the time on a CPU
        self._data, self._option = mujoco.MjData(self._model), mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.azimuth, self._camera.elevation = 90.0, -np.rad2deg(_DOWN)
        self._scene = mujoco.MjvScene(self._model, maxgeom=1000)
        self._frame = mujoco.MjrRect(0, 0, width, height)
        self._gl, self._context = _gl(self._model, width, height)
        self._free = weakref.finalize(self, _free, self._gl, self._context)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)

    def frame(self, slot: int) -> Picture:
        """Draws a slot as it stands, shape (height, width, 3); a new array each time.

        Raises:
            InvalidInput: No such slot.
        """
        self._game.show(slot, self._model, self._data)
        self._aim(self._game.must_see(self._model, self._data))
        kinds = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self._model, self._data, self._option, None, self._camera, kinds, self._scene)
        picture = np.empty((self._frame.height, self._frame.width, 3), dtype=np.uint8)
        self._gl.make_current()
        mujoco.mjr_render(self._frame, self._scene, self._context)
        mujoco.mjr_readPixels(picture, None, self._frame, self._context)
        return picture[::-1].copy()  # GL counts rows from below

    def close(self) -> None:
        """Frees what the GL library holds; once is enough."""
        self._free()

    def _aim(self, places: FloatArray) -> None:
        """Points the camera at the middle of the places, from the least distance that shows all of them."""
        middle = (places.min(axis=0) + places.max(axis=0)) / 2
        away = places - middle
        slope = np.tan(np.deg2rad(self._model.vis.global_.fovy) / 2)
        across = np.maximum(np.abs(away[:, 0]) / self._ratio, np.abs(away @ _UP))
        self._camera.lookat[:] = middle
        self._camera.distance = (across / slope - away @ _FORWARD).max()


def _gl(model: mujoco.MjModel, width: int, height: int) -> tuple[Any, mujoco.MjrContext]:
    """A GL context of the library that MUJOCO_GL names, or of the first that draws without a display."""
    chosen = os.environ.get("MUJOCO_GL", "").lower() or _off_screen()
    try:
        module = importlib.import_module(f"mujoco.{chosen}") if chosen in _LIBRARIES else mujoco
        with warnings.catch_warnings(action="ignore"):  # glfw warns of what the error below says
            context = module.GLContext(width, height)
            context.make_current()
        return context, mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
    except Exception as error:  # each library has its own way to be missing
        raise MissingExtra(
            f"pictures need OpenGL, and MUJOCO_GL={chosen} gives none ({one_line(error)}): `apt-get install libegl1` "
            "and MUJOCO_GL=egl, or `apt-get install libosmesa6` and MUJOCO_GL=osmesa"
        ) from error


def _free(gl: Any, context: mujoco.MjrContext) -> None:
    gl.make_current()
    context.free()
    gl.free()


def _off_screen() -> str:
    """Name of a GL library on this machine that needs no display; empty for MuJoCo's own choice."""
    for name, library in _LIBRARIES.items():
        with contextlib.suppress(OSError):
            ctypes.CDLL(library)
            return name
    return ""
