"""The pace of a cell: how long its episodes are and what a step of it takes, before any of it is played."""

import pytest

from rlattack.attacks import make_attack
from rlattack.budget import Budget
from rlattack.evaluation import Study
from rlattack.evaluation.pace import Pace
from rlattack.evaluation.plan import plan
from rlattack.perf.pace import measure_pace
from tests.kit import games  # noqa: F401  # registers the games that are named here


def cells_of(**more):
    values = {
        "game": "gymnasium/CartPole-v1", "players": "gymnasium/CartPole-v1/dqn", "space": "raw", "eps": (0.05,),
        "episodes": 8, "envs": 4,
    }  # fmt: skip
    return {cell.label: cell for cell in plan(Study(**values | more)).cells}


def test_the_length_of_an_episode_is_that_of_the_first_in_every_slot():
    """Whose lengths are 3 to 5, as the seeds say."""
    from rlattack.draws import game_seed

    (cell,) = cells_of(game="coins/any", players="tests.kit.players:coin", eps=(), attack=()).values()
    found = measure_pace(cell, seconds=0.1)
    assert found.length == sum(3 + game_seed(0, episode) % 3 for episode in range(4)) / 4
    assert found.step > 0
    assert found.fit == 0


def test_an_episode_is_no_longer_than_the_game_may_be():
    (cell,) = cells_of(eps=(), attack=(), max_steps=7).values()
    assert measure_pace(cell, seconds=0.02).length == 7


def test_an_attack_that_asks_more_takes_longer_a_step():
    cells = cells_of(attack=("pgd:steps=50",))
    clean = Pace(begin=0.0, step=1e-5, length=500.0)
    noise, attacked = (measure_pace(cells[name], clean, seconds=0.2) for name in ("noise 0.05", "pgd:steps=50 0.05"))
    assert attacked.step > 3 * noise.step
    assert noise.length == 500  # none of its episodes has ended by then


def test_what_an_attack_asks_for_as_it_learns_is_told_before_it_learns():
    cells = cells_of(attack=("search:steps=10000",))
    clean = Pace(begin=0.0, step=1e-3, length=500.0)
    found = measure_pace(cells["search:steps=10000 0.05"], clean, seconds=0.1)
    assert found.fit > 10_000 * clean.step
    assert found.step > clean.step
    assert found.length == clean.length


def test_a_schedule_that_learns_is_timed_as_if_it_acted_at_every_step():
    cells = cells_of(attack=("pgd:steps=50",), when=("timed:share=0.01",))
    clean, cell = Pace(begin=0.0, step=1e-5, length=9.0), cells["pgd:steps=50 0.05 timed:share=0.01"]
    assert cell.attacks[0].timing is not None
    every = measure_pace(cells_of(attack=("pgd:steps=50",))["pgd:steps=50 0.05"], clean, seconds=0.1)
    assert measure_pace(cell, clean, seconds=0.1).step > every.step / 3


@pytest.mark.parametrize(
    ("name", "parameters", "steps", "gradients"),
    [
        ("search", {"steps": 5000}, 5000, 5000),
        ("search", {"steps": 5000, "kind": "const"}, 5000, 0),
        ("universal", {"states": 100, "epochs": 2}, 400, 200),
        ("sarsa", {"rollout": 100, "updates": 8, "box": 0.1, "regulariser": 1.0, "steps": 5}, 2260, 10_800),
        ("pgd", {}, 0, 0),
    ],
)
def test_an_attack_says_what_it_asks_for(name, parameters, steps, gradients):
    """Critics of four numbers of updates play 2 episodes each, and the 4 best of them 16 more: 72 of 30 steps."""
    found = make_attack(name, Budget(eps=0.1, space="raw"), **parameters).work(30.0)
    assert (found.steps, found.gradients) == (steps, gradients)
