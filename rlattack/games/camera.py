"""Pictures of a game that is being played, whatever draws it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from rlattack.errors import InvalidInput
from rlattack.games.game import Game

Picture = npt.NDArray[np.uint8]
FILMED = "only Atari and MuJoCo games can, and Gymnasium's that draw themselves"
"""What a refusal says of the games that can be filmed."""


@dataclass(frozen=True)
class Camera:
    """Draws slots of a game as they stand, and changes nothing in it.

    Attributes:
        frame: Draws a slot, shape (height, width, 3), both sides even; a new array each time.
        fps: Steps of the game a second, in its own time.
        close: Frees what draws.
    """

    frame: Callable[[int], Picture]
    fps: float
    close: Callable[[], None] = lambda: None


@runtime_checkable
class Filmed(Protocol):
    """A game that can be filmed."""

    def camera(self, size: tuple[int, int]) -> Camera:
        """Sets up a camera; `size` is the width and height to draw in."""


def camera(game: Game, size: tuple[int, int] = (480, 320)) -> Camera:
    """Sets up a camera for a game that was made with `make_game(..., camera=True)`.

    Args:
        game: The game; its first episode may have begun or not.
        size: Width and height to draw in; who draws frames of a size of its own comes as near as it can.

    Raises:
        InvalidInput: A game that cannot be filmed.
        MissingExtra: A library that it draws with is missing.
    """
    if not isinstance(game, Filmed):
        raise InvalidInput(f"a {type(game).__name__} cannot be filmed, {FILMED}")
    return game.camera(size)


def enlarge(picture: Picture, size: tuple[int, int]) -> Picture:
    """Repeats pixels as often as `size` (width, height) holds, at least once; grey becomes RGB, odd sides even.

    Args:
        picture: Shape (height, width) or (height, width, 3).
        size: Width and height.
    """
    height, width = picture.shape[:2]
    factor = max(1, min(size[0] // width, size[1] // height))
    large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    large = large[: len(large) // 2 * 2, : large.shape[1] // 2 * 2]
    return np.ascontiguousarray(np.broadcast_to(large.reshape(*large.shape[:2], -1), (*large.shape[:2], 3)))
