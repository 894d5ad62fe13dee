"""Who learns what, from whom and for how long: frozen dataclasses that are the options of `rlattack train`."""

from rlattack.training.recipes.adversary import TrainAdversary
from rlattack.training.recipes.defended import POISON, TrainDefended, TrainPoisoned
from rlattack.training.recipes.matrix import TrainMatrix
from rlattack.training.recipes.perturber import TrainPerturber
from rlattack.training.recipes.recipe import MINIBATCHES, Recipe, SeatRecipe, names
from rlattack.training.recipes.rounds import TrainRounds
from rlattack.training.recipes.victim import (
    BOTH,
    EACH,
    Algorithm,
    TrainSelfPlay,
    TrainSingle,
    TrainVictim,
    seat_names,
)

__all__ = [
    "BOTH",
    "EACH",
    "MINIBATCHES",
    "POISON",
    "Algorithm",
    "Recipe",
    "SeatRecipe",
    "TrainAdversary",
    "TrainDefended",
    "TrainMatrix",
    "TrainPerturber",
    "TrainPoisoned",
    "TrainRounds",
    "TrainSelfPlay",
    "TrainSingle",
    "TrainVictim",
    "names",
    "seat_names",
]  # fmt: skip
