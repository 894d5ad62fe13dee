"""Keeps the first steps of an attacked episode, from which the report cuts its clip."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rlattack.arrays import Array, IntArray
from rlattack.evaluation.observer import Moment, Observer
from rlattack.files import write_whole
from rlattack.games.game import Step
from rlattack.policies.distributions import Categorical

LENGTH = 300
"""Steps kept: 20 seconds of an Atari game."""
_SMALLEST = 16
"""Pixels a side of what is taken for an image."""
_COLOURS = (1, 3, 4)
"""Sizes of a last axis of colours."""


class Recorder(Observer):
    """Records episode 0 of a seat that sees images: newest frames shown and received, what it does, its rewards."""

    def __init__(self, seat: int = 0) -> None:
        super().__init__(seat, slots=0)
        self._steps: list[dict[str, npt.NDArray[np.generic]]] = []
        self._slot: int | None = None

    def begin(self, slots: IntArray, episodes: IntArray) -> None:
        """Looks out for episode 0."""
        for slot in slots[episodes == 0]:
            self._slot = int(slot)

    def see(self, moment: Moment) -> None:
        """Keeps one step; only images, and only the first `LENGTH` steps."""
        slot = self._slot
        if slot is None or moment.seat != self.seat or not moment.acting[slot]:
            return
        if len(self._steps) >= LENGTH or not is_image(moment.shown[slot]):
            self._slot = None
            return
        out, clean = moment.out.actions, moment.clean.actions
        if isinstance(out, Categorical) and isinstance(clean, Categorical):
            chances = {"probabilities_clean": clean.probabilities, "probabilities": out.probabilities}
        else:
            chances = {"greedy_attacked": out.greedy}
        told = {**chances, "actions": moment.action, "greedy": clean.greedy}
        self._steps.append(
            {
                "clean": newest(moment.shown[slot]).astype(np.uint8),
                "attacked": newest(moment.received[slot].numpy(force=True)).astype(np.float32),
                **{name: value[slot].numpy(force=True).copy() for name, value in told.items()},
                "rewards": np.zeros(()),
            }
        )

    def after(self, step: Step) -> None:
        """Adds the reward to the step seen last: in games of turns, what the others' moves brought too."""
        if self._slot is not None and self._steps:
            last = self._steps[-1]
            last["rewards"] = np.asarray(last["rewards"] + step.rewards[self.seat, self._slot])

    def collect(self, slot: int) -> Mapping[str, float]:
        """Ends the recording with its episode; has no numbers."""
        if slot == self._slot:
            self._slot = None
        return {}

    def save(self, path: Path) -> None:
        """Writes the recording whole, as compressed arrays; nothing when nothing was seen."""
        if not self._steps:
            return
        buffer = io.BytesIO()
        arrays = {name: np.stack([step[name] for step in self._steps]) for name in self._steps[0]}
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        write_whole(path, buffer.getvalue())


def is_image(obs: Array) -> bool:
    """Whether an observation is an image of bytes, or several: (height, width), with frames first or colours last."""
    return obs.dtype == np.uint8 and obs.ndim in (2, 3) and min(newest(obs).shape) >= _SMALLEST


def newest(obs: Array) -> Array:
    """The newest frame of an observation in grey, shape (height, width)."""
    if obs.ndim == 2:
        return obs
    if obs.shape[-1] in _COLOURS:
        grey: Array = obs[..., -1] if obs.shape[-1] != 3 else obs @ np.asarray([0.299, 0.587, 0.114])
        return grey
    last: Array = obs[-1]
    return last
