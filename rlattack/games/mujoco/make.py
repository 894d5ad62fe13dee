"""From the card of a MuJoCo game to the game: a duel, or a control task."""

from rlattack.games.card import Variant
from rlattack.games.mujoco.control import ControlGame
from rlattack.games.mujoco.duel import DuelGame
from rlattack.games.mujoco.scenes import MujocoGame


def make_mujoco(variant: Variant, slots: int, threads: int = 1, *, camera: bool = False) -> MujocoGame:
    """Builds a game in `slots` scenes, as `rlattack.games.make_game`; every one can be filmed."""
    kind = ControlGame if variant.card.mujoco is None else DuelGame
    return kind(variant, slots, threads, camera=camera)
