"""A game that can be filmed, and whose pictures are known by hand.

Importing this registers the family `staged`: `staged/10` has 10 steps a second.
"""

from typing import Any

import numpy as np

from rlattack.games.camera import Camera, Picture
from rlattack.games.card import Variant
from rlattack.games.find import FAMILIES
from tests.kit.games import Pull, made


class Staged(Pull):
    """The rope of `tests.kit.games`, with a camera."""

    def __init__(self, variant: Variant, slots: int, threads: int = 1, *, camera: bool = False) -> None:
        super().__init__(slots)
        self.variant = variant
        self.filmed = camera
        made.append(self)

    def camera(self, size: tuple[int, int]) -> Camera:
        assert self.filmed, "it was not made to be filmed"
        shot = Shot(self)
        return Camera(shot.frame, shot.fps, shot.close)


class Shot:
    """Draws how long the game in the slot has lasted, as a level of grey; remembers each slot and time."""

    def __init__(self, game: Any) -> None:
        self.game, self.closed = game, False
        self.fps = float(game.variant.card.id.partition("/")[2])
        self.shot: list[tuple[int, int]] = []
        cameras.append(self)

    def frame(self, slot: int) -> Picture:
        self.shot.append((slot, int(self.game.time[slot])))
        return np.full((64, 96, 3), 40 * self.game.time[slot], dtype=np.uint8)

    def close(self) -> None:
        self.closed = True


cameras: list[Shot] = []
"""Cameras that were set up in this process, newest last."""
FAMILIES.add("staged", "tests.kit.filmed:Staged")
