"""Training of agents on Stable-Baselines3, from a game to a run folder with checkpoints and an agent."""

from rlattack.training.config import TrainVictim
from rlattack.training.session import Session, ship, train
from rlattack.training.vecenv import GymnasiumVecEnv
from rlattack.training.victim import train_victim

__all__ = ["GymnasiumVecEnv", "Session", "TrainVictim", "ship", "train", "train_victim"]
