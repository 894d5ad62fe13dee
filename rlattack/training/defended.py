"""Trains agents to stand attacks on what they see, one a seed, and ships the one that earns most under attack."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecMonitor

from rlattack.attacks import parse_attack
from rlattack.budget import Budget
from rlattack.device import check_device
from rlattack.errors import BudgetError, InvalidInput
from rlattack.evaluation.executor import cores
from rlattack.evaluation.spawned import held_back
from rlattack.games import find_game, make_game, training_env, with_variant
from rlattack.games.card import GameCard
from rlattack.games.game import Seat
from rlattack.policies.load import Agent, agent_options, load_agent
from rlattack.training.adversary import choose
from rlattack.training.algorithms import make_learner
from rlattack.training.hardening import REGIMES, Ground, kind_of, regime_of
from rlattack.training.hardening.learners import LEARNERS
from rlattack.training.learner import Learner
from rlattack.training.origin import Origin, fill
from rlattack.training.recipes import TrainDefended
from rlattack.training.run import TrainingRun, ship
from rlattack.training.score import EVALUATION_SEED, TUNING_SEED, Score, Scorer
from rlattack.training.seeds import learn_seeds
from rlattack.training.single import changed_options
from rlattack.training.vecenv import GymnasiumVecEnv
from rlattack.training.watch import Shipped, Trained, Watch


def train_defended(recipe: TrainDefended, watch: Watch, command: str) -> Iterator[Shipped]:
    """Trains an agent a seed, or goes on with them, and scores the one that earns most under attack."""
    check_device(recipe.device)
    room = Room(recipe, command)
    recipe = room.ground.recipe
    room.regime.begin(room.ground)
    trained = learn_seeds(
        functools.partial(learn_seed, REGIMES.added), recipe, command, watch,
        here=lambda seed: room.regime.learn(room.ground, seed, watch),
        alone=bool(held_back(())),
    )  # fmt: skip
    tuned = trained if len(trained) > 1 else []
    # the clean game, noise and the attack
    scorer = Scorer(recipe.folder, 3 * (len(tuned) * recipe.tuning + recipe.episodes), watch.episodes)
    for number, one in enumerate(tuned):
        score = room.play(scorer, str(one.folder), recipe.tuning, TUNING_SEED, f"choosing, seed {one.seed}")
        trained[number] = dataclasses.replace(one, tuning=score.attacked)
    best = choose(recipe.folder, trained, defended=True)
    own = str(recipe.folder / "agent")
    score = room.play(scorer, own, recipe.episodes, EVALUATION_SEED + best.seed, "evaluating")
    yield ship(recipe.folder, recipe.id, score, tried=tuple(trained), defended=True)


def learn_seed(
    added: Mapping[str, str], recipe: TrainDefended, command: str, seed: int, watch: Watch
) -> Trained:  # fmt: skip
    """Lets one seed of a recipe learn, or go on; `added` are regimes that were added to the process that asks."""
    for name, target in added.items():
        REGIMES.add(name, target)
    room = Room(recipe, command)
    return room.regime.learn(room.ground, seed, watch)


class Room:
    """A game, and who is hardened in it.

    Args:
        recipe: What is trained.
        command: Trains it anew.

    Raises:
        RlattackError: A game, a victim, a regime, an attack and a budget that do not fit one another.
    """

    def __init__(self, recipe: TrainDefended, command: str) -> None:
        self.regime = regime_of(recipe)
        card, seat = _opened(recipe)
        victim = None if recipe.victim is None else _victim(recipe, seat, card)
        budget = _budget(recipe, seat, victim, sized=self.regime.sized)
        identity = None if victim is None else victim.identity
        run = TrainingRun(recipe=recipe, card=card, command=command, agents={"victim_identity": identity})
        self.ground = Ground(run=run, seat=seat, budget=budget, victim=victim, learner=self._learner)
        self.regime.check(self.ground)
        self._attack = self.regime.attack(self.ground) if recipe.attack is None else str(parse_attack(recipe.attack))
        self._env = training_env(card, recipe.envs, recipe.threads or cores())

    def play(self, scorer: Scorer, folder: str, episodes: int, seed: int, note: str) -> Score:
        """What an agent of the run reaches: clean, under noise and under the attack."""
        fronts = self.regime.fronts(self.ground)
        study = self.ground.recipe.study(folder, self._attack, fronts, episodes=episodes, seed=seed)
        study = dataclasses.replace(study, observe=tuple(self.regime.observed(self.ground)))
        score = scorer(study, note, {folder: self.ground.recipe.id}, clean=True)
        return dataclasses.replace(score, more={**score.more, "fronts": list(fronts)}) if fronts else score

    def _learner(self, seed: int) -> Learner:
        """Who learns with a seed; only one at a time, since all learn in the same games."""
        recipe, victim = self.ground.recipe, self.ground.victim
        kinds = list(dict.fromkeys(self.regime.kinds(self.ground)))
        defends = {"defence": recipe.defence, "norm": recipe.norm, "space": recipe.space, "kinds": kinds}
        about = {
            "sticky": self.ground.run.card.protocol.sticky,
            "defends": defends | ({"eps": recipe.eps} if self.regime.sized else {}) if kinds else None,
            "seeds": list(recipe.seeds),
            "victim": None if victim is None else {"id": victim.name, "sha256": victim.sha256},
            **self.regime.about(self.ground),
        }
        return Learner(
            run=self.ground.run, folder=recipe.folder / f"seed-{seed}", seed=seed, algorithm=recipe.algo,
            options=changed_options(self.ground.run.card), make=self._make, note=f"seed {seed}", about=about,
        )  # fmt: skip

    def _make(self, seed: int) -> BaseAlgorithm:
        """The learner of a seed, hardened, with the weights of who it starts from."""
        ground, recipe = self.ground, self.ground.recipe
        start = None if ground.victim is None else Origin.of(ground.victim, recipe.algo)
        env = self.regime.shown(VecMonitor(GymnasiumVecEnv(self._env)), ground)
        layers = None if start is None else start.policy_kwargs
        model = make_learner(recipe.single(seed), env, seed, kind=LEARNERS[recipe.algo], policy_kwargs=layers)
        if start is not None:
            fill(model, start, recipe.victim_temperature)
        self.regime.harden(model, ground)
        return model


def _opened(recipe: TrainDefended) -> tuple[GameCard, Seat]:
    """The game as it is played, and its seat.

    Raises:
        InvalidInput: A game of several seats.
    """
    own = {} if recipe.victim is None else agent_options(recipe.victim)
    card = with_variant(find_game(recipe.game), sticky=recipe.sticky, options={**own, **recipe.options})
    game = make_game(card, 1)
    game.close()
    if len(game.seats) > 1:
        raise InvalidInput(
            f"game {recipe.game} has {len(game.seats)} seats: `rlattack train rounds` hardens who is met there"
        )
    return card, game.seats[0]


def _victim(recipe: TrainDefended, seat: Seat, card: GameCard) -> Agent:
    """Whom it starts from, or learns of."""
    assert recipe.victim is not None
    victim = load_agent(recipe.victim, seat, game=card.id, trust=recipe.trust)
    if not victim.looks:
        raise InvalidInput(f"--victim: expected an agent, got {victim.name!r}, which looks at nothing")
    return victim


def _budget(recipe: TrainDefended, seat: Seat, victim: Agent | None, *, sized: bool) -> Budget:
    """The size that is to be stood.

    Raises:
        BudgetError: None where one is needed, one that does not fit what is seen, or deviations where there are none.
    """
    if recipe.eps is None and sized:
        raise BudgetError(f"--eps: --defence {recipe.name} needs the size that it is to stand, as --eps 0.01")
    budget = Budget(norm=recipe.norm, eps=recipe.eps, space=recipe.space)
    continuous = kind_of(seat.action) == "continuous"
    normalises = continuous if victim is None else victim.policy.normaliser is not None
    if recipe.space == "sigma" and not normalises:
        whose = recipe.game if victim is None else victim.name
        raise BudgetError(f"--space sigma: {whose} is learned without statistics of what is seen; use --space raw")
    if recipe.eps is not None:
        budget.reach(seat.observation, deviation=torch.ones(seat.observation.shape or ()))
    return budget
