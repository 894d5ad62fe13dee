"""Random numbers for all slots at once."""

import pytest
import torch

from rlattack.games.draws import SharedDraws


@pytest.mark.parametrize("kind", ["uniform", "normal", "laplace", "signs"])
def test_the_same_seed_draws_the_same_numbers_and_another_others(kind):
    first, again, other = (getattr(SharedDraws(4, seed), kind)(5) for seed in (1, 1, 2))
    assert first.shape == (4, 5)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("kind", "mean", "deviation"),
    [("uniform", 0.5, 12**-0.5), ("normal", 0, 1), ("laplace", 0, 2**0.5), ("signs", 0, 1)],
)
def test_numbers_have_the_mean_and_the_deviation_of_their_kind(kind, mean, deviation):
    drawn = getattr(SharedDraws(20_000, 0), kind)(2)
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.03)
    assert float(drawn.std()) == pytest.approx(deviation, rel=0.02)


def test_nothing_global_is_seeded():
    state = torch.get_rng_state()
    SharedDraws(2, 0).normal(3)
    assert torch.equal(torch.get_rng_state(), state)
