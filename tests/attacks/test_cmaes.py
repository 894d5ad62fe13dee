"""CMA-ES, whole and separable, on functions whose lowest point is known."""

import numpy as np
import pytest

from rlattack.attacks.cmaes import CMAES, FULL


def valley(points):
    """A valley that is curved a thousand times more along one axis than along another, around 3."""
    return (np.square(points - 3) * np.logspace(0, 3, points.shape[1])).sum(axis=1)


def turned(points):
    """The same valley, whose axes are not those of the parameters."""
    axes, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(points.shape[1],) * 2))
    return valley(3 + (points - 3) @ axes)


def searched(function, size, generations, population=24, seed=0):
    rng, search = np.random.default_rng(seed), CMAES(np.zeros(size), 0.5, population)
    for _ in range(generations):
        candidates = search.ask(rng.standard_normal((population // 2, size)))
        search.tell(candidates, function(candidates))
    return search


@pytest.mark.parametrize(
    ("function", "size", "generations"), [(valley, 6, 150), (turned, 6, 150), (valley, FULL + 1, 900)]
)
def test_it_finds_the_bottom_of_a_valley(function, size, generations):
    found = searched(function, size, generations)
    assert function(found.mean[None])[0] < 1e-6 * function(np.zeros((1, size)))[0]
    np.testing.assert_allclose(found.mean, 3, atol=0.05)


def test_candidates_are_mirrored_in_the_mean():
    search = searched(turned, 6, 20)
    candidates = search.ask(np.random.default_rng(2).standard_normal((12, 6)))
    assert candidates.shape == (24, 6)
    np.testing.assert_allclose((candidates[::2] + candidates[1::2]) / 2, np.tile(search.mean, (12, 1)), atol=1e-9)


def test_steps_grow_where_all_is_downhill_and_shrink_where_nothing_is_better():
    downhill = searched(lambda points: points.sum(axis=1), 6, 20)
    assert downhill.spread > 5
    assert searched(lambda points: np.abs(points).sum(axis=1), 6, 60).spread < 0.05


def test_the_elites_alone_move_the_mean():
    noise = np.random.default_rng(3).standard_normal((4, 3))
    first, second = CMAES(np.zeros(3), 0.5, 8), CMAES(np.zeros(3), 0.5, 8)
    candidates = first.ask(noise)
    first.tell(candidates, np.arange(8.0))
    second.tell(candidates, np.asarray([0, 1, 9, 8, 7, 6, 5, 4.0]))
    np.testing.assert_array_equal(first.mean, second.mean)
    weights = np.log(2.5) - np.log([1, 2])
    np.testing.assert_allclose(first.mean, weights @ candidates[:2] / weights.sum())
