"""Trains adversaries against a frozen victim, one a seed, and ships the best of them (Gleave et al. 2019)."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rlattack.evaluation.results import Rate
from rlattack.files import write_whole
from rlattack.games.solo import EmbedOpponent
from rlattack.policies.folder import read_agent, save_agent
from rlattack.training.learner import Learner, begin, learn
from rlattack.training.match import Match, match_adversary
from rlattack.training.ppo import make_ppo
from rlattack.training.recipes import TrainAdversary
from rlattack.training.run import TrainingRun, ship
from rlattack.training.score import EVALUATION_SEED, TUNING_SEED, Score, Scorer
from rlattack.training.vecenv import SoloVecEnv
from rlattack.training.watch import Shipped, Trained, Watch


def train_adversary(recipe: TrainAdversary, watch: Watch, command: str) -> Iterator[Shipped]:
    """Trains an adversary a seed, or goes on with them, and scores the one that wins most tuning games."""
    match = match_adversary(recipe)
    recipe = dataclasses.replace(recipe, seat=match.seat)
    trained = _learn(recipe, match, watch, command)
    tuned = trained if len(trained) > 1 else []
    scorer = Scorer(recipe.folder, len(tuned) * recipe.tuning + recipe.episodes, watch.episodes)

    def play(agent: Path, episodes: int, seed: int, note: str) -> Score:
        study = match.study(recipe, agent, match.places[0].seat, recipe.victim, episodes=episodes, seed=seed)
        return scorer(study, note, {str(agent): recipe.id})

    for number, one in enumerate(tuned):
        score = play(one.folder, recipe.tuning, TUNING_SEED, f"choosing, seed {one.seed}")
        trained[number] = dataclasses.replace(one, tuning=score.rates["win"])
    best = choose(recipe.folder, trained)
    score = play(recipe.folder / "agent", recipe.episodes, EVALUATION_SEED + best.seed, "evaluating")
    yield ship(recipe.folder, recipe.id, score, tried=tuple(trained))


def _learn(recipe: TrainAdversary, match: Match, watch: Watch, command: str) -> list[Trained]:
    """Trains every seed, one after the other."""
    (place,), (victim,) = match.places, match.opponents
    sha256 = "" if victim.foreign else victim.sha256
    agents = {"victim_sha256": sha256, "init_sha256": match.origin and match.origin["sha256"]}
    run = TrainingRun(recipe=recipe, card=match.card, command=command, agents=agents)
    env = EmbedOpponent(place.game, place.seat, victim.policy, sparse=recipe.sparse, dense=recipe.dense)
    about = {"victim": {"id": victim.name, "sha256": sha256}, "seeds": list(recipe.seeds), "init": match.origin}
    learners = [
        Learner(
            run=run, folder=recipe.folder / f"seed-{seed}", seed=seed, seat=place.own, note=f"seed {seed}",
            make=lambda seed: make_ppo(recipe, SoloVecEnv(env), seed, match.network), cut=recipe.cut, about=about,
        )
        for seed in recipe.seeds
    ]  # fmt: skip
    begin(learners, (recipe.id, recipe.folder))
    return [learn(learner, watch) for learner in learners]


def choose(run: Path, trained: Sequence[Trained], *, defended: bool = False) -> Trained:
    """Makes the seed that did most in tuning games, of equal ones the first, the run's agent; writes how all did.

    Args:
        run: Run folder.
        trained: The seeds.
        defended: What they earned or won there is theirs, and not what is left to a victim.
    """
    best = max(trained, key=lambda one: one.worth if defended else one.harm)
    rows = [_row(one) for one in trained]
    write_whole(run / "seeds.json", json.dumps(rows, indent=1).encode())
    card, network = read_agent(best.folder)
    save_agent(run / "agent", dataclasses.replace(card, provenance=card.provenance | {"tried": rows}), network)
    return best


def _row(one: Trained) -> dict[str, object]:
    """What a card tells of a seed; a card holds no None."""
    tuning = "tuning_win_rate" if isinstance(one.tuning, Rate) else "tuning_return"
    rates = {"training_win_rate": one.win, tuning: None if one.tuning is None else one.tuning.value}
    rates["tuning_likeness"] = None if one.likeness is None else one.likeness.mean
    known = {name: rate for name, rate in rates.items() if rate is not None}
    return {"seed": one.seed, "steps": one.steps, "cut": one.cut, **known}
