"""Trains victims in games of several seats: against their own past, each other, or named opponents (Bansal 2018)."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rlattack.evaluation.study import Study
from rlattack.games.solo import EmbedOpponent
from rlattack.training.checkpoint import load_checkpoint
from rlattack.training.coach import Coach
from rlattack.training.learner import Learner, begin, learn
from rlattack.training.match import Match, Place, match_self_play
from rlattack.training.past import Past
from rlattack.training.pool import Pool
from rlattack.training.ppo import make_ppo
from rlattack.training.recipes import BOTH, TrainSelfPlay
from rlattack.training.run import TrainingRun, ship
from rlattack.training.score import EVALUATION_SEED, Score, Scorer
from rlattack.training.vecenv import SoloVecEnv
from rlattack.training.watch import Shipped, Watch

_PAST = "past"


def train_self_play(recipe: TrainSelfPlay, watch: Watch, command: str) -> Iterator[Shipped]:
    """Trains the learners, in turns where there are two, or goes on with them, and scores them."""
    match = match_self_play(recipe)
    recipe = dataclasses.replace(recipe, seat=match.seat)
    agents = {
        "opponents_sha256": [one.sha256 for one in match.opponents],
        "init_sha256": match.origin and match.origin["sha256"],
    }
    run = TrainingRun(recipe=recipe, card=match.card, command=command, agents=agents)
    rooms = [_Room(run, match, place) for place in match.places]
    begin([room.learner for room in rooms], *((room.id, room.learner.folder) for room in rooms))
    _learn(recipe, rooms, watch)
    names = {str(room.learner.folder / "agent"): room.id for room in rooms}  # as those that ship will be known
    met = [_pairings(recipe, match, room, names) for room in rooms]
    total = sum(study.episodes for pairings in met for study, _ in pairings)
    scorer, scores = Scorer(recipe.folder, total, watch.episodes), []
    for room, pairings in zip(rooms, met, strict=True):
        parts = [scorer(study, f"evaluating {room.place.name}", names) for study, _ in pairings]
        scores.append(Score.together(parts, [against for _, against in pairings]))
    for room, score in zip(rooms, scores, strict=True):
        yield ship(room.learner.folder, room.id, score, learner=room.place.name)


def _learn(recipe: TrainSelfPlay, rooms: "Sequence[_Room]", watch: Watch) -> None:
    """Trains the learner, or all of them in turns."""
    turn = recipe.steps
    if len(rooms) > 1:
        turn = recipe.batch * recipe.turns
        for room in rooms:  # so that the first finds somebody to meet
            room.begin()
    for until, room in itertools.product(range(turn, recipe.steps + turn, turn), rooms):
        room.train(min(until, recipe.steps), rooms, watch)


class _Room:
    """Where one learner trains: its game, whom it meets, its folder."""

    def __init__(self, run: TrainingRun[TrainSelfPlay], match: Match, place: Place) -> None:
        recipe = run.recipe
        self.place, self._recipe = place, recipe
        self.id = recipe.id if len(match.places) == 1 else f"{recipe.id}/{place.name}"
        self._fixed = bool(match.opponents)
        fixed = [(number, one.policy) for number, one in enumerate(match.opponents)]
        self._pool = Pool(place.game.seats[place.others[0]], recipe.seed, fixed)
        self._env = EmbedOpponent(place.game, place.seat, self._pool)
        about: dict[str, Any] = {"delta": recipe.delta}
        if self._fixed:
            about = {"opponents": [{"id": one.name, "sha256": one.sha256} for one in match.opponents]}
        self.learner = Learner(
            run=run, folder=recipe.folder / place.name, seed=recipe.seed, seat=place.own, note=place.name,
            make=lambda seed: make_ppo(recipe, SoloVecEnv(self._env), seed, match.network),
            about=about | {"anneal": recipe.anneal, "init": match.origin},
        )  # fmt: skip

    def begin(self) -> None:
        """Leaves a first snapshot."""
        past = self._past(None)
        if past.due(0):
            past.add(0, *self.learner.export(self.learner.make(self.learner.seed)))

    def train(self, until: int, rooms: "Sequence[_Room]", watch: Watch) -> None:
        """Trains until so many steps, against fixed opponents, the past of the other learner, or its own."""
        found = load_checkpoint(self.learner.folder)
        own = None if self._fixed else self._past(0 if found is None else found.steps)
        (met, *_) = (*(room._past(None) for room in rooms if room is not self), own)
        coach = Coach(self._recipe, self._env, self._pool, self.learner.export, own=own, met=met)
        learn(dataclasses.replace(self.learner, coach=coach), watch, until=until)

    def _past(self, until: int | None) -> Past:
        every = self._recipe.snapshot_every * self._recipe.batch
        return Past(self.learner.folder / _PAST, delta=self._recipe.delta, every=every, until=until)


def _pairings(
    recipe: TrainSelfPlay, match: Match, room: _Room, names: Mapping[str, str]
) -> list[tuple[Study, Mapping[str, Any]]]:
    """The games of a trained learner, each pairing as often, and whom it meets; who plays both seats plays in both.

    It meets its fixed opponents, the other learner, or the random player. Its own past would be the nearest rival, but
    stays in the run; a card's score is one that anybody can play again.
    """
    agent, seed = room.learner.folder / "agent", EVALUATION_SEED + recipe.seed
    others = [name for name in names if name != str(agent)]
    rivals = [one.name for one in match.opponents] or others or ["random"]
    seats = range(len(room.place.game.seats)) if room.place.name == BOTH else [room.place.seat]
    episodes = max(1, recipe.episodes // (len(seats) * len(rivals)))
    return [
        (
            match.study(recipe, agent, seat, rival, episodes=episodes, seed=seed),
            {"opponent": names.get(rival, rival), "seat": seat},
        )
        for seat, rival in itertools.product(seats, rivals)
    ]
