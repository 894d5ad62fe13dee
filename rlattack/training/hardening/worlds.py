"""Worlds in which a learner's episodes play: any of a box, or the usual one (Tobin et al. 2017, for dynamics)."""

from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from rlattack.arrays import IntArray
from rlattack.games.dynamics import Bendable, Region
from rlattack.games.solo import Solo


class Worlds:
    """Draws the world of each episode by its seed, as the episode begins: so a run that goes on plays in the same.

    Args:
        game: Whose worlds they are.
        region: The box; each number is drawn by itself, and any in the box is as likely as any other.
        share: Of the episodes; the others play in the usual world.
    """

    def __init__(self, game: Bendable, region: Region, share: float) -> None:
        self._game, self._region, self._share = game, region, share

    @classmethod
    def into(cls, env: VecEnv, region: Region, share: float) -> None:
        """Lets the episodes of a learner's game, of which it is checked that it has bodies, play in such worlds."""
        base: Any = env.unwrapped
        assert isinstance(base.env, Solo), "a game with bodies is one of ours"
        assert isinstance(base.env.game, Bendable), "its seats name bodies"
        base.env.begins = cls(base.env.game, region, share)

    def __call__(self, slots: IntArray, seeds: IntArray) -> None:
        """Makes the worlds of the episodes that begin in these slots with these seeds."""
        low, high = np.asarray(self._region.low), np.asarray(self._region.high)
        worlds = np.tile([one.usual for one in self._region.parameters], (len(slots), 1))
        for row, seed in zip(worlds, seeds, strict=True):
            rng = np.random.default_rng((int(seed), 1))
            if rng.random() < self._share:
                row[:] = rng.uniform(low, high)
        self._game.bend(slots, self._region.parameters, worlds)
