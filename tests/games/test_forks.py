"""Every family's games go on from where they were saved, in another slot of another game, or are refused."""

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.envs.registration import register
from gymnasium.spaces import Box, Discrete

from rlattack.errors import InvalidInput
from rlattack.games import Variant, find_game
from rlattack.games.card import GameCard
from rlattack.games.forks import check_forks, make_forkable
from tests.games.small_pettingzoo import Sticks
from tests.kit.games import made  # noqa: F401  # registers the games

GAMES = (
    "mujoco/hopper", "mujoco/ant", "mujoco/humanoid", "mujoco/reacher", "mujoco/sumo-humans", "mujoco/sumo-ants",
    "mujoco/kick-and-defend", "gymnasium/CartPole-v1", "gymnasium/Pendulum-v1",
)  # fmt: skip


class Shared(gymnasium.Env):
    """Counts in what all copies of it share, or holds what cannot be copied."""

    observation_space, action_space = Box(-9, 9, (1,), np.float32), Discrete(2)
    count = 0

    def __init__(self, generator=False):
        self.held = (number for number in range(3)) if generator else None

    def reset(self, *, seed=None, options=None):
        Shared.count = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        Shared.count += 1
        return np.full(1, Shared.count, np.float32), 0.0, False, False, {}


register("Shared-v0", Shared)


def drawn(game, rng):
    """One action a seat and slot, by which slots are told apart."""
    spaces = [(seat.action, (game.slots, *seat.action.shape)) for seat in game.seats]
    return [
        rng.integers(space.n, size=size) if isinstance(space, Discrete)
        else rng.uniform(space.low, space.high, size).astype(space.dtype)
        for space, size in spaces
    ]  # fmt: skip


def first(game, rng):
    """The first action everywhere, which is always legal."""
    return [np.zeros(game.slots, dtype=int) for _ in game.seats]


def plays_on(variant, steps, actions=drawn):
    """Saves slot 1 of 2 after some steps, restores it in slot 2 of 3, and compares what comes; returns how long."""
    game, spare, rng = make_forkable(variant, 2), make_forkable(variant, 3), np.random.default_rng(0)
    game.reset(np.ones(2, dtype=bool), np.array([4, 5]))
    spare.reset(np.ones(3, dtype=bool), np.array([1, 2, 3]))
    for _ in range(2):
        game.step(actions(game, rng))
        spare.step(actions(spare, rng))
    spare.restore(np.array([2]), game.save(np.array([1])))
    played = 0
    while played < steps:
        played += 1
        done, others = actions(game, rng), actions(spare, rng)
        for own, other in zip(done, others, strict=True):
            other[2] = own[1]
        one, other = game.step(done), spare.step(others)
        for mine, theirs in zip(one.views, other.views, strict=True):
            assert np.array_equal(mine.obs[1], theirs.obs[2])
            assert mine.turn[1] == theirs.turn[2]
        assert np.array_equal(one.rewards[:, 1], other.rewards[:, 2])
        assert (one.ending[1], one.winner[1]) == (other.ending[2], other.winner[2])
        if one.ending[1]:
            break
    game.close()
    spare.close()
    return played


@pytest.mark.parametrize("name", GAMES)
def test_what_was_saved_plays_on_alike_elsewhere_to_the_bit(name):
    assert plays_on(Variant(find_game(name)), 12) > 0


def test_a_hidden_player_stays_hidden_alike():
    assert plays_on(Variant(find_game("mujoco/sumo-ants"), ((0, "noise"),)), 5) == 5


def test_pettingzoo_goes_on_with_whose_turn_it_is():
    pettingzoo.register("aec", "tests/Sticks-v0", Sticks)
    try:
        assert plays_on(Variant(GameCard(id="pettingzoo/Sticks_v0", title="Sticks")), 3, first) > 0
    finally:
        pettingzoo.aec_registry.pop("tests/Sticks-v0", None)


@pytest.mark.parametrize("name", ["mujoco/hopper", "gymnasium/CartPole-v1", "mujoco/sumo-ants"])
def test_games_that_can_be_saved_pass(name):
    check_forks(Variant(find_game(name)))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gymnasium/Shared-v0", {}, "a copy of it plays otherwise than the game that was copied"),
        ("gymnasium/Shared-v0", {"generator": True}, "fails in being copied: TypeError: cannot pickle 'generator'"),
        ("coins/any", None, "game coins/any cannot be played ahead from where it stands: its family of games has no"),
        ("pettingzoo/connect_four_v3", None, "its seats take turns, and one looks ahead where all act at once"),
    ],
)
def test_others_are_refused_in_one_line(name, options, message):
    from rlattack.games import with_variant

    card = find_game(name)
    with pytest.raises(InvalidInput, match=message):
        check_forks(Variant(card if options is None else with_variant(card, options={"args": options})))
