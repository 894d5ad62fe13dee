"""Trains adversaries against a frozen victim, one a seed, and ships the best of them (Gleave et al. 2019)."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from rlattack.evaluation.study import Study
from rlattack.files import write_whole
from rlattack.games.solo import EmbedOpponent
from rlattack.policies.folder import read_agent, save_agent
from rlattack.training.learner import Trained, check_steps, learn
from rlattack.training.match import Match, match_adversary
from rlattack.training.recipes import TrainAdversary
from rlattack.training.run import Run, ship
from rlattack.training.score import EVALUATION_SEED, TUNING_SEED, Score, Scorer
from rlattack.training.seat import seat_learner, told
from rlattack.training.watch import Shipped, Tried, Watch

__all__ = ["choose", "train_adversary"]


def train_adversary(recipe: TrainAdversary, watch: Watch, command: str) -> list[Shipped]:
    """Trains an adversary a seed, or goes on with them, and ships the one that wins most tuning games.

    Args:
        recipe: What to train.
        watch: Hears how it comes along.
        command: Trains it anew, for its card.

    Raises:
        RunConflict: The run folder holds another training, or this one and `resume` was not asked for.
        InvalidInput: Who is to play does not fit, the place of the agent is taken, or the game cannot be learned from.
        RefusedFile: A checkpoint that cannot be gone on from.
        Unwritable: A folder cannot be written.
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
    """
    torch.set_num_threads(1)
    match = match_adversary(recipe)
    recipe = dataclasses.replace(recipe, seat=match.seat)
    trained = _learn(recipe, match, watch, command)
    tuned = trained if len(trained) > 1 else []
    scorer = Scorer(recipe.folder, len(tuned) * recipe.tuning + recipe.episodes, watch.episodes)

    def play(agent: Path, episodes: int, seed: int, note: str) -> Score:
        """The games of an agent in the learner's seat."""
        players = [recipe.victim] * len(match.places[0].game.seats)
        players[match.places[0].seat] = str(agent)
        study = Study(
            game=recipe.game, players=tuple(players), victim=match.seat, episodes=episodes, seed=seed,
            trust=recipe.trust,
        )  # fmt: skip
        return scorer(study, note, {str(agent): recipe.id})

    tuning = [play(one.folder, recipe.tuning, TUNING_SEED, f"choosing, seed {one.seed}") for one in tuned]
    best, tried = choose(recipe.folder, trained, tuning)
    score = play(recipe.folder / "agent", recipe.episodes, EVALUATION_SEED + best.seed, "evaluating")
    folder = ship(recipe.folder, recipe.id, score)
    shipped = Shipped(game=recipe.game, id=recipe.id, folder=folder, score=score, tried=tried)
    watch.ship(shipped)
    return [shipped]


def _learn(recipe: TrainAdversary, match: Match, watch: Watch, command: str) -> list[Trained]:
    """Trains every seed, one after the other."""
    (place,), (victim,) = match.places, match.opponents
    sha256 = "" if victim.foreign else victim.sha256
    init = None if match.init is None else match.init.sha256
    run = Run(recipe=recipe, command=command, agents={"victim_sha256": sha256, "init_sha256": init})
    run.check((recipe.id, run.folder))
    folders = [run.folder / f"seed-{seed}" for seed in recipe.seeds]
    check_steps(recipe.steps, recipe.batch, *folders)
    env = EmbedOpponent(place.game, place.seat, victim.policy, sparse=recipe.sparse, dense=recipe.dense)
    met = {"id": victim.name, "sha256": sha256}
    learners = [
        seat_learner(
            recipe, match, place, env, folder=folder, seed=seed, command=command, victim=met, seeds=list(recipe.seeds)
        )
        for seed, folder in zip(recipe.seeds, folders, strict=True)
    ]
    learners[0].make(0)  # a game that cannot be learned is refused before a file is made
    run.open(match.card)
    trained = []
    for learner in learners:

        def tell(steps: int, win: float | None, who: str = f"seed {learner.seed}") -> None:
            watch.steps(steps, recipe.steps, told(who, win))

        trained.append(learn(learner, tell))
    return trained


def choose(run: Path, trained: Sequence[Trained], tuning: Sequence[Score]) -> tuple[Trained, tuple[Tried, ...]]:
    """Makes the best seed the run's agent, and writes how all of them did.

    Args:
        run: The run folder.
        trained: Every seed.
        tuning: What each reached in tuning games; nothing of a single seed.

    Returns:
        The seed with the highest win rate, of equal ones the first; and what is told of all.

    Raises:
        Unwritable: The run folder cannot be written.
    """
    rates = [score.rates["win"] for score in tuning]
    order = [rate.rate for rate in rates] or [0.0]
    best = trained[order.index(max(order))]
    tried = tuple(
        Tried(seed=one.seed, steps=one.steps, cut=one.cut, training=one.win, tuning=rates[index] if rates else None)
        for index, one in enumerate(trained)
    )
    rows = [_row(one) for one in tried]
    write_whole(run / "seeds.json", json.dumps(rows, indent=1).encode())
    card, network = read_agent(best.folder)
    save_agent(run / "agent", dataclasses.replace(card, provenance=card.provenance | {"tried": rows}), network)
    return best, tried


def _row(one: Tried) -> dict[str, object]:
    """What a card tells of a seed; a card holds no None."""
    tuning = None if one.tuning is None else one.tuning.rate
    row = {
        "seed": one.seed, "steps": one.steps, "cut": one.cut, "training_win_rate": one.training,
        "tuning_win_rate": tuning,
    }  # fmt: skip
    return {name: value for name, value in row.items() if value is not None}
