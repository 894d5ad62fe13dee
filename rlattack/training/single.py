"""Trains a victim in a game of one seat, over a Gymnasium vector environment."""

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from gymnasium.vector import VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecMonitor

from rlattack.evaluation.study import Study
from rlattack.games import find_game, training_env, with_variant
from rlattack.games.card import GameCard
from rlattack.policies.folder import AgentCard, AnyNetwork
from rlattack.training.algorithms import make_learner, strides
from rlattack.training.export import export
from rlattack.training.learner import Learner, learn
from rlattack.training.recipes import TrainSingle
from rlattack.training.run import TrainingRun, provenance, ship
from rlattack.training.score import EVALUATION_SEED, Scorer
from rlattack.training.vecenv import GymnasiumVecEnv
from rlattack.training.watch import Shipped, Watch


def train_single(recipe: TrainSingle, watch: Watch, command: str) -> list[Shipped]:
    """Trains a victim, or goes on with it, and scores it; `command` trains it anew, for its card."""
    torch.set_num_threads(1)
    card = with_variant(find_game(recipe.game), sticky=recipe.sticky)
    run = TrainingRun(recipe=recipe, command=command)
    run.check((recipe.id, run.folder))
    with closing(training_env(card, recipe.envs)) as env:
        run.open(card)
        trained = learn(single_learner(recipe, card, env, run.folder, command), watch)
    agent = str(trained.folder)
    study = Study(
        game=recipe.game, players=(agent,), episodes=recipe.episodes, seed=EVALUATION_SEED + recipe.seed,
        sticky=recipe.sticky,
    )  # fmt: skip
    # as it will be shipped, in half precision, by the game's protocol and away from the seeds of training
    score = Scorer(run.folder, recipe.episodes, watch.episodes)(study, "evaluating", {agent: recipe.id})
    shipped = ship(recipe, run.folder, recipe.id, score)
    watch.ship(shipped)
    return [shipped]


def single_learner(
    recipe: TrainSingle, card: GameCard, env: VectorEnv[Any, Any, Any], folder: Path, command: str
) -> Learner:
    """The learner of a recipe.

    Args:
        recipe: What to train.
        card: The game.
        env: The game for training, SAME_STEP autoreset.
        folder: Holds its checkpoints and its agent.
        command: Trains it anew, for its card.
    """
    changed = {
        f.name: value for f in dataclasses.fields(card.atari) if (value := getattr(card.atari, f.name)) != f.default
    }

    def make(seed: int) -> BaseAlgorithm:
        return make_learner(recipe, VecMonitor(GymnasiumVecEnv(env)), seed)

    def exported(model: BaseAlgorithm) -> tuple[AgentCard, AnyNetwork]:
        network, sticky = export(model, strides(recipe)), card.protocol.sticky
        agent = AgentCard(
            game=card.id, role="victim", algorithm=recipe.algo, network=network.spec, options=changed,
            provenance=provenance(card, command, model.num_timesteps, recipe.seed, sticky=sticky),
        )  # fmt: skip
        return agent, network

    return Learner(recipe=recipe, folder=folder, seed=recipe.seed, make=make, export=exported)
