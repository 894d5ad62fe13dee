"""Trains perturbers of what a frozen victim sees, one a seed, and ships the best of them (SA-RL, PA-AD)."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from rlattack.attacks import make_attack
from rlattack.attacks.make import check_gradient
from rlattack.budget import Budget
from rlattack.defences import defend
from rlattack.errors import InvalidInput
from rlattack.evaluation.executor import cores
from rlattack.evaluation.table import Table
from rlattack.games import make_game
from rlattack.policies.placed import placed
from rlattack.specs import Spec
from rlattack.training.adversary import choose
from rlattack.training.checkpoint import load_checkpoint
from rlattack.training.learner import Learner, begin, learn
from rlattack.training.perturbing import Perturbing
from rlattack.training.ppo import make_perturber
from rlattack.training.recipes import TrainPerturber
from rlattack.training.run import TrainingRun, ship
from rlattack.training.score import EVALUATION_SEED, TUNING_SEED, Score, Scorer
from rlattack.training.vecenv import SoloVecEnv
from rlattack.training.watch import Shipped, Trained, Watch


def train_perturber(recipe: TrainPerturber, watch: Watch, command: str) -> Iterator[Shipped]:
    """Trains a perturber a seed, or goes on with them, and scores the one under which the victim earns least."""
    room = _Room(recipe, command)
    begin(room.learners, (recipe.id, recipe.folder))
    trained = [_learn(learner, watch) for learner in room.learners]
    tuned = trained if len(trained) > 1 else []
    # the clean game, noise and the attack
    scorer = Scorer(recipe.folder, 3 * (len(tuned) * recipe.tuning + recipe.episodes), watch.episodes)

    def play(folder: str, episodes: int, seed: int, note: str) -> Score:
        spec = Spec(room.spec.name, {**room.spec.parameters, "agent": folder})
        return scorer(recipe.study(str(spec), episodes=episodes, seed=seed), note, {folder: recipe.id})

    for number, one in enumerate(tuned):
        score = play(str(one.folder), recipe.tuning, TUNING_SEED, f"choosing, seed {one.seed}")
        trained[number] = dataclasses.replace(one, tuning=score.returns)
    best = choose(recipe.folder, trained)
    score = play(str(recipe.folder / "agent"), recipe.episodes, EVALUATION_SEED + best.seed, "evaluating")
    yield ship(recipe.folder, recipe.id, score, tried=tuple(trained))


class _Room:
    """The victim in its game, and who learns to perturb it.

    Args:
        recipe: What is trained.
        command: Trains it anew.

    Raises:
        RlattackError: A game of several seats, or a victim, an attack and a budget that do not fit.
    """

    def __init__(self, recipe: TrainPerturber, command: str) -> None:
        self.spec, table = recipe.spec, Table.lay(recipe.study())
        if len(table.seats) != 1:
            raise InvalidInput(
                f"game {table.card.id} has {len(table.seats)} seats, and a perturber learns in games of one: "
                "`rlattack train adversary` trains an opponent"
            )
        (victim,) = table.agents[0].values()
        if not victim.looks:
            raise InvalidInput(f"--victim: expected an agent, got {victim.name!r}, which looks at nothing")
        game = make_game(table.card, recipe.envs, threads=recipe.threads or cores())
        policy = placed(defend(victim.policy, recipe.defence, game.seats[0]), recipe.device)
        budget = Budget(norm=recipe.norm, eps=recipe.eps, space=recipe.space)
        attack: Any = make_attack(self.spec.name, budget, **self.spec.parameters)
        if attack.knowledge == "white":
            check_gradient(policy, victim.name, attack.name)
        self._env = Perturbing(game, attack, policy, table.mode(victim), recipe.device)
        sha256 = "" if victim.foreign else victim.sha256
        run = TrainingRun(recipe=recipe, card=table.card, command=command, agents={"victim_identity": victim.identity})
        perturbs = {
            "attack": attack.name, "victim": victim.name, "victim_identity": victim.identity, "eps": recipe.eps,
            "norm": recipe.norm, "space": recipe.space, **self.spec.parameters,
        }  # fmt: skip
        about = {
            "victim": {"id": victim.name, "sha256": sha256}, "perturbs": perturbs, "seeds": list(recipe.seeds),
        }  # fmt: skip
        self.learners = [
            Learner(
                run=run, folder=recipe.folder / f"seed-{seed}", seed=seed, note=f"seed {seed}", about=about,
                make=lambda seed: make_perturber(recipe, SoloVecEnv(self._env), seed),
            )
            for seed in recipe.seeds
        ]  # fmt: skip


def _learn(learner: Learner, watch: Watch) -> Trained:
    """Learns from checkpoint to checkpoint, each time in new games, so that it never matters where a run was killed."""
    recipe = learner.run.recipe
    found = load_checkpoint(learner.folder)
    done = 0 if found is None else found.steps
    while True:
        until = min(recipe.steps, (done // recipe.checkpoint_every + 1) * recipe.checkpoint_every)
        trained = learn(learner, watch, until=until)
        done = trained.steps
        if done >= recipe.steps:
            return trained
