"""The players of 2018 play in our games as they did in theirs: facts/games.md section 7, row by row."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.stats import fisher_exact

from rlattack.games import find_game, make_game
from rlattack.policies.bansal import import_bansal
from rlattack.policies.gaussian import GaussianPolicy

_LEVEL = 0.01


class Row(NamedTuple):
    """Who played, how often, and what share of the games seat 0 won, seat 1 won and nobody won."""

    game: str
    players: tuple[str, str]
    episodes: int
    shares: tuple[float, float, float]


_ROWS = [
    Row("you-shall-not-pass", ("blocker-v1", "runner-v1"), 900, (0.48, 0.52, 0)),
    Row("you-shall-not-pass", ("zero", "runner-v1"), 100, (0.01, 0.99, 0)),
    Row("you-shall-not-pass", ("random", "runner-v1"), 100, (0.02, 0.98, 0)),
    Row("run-to-goal-ants", ("agent0-v1", "agent1-v1"), 150, (0.48, 0.49, 0.03)),
    Row("sumo-humans", ("agent-v1", "agent-v1"), 200, (0.75, 0.25, 0)),
    Row("sumo-humans", ("agent-v1", "zero"), 100, (1, 0, 0)),
    Row("sumo-humans", ("agent-v1", "random"), 100, (1, 0, 0)),
    Row("sumo-ants", ("agent-v1", "agent-v1"), 164, (0.37, 0.41, 0.22)),
    Row("sumo-ants", ("agent-v1", "agent-v2"), 66, (0.36, 0.45, 0.18)),
    Row("sumo-ants", ("agent-v1", "zero"), 51, (0.73, 0, 0.27)),
    Row("sumo-ants", ("agent-v1", "random"), 90, (0.79, 0.04, 0.17)),
    Row("kick-and-defend", ("kicker-v1", "keeper-v1"), 450, (0.34, 0.64, 0.02)),
    Row("kick-and-defend", ("kicker-v1", "zero"), 85, (0.51, 0.39, 0.11)),
]


class Seated:
    """A player of the zoo, `zero` or `random` in a seat, with the state of all slots."""

    def __init__(self, name, folder, space, slots, rng):
        self._name, self._space, self._slots, self._rng = name, space, slots, rng
        if name not in ("zero", "random"):
            _, network = import_bansal(str(folder / f"{name}.safetensors"), trust=False)
            self._policy = GaussianPolicy(network)
            self._state = self._policy.initial_state(slots)

    def act(self, obs):
        shape = (self._slots, *self._space.shape)
        if self._name == "zero":
            return np.zeros(shape)
        if self._name == "random":
            return self._rng.uniform(self._space.low, self._space.high, shape)
        with torch.no_grad():
            out = self._policy(torch.from_numpy(obs), self._state)
        self._state = out.state
        drawn = torch.from_numpy(self._rng.standard_normal(shape, dtype=np.float32))
        return (out.actions.mean + out.actions.deviation * drawn).numpy()


def wins(row, zoo, episodes, slots=50, seed=0):
    """Games that seat 0 won, that seat 1 won, and ties, of so many episodes, each played to its end."""
    duel = make_game(find_game(f"mujoco/{row.game}"), slots, threads=2)
    rng, counts = np.random.default_rng(seed), np.zeros(3, dtype=int)
    for first in range(0, episodes, slots):
        players = [
            Seated(name, zoo / row.game, duel.seats[seat].action, slots, rng) for seat, name in enumerate(row.players)
        ]
        views = duel.reset(np.ones(slots, dtype=np.bool_), seed + first + np.arange(slots))
        over = np.arange(first, first + slots) >= episodes
        while not over.all():
            step = duel.step((players[0].act(views[0].obs), players[1].act(views[1].obs)))
            views, ended = step.views, (step.terminated | step.truncated) & ~over
            counts += np.bincount(step.winner[ended] % 3, minlength=3)  # NOBODY is the last
            over |= ended
    return counts.tolist()


def different(pairs: Iterable[tuple[tuple[int, int], tuple[int, int]]], level: float) -> list[int]:
    """Which pairs of (hits, trials) differ, at a level that holds for all together (Holm 1979; Fisher's exact test)."""
    tables = [[[hits, trials - hits], [others, tries - others]] for (hits, trials), (others, tries) in pairs]
    chances = np.asarray([fisher_exact(table).pvalue for table in tables])
    found = []
    for rank, number in enumerate(np.argsort(chances)):
        if chances[number] > level / (len(chances) - rank):
            break
        found.append(int(number))
    return found


def test_a_family_of_comparisons_is_no_stricter_than_one_and_still_finds_what_is_wrong():
    same, far, near = ((150, 300), (480, 1000)), ((0, 20), (468, 900)), ((165, 300), (432, 900))
    assert different([same, far, near], 0.01) == [1]
    assert different([near], 0.05) == [0]
    assert different([near, same, same], 0.05) == []


def test_a_runner_of_2018_beats_a_blocker_that_does_nothing(zoo):
    """With the capsules of today it falls in every game."""
    assert wins(_ROWS[1], zoo, 10, slots=10)[1] >= 8


@pytest.mark.slow
def test_the_players_of_2018_win_as_often_as_they_did(zoo):
    episodes = 300
    played = [wins(row, zoo, episodes) for row in _ROWS]
    pairs = [
        ((hits, episodes), (round(share * row.episodes), row.episodes))
        for row, counts in zip(_ROWS, played, strict=True)
        for hits, share in zip(counts, row.shares, strict=True)
    ]
    told = [f"{row.game} {' against '.join(row.players)}: {counts}" for row, counts in zip(_ROWS, played, strict=True)]
    print("\n".join(told))  # noqa: T201  # the figures of the closing note
    assert [told[number // 3] for number in different(pairs, _LEVEL)] == []
