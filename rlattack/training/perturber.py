"""Trains perturbers of what a frozen victim sees, one a seed, and ships the best of them (SA-RL, PA-AD)."""

import dataclasses
import functools
from collections.abc import Iterator

from rlattack.attacks import make_attack
from rlattack.attacks.learned import Learned
from rlattack.attacks.make import check_gradient
from rlattack.budget import Budget
from rlattack.defences import defend
from rlattack.errors import InvalidInput
from rlattack.evaluation.executor import cores
from rlattack.evaluation.spawned import held_back
from rlattack.evaluation.table import Table
from rlattack.games import make_game
from rlattack.policies.placed import placed
from rlattack.specs import Spec
from rlattack.training.adversary import choose
from rlattack.training.checkpoint import load_checkpoint
from rlattack.training.learner import Learner, begin, learn
from rlattack.training.perturbing import Perturbing
from rlattack.training.ppo import make_perturber
from rlattack.training.recipes import TrainPerturber, count_seats
from rlattack.training.run import TrainingRun, ship
from rlattack.training.score import EVALUATION_SEED, TUNING_SEED, Score, Scorer
from rlattack.training.seeds import learn_at_once
from rlattack.training.vecenv import SoloVecEnv
from rlattack.training.watch import Shipped, Trained, Watch

SEAT = "perturber"
"""In place of a seat on a perturber's card: it plays an attack, and holds none of the game's."""


def train_perturber(recipe: TrainPerturber, watch: Watch, command: str) -> Iterator[Shipped]:
    """Trains a perturber a seed, or goes on with them, and scores the one under which the victim earns least."""
    room = _Room(recipe, command)
    begin([room.learner(seed) for seed in recipe.seeds], (recipe.id, recipe.folder))
    trained = _train(room, watch, command)
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


def _train(room: "_Room", watch: Watch, command: str) -> list[Trained]:
    """Trains all seeds: at once in processes of their own, or one after the other in this one."""
    recipe = room.recipe
    workers = min(recipe.workers or cores(), len(recipe.seeds))
    if workers == 1 or held_back(room.table.pairs):
        return [_learn(room.learner(seed), watch) for seed in recipe.seeds]
    threads = recipe.threads or max(1, cores() // workers)
    learns = functools.partial(learn_seed, dataclasses.replace(recipe, threads=threads), command)
    return learn_at_once(learns, recipe.seeds, recipe.steps, workers, watch)


def learn_seed(recipe: TrainPerturber, command: str, seed: int, watch: Watch) -> Trained:
    """Lets one seed of a recipe learn, or go on."""
    return _learn(_Room(recipe, command).learner(seed), watch)


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


class _Room:
    """The victim in its game, and who learns to perturb it.

    Args:
        recipe: What is trained.
        command: Trains it anew.

    Raises:
        RlattackError: A game of several seats, or a victim, an attack and a budget that do not fit.
    """

    def __init__(self, recipe: TrainPerturber, command: str) -> None:
        self.recipe, self.spec = recipe, recipe.spec
        if (count := count_seats(recipe.game)) != 1:
            raise InvalidInput(
                f"game {recipe.game} has {count} seats, and a perturber learns in games of one: `rlattack train "
                "adversary` trains an opponent"
            )
        self.table = Table.lay(recipe.study())
        (self._victim,) = self.table.agents[0].values()
        if not self._victim.looks:
            raise InvalidInput(f"--victim: expected an agent, got {self._victim.name!r}, which looks at nothing")
        self._env = self._opened()
        self._run = TrainingRun(
            recipe=recipe, card=self.table.card, command=command, agents={"victim_identity": self._victim.identity}
        )

    def learner(self, seed: int) -> Learner:
        """Who learns with a seed; only one at a time, since all learn in the same games."""
        victim, recipe = self._victim, self.recipe
        perturbs = {
            "attack": self.spec.name, **self.spec.parameters, "victim": victim.name,
            "victim_identity": victim.identity, "eps": recipe.eps, "norm": recipe.norm, "space": recipe.space,
        }  # fmt: skip
        return Learner(
            run=self._run, folder=recipe.folder / f"seed-{seed}", seed=seed, seat=SEAT, note=f"seed {seed}",
            make=lambda seed: make_perturber(recipe, SoloVecEnv(self._env), seed),
            about={
                "victim": {"id": victim.name, "sha256": "" if victim.foreign else victim.sha256},
                "perturbs": perturbs, "seeds": list(recipe.seeds),
            },
        )  # fmt: skip

    def _opened(self) -> Perturbing:
        """The game of who perturbs."""
        recipe, table = self.recipe, self.table
        game = make_game(table.card, recipe.envs, threads=recipe.threads or cores())
        policy = placed(defend(self._victim.policy, recipe.defence, game.seats[0]), recipe.device)
        budget = Budget(norm=recipe.norm, eps=recipe.eps, space=recipe.space)
        attack = make_attack(self.spec.name, budget, **self.spec.parameters)
        assert isinstance(attack, Learned), "as `recipe.spec` says"
        if attack.knowledge == "white":
            check_gradient(policy, self._victim.name, attack.name)
        return Perturbing(game, attack, policy, table.mode(self._victim), recipe.device)
