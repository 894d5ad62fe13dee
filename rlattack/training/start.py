"""Trains whatever a recipe says."""

import torch

from rlattack.training.adversary import train_adversary
from rlattack.training.defended import train_defended
from rlattack.training.perturber import train_perturber
from rlattack.training.recipes import TrainAdversary, TrainDefended, TrainPerturber, TrainSelfPlay, TrainVictim
from rlattack.training.selfplay import train_self_play
from rlattack.training.single import train_single
from rlattack.training.watch import Shipped, Watch


def train(
    recipe: TrainVictim | TrainAdversary | TrainPerturber | TrainDefended, watch: Watch | None = None, command: str = ""
) -> list[Shipped]:
    """Trains the agents of a recipe, or goes on with them, plays fresh episodes, and writes agents with their scores.

    Args:
        recipe: What to train.
        watch: Hears how it comes along.
        command: Trains the agents anew, for their cards; by default that of `rlattack train` with the recipe's options.

    Returns:
        The agents; more than one where a learner takes each seat.

    Raises:
        RunConflict: The run folder holds another training, or this one and `resume` was not asked for.
        InvalidInput: Who is to play does not fit, the place of an agent is taken, or the game cannot be learned from.
        RefusedFile: A checkpoint that cannot be gone on from.
        Unwritable: A folder cannot be written.
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
    """
    torch.set_num_threads(1)
    watch, command, found = watch or Watch(), command or recipe.command, []
    if isinstance(recipe, TrainAdversary):
        trained = train_adversary(recipe, watch, command)
    elif isinstance(recipe, TrainPerturber):
        trained = train_perturber(recipe, watch, command)
    elif isinstance(recipe, TrainDefended):
        trained = train_defended(recipe, watch, command)
    elif isinstance(settled := recipe.settled(), TrainSelfPlay):
        trained = train_self_play(settled, watch, command)
    else:
        trained = train_single(settled, watch, command)
    for shipped in trained:
        watch.ship(shipped)
        found.append(shipped)
    return found
