"""Training of agents on Stable-Baselines3: recipes, runs with checkpoints, and agents with a score on their cards."""

import importlib
from typing import TYPE_CHECKING

from rlattack.training.recipes import TrainAdversary, TrainRounds, TrainVictim

if TYPE_CHECKING:
    from rlattack.training.rounds import Meeting, train_rounds
    from rlattack.training.score import Score
    from rlattack.training.start import train
    from rlattack.training.vecenv import GymnasiumVecEnv
    from rlattack.training.watch import Shipped, Trained, Watch

__all__ = [
    "GymnasiumVecEnv", "Meeting", "Score", "Shipped", "TrainAdversary", "TrainRounds", "TrainVictim", "Trained",
    "Watch", "train", "train_rounds",
]  # fmt: skip

_HOMES = {
    "GymnasiumVecEnv": "vecenv", "Meeting": "rounds", "Score": "score", "Shipped": "watch", "Trained": "watch",
    "Watch": "watch", "train": "start", "train_rounds": "rounds",
}  # fmt: skip


def __getattr__(name: str) -> object:
    """Imports a name when it is first used, so that the options of a training are known without its learners."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rlattack.training' has no attribute {name!r}")
    return getattr(importlib.import_module(f"rlattack.training.{_HOMES[name]}"), name)
