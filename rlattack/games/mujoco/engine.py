"""MuJoCo, imported so that a GL library that is missing costs only the pictures."""

import os

from rlattack.errors import MissingExtra

__all__ = ["mujoco"]

try:
    import mujoco.batch
except ImportError as error:
    raise MissingExtra('MuJoCo games need mujoco: pip install "rlattack[mujoco]"') from error
except Exception:  # mujoco 4.0 cannot be imported at all where MUJOCO_GL names what does not load
    _named = os.environ.get("MUJOCO_GL", "")
    os.environ["MUJOCO_GL"] = "disable"
    try:
        import mujoco.batch
    finally:
        os.environ["MUJOCO_GL"] = _named
