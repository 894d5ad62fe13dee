"""Numbers over training seeds, against what is known in closed form or by counting."""

import itertools

import numpy as np
import pytest

from rlattack.benchmark.estimates import area, half_size, over_seeds, p_value, worst_decile
from rlattack.evaluation.statistics import bca, holm


def test_of_one_seed_the_interval_is_that_of_its_episodes():
    values = np.asarray([1.0, 4.0, 2.0, 8.0, 5.0])
    found = over_seeds([values])
    assert (found.mean, found.ci) == (4.0, bca(values))
    assert (found.seeds, found.episodes, found.median, found.iqm) == (1, 5, 4.0, 4.0)


def test_seeds_weigh_alike_however_many_episodes_each_played():
    found = over_seeds([np.zeros(90), np.full(10, 6.0), np.full(10, 9.0)])
    assert (found.mean, found.median, found.episodes) == (5.0, 6.0, 110)
    assert found.iqm == pytest.approx(5.0)


def test_an_interval_over_seeds_covers_the_true_mean_nearly_as_often_as_it_says():
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        seeds = [rng.normal(centre, 1.0, 20) for centre in rng.normal(0.0, 2.0, 12)]
        low, high = over_seeds(seeds).ci
        held += low <= 0 <= high
    assert 0.87 <= held / 200 <= 0.99  # percentile bootstraps of twelve are a little narrow


def test_seeds_that_differ_make_a_wider_interval_than_their_pooled_episodes():
    seeds = [np.asarray([centre - 1.0, centre, centre + 1.0]) for centre in (0.0, 10.0, 20.0, 30.0)]
    low, high = over_seeds(seeds).ci
    narrow, wide = bca(np.concatenate([one - one.mean() + 15 for one in seeds]))
    assert high - low > 5 * (wide - narrow)


def test_paired_episodes_are_tested_by_the_signs_of_their_differences():
    first, second = np.asarray([3.0, 5.0, 4.0, 6.0]), np.asarray([2.0, 3.0, 1.0, 2.0])
    assert p_value([first], [second]) == 2 / 16  # all signs alike, either way
    assert p_value([first], [first]) == 1.0
    assert p_value([first], [second[:2]]) is None


def test_groups_are_tested_by_who_could_be_the_others():
    first, second = ([np.full(3, value) for value in of] for of in ((9.0, 8.0, 7.0), (1.0, 2.0, 3.0)))
    assert p_value(first, second) == 2 / 20
    means = [9.0, 2.0, 7.0, 1.0, 8.0, 3.0]
    mixed = p_value([np.asarray([one]) for one in means[:3]], [np.asarray([one]) for one in means[3:]])
    sums = [abs(sum(of) / 3 - (30 - sum(of)) / 3) for of in itertools.combinations(means, 3)]
    assert mixed == sum(one >= abs(18 / 3 - 12 / 3) - 1e-9 for one in sums) / 20
    assert p_value(first, second[:1]) is None


def test_many_episodes_are_tested_on_a_sample_and_never_give_nothing():
    rng = np.random.default_rng(1)
    first = rng.normal(1.0, 1.0, 60)
    assert p_value([first], [np.zeros(60)]) == 1 / 100_000
    assert p_value([first], [rng.permutation(first)]) > 0.05


def test_holm_keeps_the_order_and_never_lowers():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_area_is_the_mean_height_of_the_curve():
    assert area([(0.0, 4.0), (1.0, 2.0), (2.0, 0.0)]) == 2.0
    assert area([(0.0, 4.0), (1.0, 4.0), (4.0, 0.0)]) == pytest.approx((4 + 6) / 4)
    assert area([(0.0, 4.0), (1.0, 2.0)]) is None


def test_half_the_clean_score_is_found_between_two_sizes():
    assert half_size([(0.0, 8.0), (1.0, 6.0), (3.0, 2.0)]) == 2.0
    assert half_size([(0.0, 8.0), (1.0, 6.0)]) is None
    assert half_size([(0.0, -1.0), (1.0, -2.0)]) is None


def test_the_worst_decile_is_of_at_least_one_episode():
    assert worst_decile(np.arange(20.0)) == 0.5
    assert worst_decile(np.asarray([3.0, 1.0, 2.0])) == 1.0
