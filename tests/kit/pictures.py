"""Stacked frames in which something is to be seen, and who looks at it.

Importing this registers the family `sides` (one seat).
"""

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch import nn

from rlattack.arrays import BoolArray, IntArray
from rlattack.games import Seat, Variant, View
from rlattack.games.find import FAMILIES
from rlattack.games.game import PLAYER, always
from rlattack.policies.module import ModulePolicy
from tests.kit.cells import Film

SHAPE = (4, 12, 20)
"""Four frames, wider than high, and no multiple of 8."""


class Sides(Film):
    """One seat: naming the side of the newest frame that is brighter (0 left, 1 right) earns 1, as in `Film`.

    Both sides are noise about greys of their own, drawn from the seed.
    """

    def __init__(self, variant: Variant, slots: int, threads: int = 1) -> None:
        super().__init__(variant, slots, threads)
        self.seats = (Seat(PLAYER, Box(0, 255, SHAPE, np.uint8), Discrete(2)),)
        self.pictures = np.zeros((slots, 10, *SHAPE[1:]), dtype=np.uint8)

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        super().reset(mask, seeds)
        for slot, seed in zip(np.flatnonzero(mask), seeds, strict=True):
            rng = np.random.default_rng(int(seed))
            sides = 110 + 30 * np.stack([(side := rng.integers(2, size=10)), 1 - side], axis=1)
            greys = np.repeat(sides[:, None, :], SHAPE[2] // 2, axis=2) + rng.integers(-40, 41, (10, *SHAPE[1:]))
            self.pictures[slot] = greys
            self.frames[slot] = 255 * (1 - side)[:, None, None]  # what `Film` pays for: 1 where the right is brighter
        return self.views()

    def views(self) -> tuple[View, ...]:
        return (View(self.pictures[np.arange(self.slots)[:, None], self.time[:, None] + range(4)], always(self.slots)),)


def looker(certainty: float = 0.5) -> ModulePolicy:
    """In `sides` names the brighter side of the newest frame, more surely the larger the difference of the means."""
    layer = nn.Linear(int(np.prod(SHAPE)), 2)
    weight = torch.zeros(2, *SHAPE)
    weight[0, -1, :, : SHAPE[2] // 2] = weight[1, -1, :, SHAPE[2] // 2 :] = certainty / (SHAPE[1] * SHAPE[2] / 2)
    with torch.no_grad():
        layer.weight.copy_(weight.flatten(1))
        layer.bias.zero_()
    return ModulePolicy(nn.Sequential(nn.Flatten(), layer), SHAPE, 2)


FAMILIES.add("sides", "tests.kit.pictures:Sides")
