"""Demonstrations: what is told of clean episodes of who shows a behaviour."""

import numpy as np

from rlattack.evaluation import Study
from rlattack.evaluation.table import Table
from rlattack.training.demonstrations import demonstrate


def of(game, players, victim="", episodes=10):
    table = Table.lay(Study(game=game, players=players, victim=victim, envs=4))
    return demonstrate(table.pairs[0], table.victim, episodes)


def test_every_step_of_every_episode_is_told_with_what_it_led_to():
    told = of("coins/any", "tests.kit.players:coin")
    time, coin = told.shown.T
    assert (time == 0).sum() == 10
    assert np.array_equal(told.did, coin > 0)
    assert np.array_equal(told.then[:, 0], time + 1)
    assert (told.then[:, 0] >= 3).sum() >= 10  # the ends are among them
    again = of("coins/any", "tests.kit.players:coin")
    assert all(np.array_equal(getattr(told, name), getattr(again, name)) for name in ("shown", "did", "then"))


def test_a_step_leads_to_what_is_seen_at_the_next_turn_or_at_the_end():
    told = of("turns/any", ("tests.kit.players:namer", "tests.kit.players:blind_namer"), "0")
    alone = of("turns/any", ("tests.kit.players:namer", "tests.kit.players:namer"), "0", episodes=1)
    assert len(alone.did) > 1
    assert np.array_equal(alone.then[:-1], alone.shown[1:])
    assert len(told.shown) == len(told.then) == len(told.did)
