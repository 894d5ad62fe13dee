"""Trains a victim in a game of one seat, over a Gymnasium vector environment."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from gymnasium.vector import VectorEnv
from stable_baselines3.common.vec_env import VecMonitor

from rlattack.evaluation.executor import cores
from rlattack.evaluation.study import Study
from rlattack.games import find_game, training_env, with_variant
from rlattack.games.card import GameCard
from rlattack.training.algorithms import make_learner
from rlattack.training.learner import Learner, begin, learn
from rlattack.training.recipes import TrainSingle
from rlattack.training.run import TrainingRun, ship
from rlattack.training.score import EVALUATION_SEED, Scorer
from rlattack.training.vecenv import GymnasiumVecEnv
from rlattack.training.watch import Shipped, Watch


def train_single(recipe: TrainSingle, watch: Watch, command: str) -> Iterator[Shipped]:
    """Trains a victim, or goes on with it, and scores it; `command` trains it anew, for its card."""
    card = with_variant(find_game(recipe.game), sticky=recipe.sticky)
    run = TrainingRun(recipe=recipe, card=card, command=command)
    with closing(training_env(card, recipe.envs, recipe.threads or cores())) as env:
        learner = single_learner(run, env)
        begin([learner], (recipe.id, recipe.folder))
        agent = str(learn(learner, watch).folder)
    study = Study(
        game=recipe.game, players=(agent,), episodes=recipe.episodes, seed=EVALUATION_SEED + recipe.seed,
        sticky=recipe.sticky,
    )  # fmt: skip
    # as it will be shipped, in half precision, by the game's protocol and away from the seeds of training
    score = Scorer(recipe.folder, recipe.episodes, watch.episodes)(study, "evaluating", {agent: recipe.id})
    yield ship(recipe.folder, recipe.id, score)


def single_learner(run: TrainingRun[TrainSingle], env: VectorEnv[Any, Any, Any]) -> Learner:
    """The learner of a run in the game for training, which resets in the step that ends an episode (SAME_STEP)."""
    recipe = run.recipe
    return Learner(
        run=run, folder=recipe.folder, seed=recipe.seed, algorithm=recipe.algo,
        options=changed_options(run.card),
        make=lambda seed: make_learner(recipe, VecMonitor(GymnasiumVecEnv(env)), seed),
        about={"sticky": run.card.protocol.sticky},
    )  # fmt: skip


def changed_options(card: GameCard) -> dict[str, Any]:
    """What a game's variant changes of the options of its family, as an agent's card has it."""
    game = card.atari
    return {f.name: value for f in dataclasses.fields(game) if (value := getattr(game, f.name)) != f.default}
