"""A learner in one seat of a game whose other seats are held by policies (Gleave et al. 2019, section 3)."""

from pathlib import Path
from typing import Any

from rlattack.games.solo import Solo
from rlattack.training.learner import Learner
from rlattack.training.match import Match, Place
from rlattack.training.ppo import make_ppo
from rlattack.training.recipes import BOTH, SeatRecipe
from rlattack.training.run import TrainingRun
from rlattack.training.vecenv import SoloVecEnv


def seat_learner(
    run: TrainingRun[SeatRecipe], match: Match, place: Place, env: Solo, *, folder: Path, seed: int, note: str = "",
    cut: tuple[int, float] | None = None, **about: Any,
) -> Learner:  # fmt: skip
    """The learner of a place.

    Args:
        run: What it is trained for.
        match: Who meets whom.
        place: Where it learns.
        env: The game with the opponents in it; stays open.
        folder: Holds its checkpoints and its agent.
        seed: Of weights, games and exploration.
        note: Who it is, where there are several.
        cut: When it is given up.
        about: What its card says of whom it learned from.
    """
    return Learner(
        run=run, folder=folder, seed=seed, seat="" if place.name == BOTH else place.name, note=note, cut=cut,
        make=lambda seed: make_ppo(run.recipe, SoloVecEnv(env), seed, match.network),
        about=about | {"init": None if match.init is None else {"id": match.init.name, "sha256": match.init.sha256}},
    )  # fmt: skip
