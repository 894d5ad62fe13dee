"""Trains perturbers of what a frozen victim sees, one a seed, and ships the best of them (SA-RL, PA-AD, BIA)."""

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from rlattack.attacks import ATTACKS, Fitted, make_attack
from rlattack.attacks.learned import Learned
from rlattack.attacks.make import check_gradient
from rlattack.budget import NORMS, Budget
from rlattack.defences import defend
from rlattack.device import check_device
from rlattack.errors import InvalidInput
from rlattack.evaluation.executor import cores
from rlattack.evaluation.likeness import DOES
from rlattack.evaluation.loading import learned_by
from rlattack.evaluation.prepare import prepare
from rlattack.evaluation.seats import seat_number
from rlattack.evaluation.spawned import held_back
from rlattack.evaluation.study import Study
from rlattack.evaluation.table import Table
from rlattack.games import make_game
from rlattack.policies.load import Agent
from rlattack.policies.placed import placed
from rlattack.specs import Spec
from rlattack.training.adversary import choose
from rlattack.training.learner import Learner, begin, learn_in_parts
from rlattack.training.match import own_seat
from rlattack.training.perturbing import Perturbing
from rlattack.training.ppo import make_perturber
from rlattack.training.recipes import TrainPerturber, seat_names
from rlattack.training.run import TrainingRun, ship
from rlattack.training.score import EVALUATION_SEED, TUNING_SEED, Score, Scorer
from rlattack.training.seeds import learn_seeds
from rlattack.training.towards import Towards
from rlattack.training.vecenv import SoloVecEnv
from rlattack.training.watch import Shipped, Trained, Watch

SEAT = "perturber"
"""In place of a seat on a perturber's card: it plays an attack, and holds none of the game's."""


def train_perturber(recipe: TrainPerturber, watch: Watch, command: str) -> Iterator[Shipped]:
    """Trains a perturber a seed, or goes on with them, and scores the one under which the victim earns least.

    Where the victim is led towards another agent, the one under which it is most like that one.
    """
    check_device(recipe.device)
    room = Room(recipe, command)
    begin([room.learner(seed) for seed in recipe.seeds], (recipe.id, recipe.folder))
    alone = bool(held_back(room.table.pairs))
    trained = learn_seeds(
        learn_seed, recipe, command, watch, here=lambda seed: learn_in_parts(room.learner(seed), watch), alone=alone
    )
    tuned = trained if len(trained) > 1 else []
    # the clean game, noise and the attack
    total = 3 * (len(tuned) * recipe.tuning + recipe.episodes) + recipe.episodes * (recipe.towards is not None)
    scorer = Scorer(recipe.folder, total, watch.episodes)
    for number, one in enumerate(tuned):
        score = room.play(scorer, str(one.folder), recipe.tuning, TUNING_SEED, f"choosing, seed {one.seed}")
        tuning, likeness = score.returns or score.rates["loss"], score.observed.get(DOES)
        trained[number] = dataclasses.replace(one, tuning=tuning, likeness=likeness)
    best = choose(recipe.folder, trained)
    own = str(recipe.folder / "agent")
    score = room.play(scorer, own, recipe.episodes, EVALUATION_SEED + best.seed, "evaluating")
    if recipe.towards is not None:
        target = room.target(scorer, recipe.episodes, EVALUATION_SEED + best.seed)
        score = dataclasses.replace(score, more={**score.more, "target": target.table})
    yield ship(recipe.folder, recipe.id, score, tried=tuple(trained))


def learn_seed(recipe: TrainPerturber, command: str, seed: int, watch: Watch) -> Trained:
    """Lets one seed of a recipe learn, or go on."""
    return learn_in_parts(Room(recipe, command).learner(seed), watch)


class Room:
    """The victim in its game, and who learns to perturb it.

    Args:
        recipe: What is trained.
        command: Trains it anew.

    Raises:
        RlattackError: A victim, others, an attack and a budget that do not fit the game or one another.
    """

    def __init__(self, recipe: TrainPerturber, command: str) -> None:
        self.recipe, self.spec = recipe, recipe.spec
        self._seats, self._seat = _seats(recipe)
        self.table = table = Table.lay(recipe.study(self._seats, self._seat))
        self._agents = [agent for of in table.agents for agent in of.values()]
        self._victim = self._agents[self._seat]
        if not self._victim.looks:
            raise InvalidInput(f"--victim: expected an agent, got {self._victim.name!r}, which looks at nothing")
        self._attack = self._made()
        self._towards = None if recipe.towards is None else Towards(recipe, self._seats, self._seat, self._victim)
        self._env = self._opened()
        agents: dict[str, Any] = {"players_identity": [agent.identity for agent in self._agents]}
        if self._towards is not None:
            agents["towards_identity"] = self._towards.agent.identity
        self._run = TrainingRun(recipe=recipe, card=table.card, command=command, agents=agents)

    def play(self, scorer: Scorer, folder: str, episodes: int, seed: int, note: str) -> Score:
        """What the victim reaches under a perturber of the run, beside clean play and noise."""
        spec = Spec(self.spec.name, {**self.spec.parameters, "agent": folder})
        study = self.recipe.study(self._seats, self._seat, str(spec), episodes=episodes, seed=seed)
        return scorer(self._observed(study), note, {folder: self.recipe.id})

    def target(self, scorer: Scorer, episodes: int, seed: int) -> Score:
        """What the target itself reaches in the victim's place, clean, and how like its likeliest actions it does."""
        study = self.recipe.study(self._seats, self._seat, target=True, episodes=episodes, seed=seed)
        return scorer(self._observed(study), "the target itself", {})

    def learner(self, seed: int) -> Learner:
        """Who learns with a seed; only one at a time, since all learn in the same games."""
        victim, recipe = self._victim, self.recipe
        perturbs = {
            "attack": self.spec.name, "victim": victim.name, "victim_identity": victim.identity,
            **self._attack.circumstances,
        }  # fmt: skip
        about: dict[str, Any] = {"victim": _named(victim), "perturbs": perturbs, "seeds": list(recipe.seeds)}
        if self._towards is not None:
            about["towards"] = self._towards.about
        others = [_named(agent) for agent in self._agents if agent is not victim]
        return Learner(
            run=self._run, folder=recipe.folder / f"seed-{seed}", seed=seed, seat=SEAT, note=f"seed {seed}",
            make=self._learning, about=about | {"others": others},
        )  # fmt: skip

    def _learning(self, seed: int) -> OnPolicyAlgorithm:
        """PPO of a seed, in the game."""
        if self._towards is not None:
            return self._towards.make(self._env, seed)
        return make_perturber(self.recipe, SoloVecEnv(self._env), seed)

    def _observed(self, study: Study) -> Study:
        """A study in which likeness is told, where there is a target."""
        return study if self._towards is None else dataclasses.replace(study, observe=self._towards.observe)

    def _made(self) -> Learned[Any]:
        """The attack that waits for who learns."""
        recipe, kinds = self.recipe, ATTACKS.get(self.spec.name).reaches
        own = not set(kinds) & set(NORMS)  # a size that counts something of its own
        budget = Budget(norm=kinds[0], eps=recipe.eps) if own else _ball(recipe)
        made = make_attack(self.spec.name, budget, **self.spec.parameters)
        assert isinstance(made, Learned), "as `recipe.spec` says"
        return made

    def _opened(self) -> Perturbing:
        """The game of who perturbs."""
        recipe, table = self.recipe, self.table
        game = make_game(table.card, recipe.envs, threads=recipe.threads or cores())
        policy = defend(self._victim.policy, recipe.defence, game.seats[self._seat], self._learned())
        if self._attack.access == "observation" and self._attack.knowledge == "white":
            ways = ["sa-rl"] * (len(policy.observation) == 1)
            check_gradient(policy, self._victim.name, self._attack.name, lambda: ways)
        others = {number: agent for number, agent in enumerate(self._agents) if number != self._seat}
        return Perturbing(
            game, self._attack, placed(policy, recipe.device), table.mode(self._victim), recipe.device, seat=self._seat,
            opponents={number: agent.policy for number, agent in others.items()},
            greedy="greedy" in map(table.mode, others.values()),
        )  # fmt: skip

    def _learned(self) -> list[Fitted | None]:
        """What the fronts of the victim learn on tuning episodes: here, and in every process, the same."""
        cell, threads = self.table.pairs[0], torch.get_num_threads()
        with tempfile.TemporaryDirectory() as fits:
            prepare([cell], Path(fits), lambda line: None)
            torch.set_num_threads(threads)
            return learned_by(cell.players[self._seat], Path(fits))


def _seats(recipe: TrainPerturber) -> tuple[tuple[str, ...], int]:
    """Names of the game's seats, and the number of the victim's.

    Raises:
        InvalidInput: An opponent where there is one seat, or none where there are more.
        UnknownName: No such seat.
    """
    seats = seat_names(recipe.game)
    if len(seats) > 1 and recipe.opponent is None:
        raise InvalidInput(f"--opponent: game {recipe.game} has {len(seats)} seats, so name who holds the other")
    if len(seats) == 1 and recipe.opponent is not None:
        raise InvalidInput(f"--opponent: game {recipe.game} has one seat, so leave it out")
    if recipe.seat is not None:
        return seats, seat_number("--seat", recipe.seat, seats)
    own = own_seat(recipe.victim)
    return seats, seats.index(own) if own in seats else len(seats) - 1


def _ball(recipe: TrainPerturber) -> Budget:
    """The size of a ball, as it was asked for."""
    return Budget(norm=recipe.norm, eps=recipe.eps, space=recipe.space)


def _named(agent: Agent) -> dict[str, str]:
    """What a card says of somebody."""
    return {"id": agent.name, "sha256": "" if agent.foreign else agent.sha256}
