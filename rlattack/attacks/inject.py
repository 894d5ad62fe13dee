"""What the wrappers of environments share: batches of arrays under attack."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box

from rlattack.arrays import Array, BoolArray
from rlattack.attacks.attacker import Attacker
from rlattack.errors import InvalidInput


class Injector:
    """Arrays in, attacked arrays out; gives every episode of every slot its own random stream.

    Args:
        attacker: The attack at work.
        space: One observation of the environment.
        slots: Environments at once.
        seed: Root of the random streams.
    """

    def __init__(self, attacker: Attacker, space: Space[Any], slots: int, seed: int) -> None:
        if attacker.slots != slots:
            raise InvalidInput(
                f"the attacker has {attacker.slots} slots, the environment {slots}; make it with slots={slots}"
            )
        if attacker.space != space:
            raise InvalidInput(f"the attacker was fitted to {attacker.space}, the environment shows {space}")
        assert isinstance(space, Box)  # a budget fits no other space
        self.space = space if attacker.grid else Box(space.low.astype(np.float32), space.high.astype(np.float32))
        self._attacker = attacker
        self.seed(seed)

    def seed(self, seed: int | Sequence[int | None] | None) -> None:
        """Starts the random streams anew; None, for all or one environment, asks for nothing."""
        given = [int(one) for one in np.atleast_1d(np.asarray(seed, dtype=object)) if one is not None]
        if given:
            self._root = np.random.SeedSequence(given)

    def restart(self, mask: BoolArray) -> None:
        """Starts new episodes where `mask` is set."""
        slots = np.flatnonzero(mask)
        self._attacker.restart(slots, self._root.spawn(len(slots)))

    def attack(self, obs: Array, active: BoolArray | None = None) -> Array:
        """Attacks a batch, shape (slots, *observation); rows that are not active come back as they are."""
        received = self._attacker(torch.from_numpy(np.array(obs, dtype=np.float32)), active)
        attacked: Array = received.numpy().astype(self.space.dtype, copy=False)
        return attacked

    def attack_ended(self, finals: dict[int, Array], obs: Array) -> dict[int, Array]:
        """Attacks the last observations of episodes that ended, by slot, and leaves the other slots alone."""
        batch, active = np.array(obs), np.zeros(len(obs), dtype=np.bool_)
        for slot, final in finals.items():
            batch[slot], active[slot] = final, True
        attacked = self.attack(batch, active)
        return {slot: attacked[slot] for slot in finals}
