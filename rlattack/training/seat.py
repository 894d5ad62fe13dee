"""A learner in one seat of a game whose other seats are held by policies (Gleave et al. 2019, section 3)."""

from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from rlattack.games.solo import Solo
from rlattack.policies.folder import AgentCard, AnyNetwork
from rlattack.training.export import export
from rlattack.training.learner import Learner
from rlattack.training.match import Match, Place
from rlattack.training.ppo import make_ppo
from rlattack.training.recipes import BOTH, SeatRecipe
from rlattack.training.run import provenance
from rlattack.training.vecenv import SoloVecEnv


def seat_learner(
    recipe: SeatRecipe, match: Match, place: Place, env: Solo, *, folder: Path, seed: int, command: str, note: str = "",
    **about: Any,
) -> Learner:  # fmt: skip
    """The learner of a place.

    Args:
        recipe: What to train.
        match: Who meets whom.
        place: Where it learns.
        env: The game with the opponents in it; stays open.
        folder: Holds its checkpoints and its agent.
        seed: Of weights, games and exploration.
        command: Trains it anew, for its card.
        note: Who it is, where there are several.
        about: What its card says of whom it learned from.
    """
    init = None if match.init is None else {"id": match.init.name, "sha256": match.init.sha256}

    def make(seed: int) -> BaseAlgorithm:
        return make_ppo(recipe, SoloVecEnv(env), seed, match.network)

    def exported(model: BaseAlgorithm) -> tuple[AgentCard, AnyNetwork]:
        network = export(model)
        agent = AgentCard(
            game=match.card.id, role=recipe.role, algorithm="ppo", network=network.spec,
            seat="" if place.name == BOTH else place.name,
            provenance=provenance(match.card, command, model.num_timesteps, seed, **about, init=init),
        )  # fmt: skip
        return agent, network

    return Learner(recipe=recipe, folder=folder, seed=seed, make=make, export=exported, note=note)
