"""Keeps the first steps of an attacked episode, from which the report cuts its clip."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rlattack.files import write_whole
from rlattack.policies.base import Output

__all__ = ["Recorder"]

LENGTH = 300
"""Steps kept: 20 seconds of an Atari game."""


class Recorder:
    """Records one slot: newest frames before and after the attack, the victim's distributions, actions, rewards."""

    def __init__(self) -> None:
        self._steps: list[dict[str, npt.NDArray[Any]]] = []
        self._slot: int | None = None

    def see(self, slot: int, clean: Tensor, received: Tensor, clean_out: Output, out: Output, actions: Tensor) -> None:
        """Keeps one step of a slot; only images (frames, height, width) and only the first `LENGTH` steps."""
        if clean.ndim != 4 or len(self._steps) >= LENGTH:
            self._slot = None
            return
        self._slot = slot
        self._steps.append(
            {
                "clean": clean[slot, -1].byte().numpy().copy(),
                "attacked": received[slot, -1].numpy().copy(),
                "probabilities_clean": clean_out.probabilities[slot].numpy(),
                "probabilities": out.probabilities[slot].numpy(),
                "actions": actions[slot].numpy(),
                "greedy": clean_out.greedy[slot].numpy(),
            }
        )

    def reward(self, rewards: npt.NDArray[np.float64]) -> None:
        """Adds the reward of the step seen last, from the rewards of all slots."""
        if self._slot is not None:
            self._steps[-1]["rewards"] = np.asarray(rewards[self._slot])
            self._slot = None

    def save(self, path: Path) -> None:
        """Writes the recording whole, as compressed arrays; nothing when nothing was seen."""
        if not self._steps:
            return
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {name: np.stack([step[name] for step in self._steps]) for name in self._steps[0]}
        np.savez_compressed(buffer, **arrays)
        write_whole(path, buffer.getvalue())
