"""The seed tree, and random numbers for many slots at once."""

import numpy as np
import pytest
import torch

from rlattack.draws import RowDraws, SharedDraws, attack_seed, game_seed, seat_seed
from tests.kit.agents import streams

KINDS = ["uniform", "normal", "laplace", "signs"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_slot_draws_from_its_own_seed_alone(kind):
    one, other = streams(1, 2, 3), streams(3, 1, 7, 8)
    first, second = getattr(one, kind)(2, 5), getattr(other, kind)(2, 5)
    assert first.shape == (3, 2, 5)
    assert first.dtype == torch.float32
    assert torch.equal(first[0], second[1])
    assert torch.equal(first[2], second[0])
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("kind", [*KINDS, "integers"])
def test_an_idle_slot_draws_nothing(kind):
    def draw(made):
        return made.integers(100, 50) if kind == "integers" else getattr(made, kind)(50)

    paused, steady = streams(1, 2), streams(1, 2)
    paused.active = np.asarray([True, False])
    assert (draw(paused)[1] == 0).all()
    draw(steady)
    paused.active = np.asarray([True, True])
    third, second = draw(paused), draw(steady)
    assert torch.equal(third[0], second[0])
    assert torch.equal(third[1], draw(streams(1, 2))[1])


@pytest.mark.parametrize(
    ("kind", "mean", "variance", "largest"),
    [("uniform", 0.5, 1 / 12, 1), ("normal", 0, 1, 9), ("laplace", 0, 2, 30), ("signs", 0, 1, 1)],
)
def test_draws_have_the_moments_of_their_law(kind, mean, variance, largest):
    drawn = getattr(streams(0), kind)(40_000)[0].double()
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.03)
    assert float(drawn.var()) == pytest.approx(variance, rel=0.05)
    assert float(drawn.abs().max()) <= largest


def test_signs_are_never_zero():
    assert set(streams(0).signs(3, 7)[0].unique().tolist()) == {-1.0, 1.0}


def test_integers_are_below_their_bound():
    drawn = streams(0).integers(3, 200)
    assert drawn.unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_one_generator_for_all_rows_draws_the_same_by_the_same_seed_and_else_others(kind):
    first, again, other = (getattr(SharedDraws(4, seed), kind)(5) for seed in (1, 1, 2))
    assert first.shape == (4, 5)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("kind", "mean", "deviation"),
    [("uniform", 0.5, 12**-0.5), ("normal", 0, 1), ("laplace", 0, 2**0.5), ("signs", 0, 1)],
)
def test_numbers_of_one_generator_have_the_moments_of_their_law(kind, mean, deviation):
    drawn = getattr(SharedDraws(20_000, 0), kind)(2)
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.03)
    assert float(drawn.std()) == pytest.approx(deviation, rel=0.02)


def test_one_generator_for_all_rows_seeds_nothing_global():
    state = torch.get_rng_state()
    SharedDraws(2, 0).normal(3)
    assert torch.equal(torch.get_rng_state(), state)


def test_shared_integers_are_below_their_bound():
    assert SharedDraws(4, 0).integers(3, 200).unique().tolist() == [0, 1, 2]


def test_nothing_global_is_seeded():
    state = torch.get_rng_state()
    SharedDraws(2, 0).normal(3)
    streams(1, 2).normal(3)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", [*KINDS, "integers"])
def test_some_rows_draw_what_they_draw_among_all(kind):
    size = (100, 5) if kind == "integers" else (5,)
    rows = torch.tensor([True, False, True])
    some, every = RowDraws(streams(1, 2, 3), rows), streams(1, 2, 3)
    assert torch.equal(getattr(some, kind)(*size), getattr(every, kind)(*size)[rows])


def test_game_seeds_are_those_that_the_emulator_takes_and_differ():
    seeds = [game_seed(0, episode) for episode in range(2000)]
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert len(set(seeds)) == 2000
    assert game_seed(1, 0) != game_seed(0, 0)


def test_game_and_attack_draw_from_different_branches():
    assert attack_seed(3, 5).generate_state(1)[0] >> 1 != game_seed(3, 5)


def test_attacks_and_seats_of_an_episode_draw_from_branches_of_their_own():
    attacks = [attack_seed(3, 5), attack_seed(3, 5, 0), attack_seed(3, 5, 1), attack_seed(3, 5, 2), attack_seed(3, 6)]
    seats = [seat_seed(3, episode, seat) for episode in (5, 6) for seat in (0, 1)]
    first, *others = [int(branch.generate_state(1)[0]) for branch in (*attacks, *seats)]
    assert others[0] == first
    assert len({first, *others}) == len(others)
