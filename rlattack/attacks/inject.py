"""What the wrappers of environments share: batches of arrays under attack."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box

from rlattack.arrays import Array, BoolArray
from rlattack.attacks.attacker import Attacker
from rlattack.attacks.pipeline import Pipeline, check_around
from rlattack.errors import InvalidInput


class Injector:
    """Arrays in, attacked arrays out; gives every episode of every slot its own random stream.

    Args:
        attacker: The attack at work.
        env: The environment, which shows what the attacker was fitted to.
        slots: Environments at once.
        seed: Root of the random streams.
    """

    def __init__(self, attacker: Attacker, env: Any, slots: int, seed: int) -> None:
        if attacker.slots != slots:
            raise InvalidInput(
                f"the attacker has {attacker.slots} slots, the environment {slots}; make it with slots={slots}"
            )
        self._pipeline = Pipeline(env, attacker.pipeline.keys)
        space = self._pipeline.space
        if attacker.space != space or attacker.pipeline.keys != self._pipeline.keys:
            way_out = "; make it with the environment in place of its space" if self._pipeline.normalised else ""
            raise InvalidInput(f"the attacker was fitted to {attacker.space}, the environment shows {space}{way_out}")
        if self._pipeline.normalised and attacker.normalises:
            raise InvalidInput("the agent normalises what it sees, and so does this environment: take VecNormalize off")
        assert isinstance(space, Box)  # a budget fits no other space
        self._pipeline = attacker.pipeline  # which its policy looks into
        self._changed = space if attacker.grid else Box(space.low.astype(np.float32), space.high.astype(np.float32))
        self.space = self._pipeline.shown(self._changed)
        self._attacker = attacker
        self.seed(seed)

    def check_around(self) -> None:
        """Refuses to be inside of what normalises; see `rlattack.attacks.pipeline`."""
        attack = self._attacker.attack
        check_around(type(attack).knowledge_of(attack.parameters) != "none", self._attacker.normalises)

    def seed(self, seed: int | Sequence[int | None] | None) -> None:
        """Starts the random streams anew; None, for all or one environment, asks for nothing."""
        given = [int(one) for one in np.atleast_1d(np.asarray(seed, dtype=object)) if one is not None]
        if given:
            self._root = np.random.SeedSequence(given)

    def restart(self, mask: BoolArray) -> None:
        """Starts new episodes where `mask` is set."""
        slots = np.flatnonzero(mask)
        self._attacker.restart(slots, self._root.spawn(len(slots)))

    def attack(self, obs: Any, active: BoolArray | None = None) -> Any:
        """Attacks a batch, shape (slots, *observation); rows that are not active come back as they are.

        Args:
            obs: An array, or of a Dict one a key.
            active: Slots that are attacked; all by default.
        """
        clean = np.array(self._pipeline.join(obs), dtype=np.float32)
        received = self._attacker(torch.from_numpy(clean), active)
        return self._pipeline.split(received.numpy(force=True).astype(self._changed.dtype, copy=False), obs)

    def attack_ended(self, finals: dict[int, Any], obs: Any) -> dict[int, Any]:
        """Attacks the last observations of episodes that ended, by slot, and leaves the other slots alone."""
        active = np.zeros(self._attacker.slots, dtype=np.bool_)
        active[list(finals)] = True
        if not isinstance(obs, dict):
            attacked = self.attack(_replaced(obs, finals), active)
            return {slot: attacked[slot] for slot in finals}
        parts = {
            name: _replaced(part, {slot: final[name] for slot, final in finals.items()}) for name, part in obs.items()
        }
        attacked = self.attack(parts, active)
        return {slot: {name: part[slot] for name, part in attacked.items()} for slot in finals}


def _replaced(batch: Array, rows: dict[int, Array]) -> Array:
    """A copy of a batch with other rows."""
    new = np.array(batch)
    for slot, row in rows.items():
        new[slot] = row
    return new
