"""Training of agents on Stable-Baselines3: recipes, runs with checkpoints, and agents with a score on their cards."""

from typing import TYPE_CHECKING

from rlattack.registry import lazily
from rlattack.training.recipes import (
    TrainAdversary,
    TrainDefended,
    TrainMatrix,
    TrainPerturber,
    TrainPoisoned,
    TrainRounds,
    TrainVictim,
)

if TYPE_CHECKING:
    from rlattack.training.matrix import train_matrix
    from rlattack.training.rounds import Meeting, train_rounds
    from rlattack.training.score import Score
    from rlattack.training.start import train
    from rlattack.training.vecenv import GymnasiumVecEnv
    from rlattack.training.watch import Shipped, Trained, Watch

__all__ = [
    "GymnasiumVecEnv", "Meeting", "Score", "Shipped", "TrainAdversary", "TrainDefended", "TrainMatrix",
    "TrainPerturber", "TrainPoisoned", "TrainRounds", "TrainVictim", "Trained", "Watch", "train",
    "train_matrix", "train_rounds",
]  # fmt: skip

__getattr__ = lazily(
    __name__,
    vecenv="GymnasiumVecEnv",
    matrix="train_matrix",
    rounds="Meeting train_rounds",
    score="Score",
    watch="Shipped Trained Watch",
    start="train",
)
