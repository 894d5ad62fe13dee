"""Training of agents on Stable-Baselines3, from a game to a run folder with checkpoints and an agent."""

from rlattack.training.adversary import train_adversary
from rlattack.training.adversary_session import Contest, contest, train_adversaries
from rlattack.training.config import TrainAdversary, TrainSelfPlay, TrainVictim
from rlattack.training.selfplay import match, train_self_play
from rlattack.training.session import Session, check_place, ship, train
from rlattack.training.vecenv import GymnasiumVecEnv
from rlattack.training.victim import train_victim

__all__ = [
    "Contest",
    "GymnasiumVecEnv",
    "Session",
    "TrainAdversary",
    "TrainSelfPlay",
    "TrainVictim",
    "check_place",
    "contest",
    "match",
    "ship",
    "train",
    "train_adversaries",
    "train_adversary",
    "train_self_play",
    "train_victim",
]
