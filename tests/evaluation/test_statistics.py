import numpy as np
import pytest
from scipy import stats

from rlattack.evaluation.statistics import bca, iqm, paired_rates, wilson


@pytest.mark.parametrize(("count", "total"), [(0, 20), (1, 7), (10, 20), (20, 20), (86, 100)])
def test_wilson_is_the_score_interval_of_scipy(count, total):
    expected = stats.binomtest(count, total).proportion_ci(method="wilson")
    interval = wilson(count, total)
    assert interval == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_covers_the_true_rate_as_often_as_it_says():
    counts = np.random.default_rng(0).binomial(40, 0.3, size=2000)
    intervals = [wilson(int(count), 40) for count in counts]
    hits = [low <= 0.3 <= high for low, high in intervals]
    assert 0.93 <= np.mean(hits) <= 0.97


def test_paired_rates_gives_the_interval_of_newcombe_1998_table_ii():
    # Newcombe 1998, Stat. Med. 17:2635, example of his table II: e=36, f=12, g=2, h=0; method 10 gives 0.0569 to 0.3404
    first = np.r_[np.ones(36), np.ones(12), np.zeros(2)]
    second = np.r_[np.ones(36), np.zeros(12), np.ones(2)]
    interval = paired_rates(first, second)
    assert interval == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_paired_rates_of_a_total_loss_ends_at_one():
    low, high = paired_rates(np.ones(20), np.zeros(20))
    assert high == pytest.approx(1.0)
    assert 0.7 < low < 0.8


def test_paired_rates_of_equal_outcomes_holds_zero():
    won = np.r_[np.ones(5), np.zeros(5)]
    low, high = paired_rates(won, won)
    assert low <= 0 <= high


def test_bca_of_equal_returns_is_the_point():
    assert bca(np.full(10, 21.0)) == (21.0, 21.0)


def test_bca_covers_the_mean_of_skewed_returns_as_often_as_it_says():
    rng = np.random.default_rng(1)
    intervals = [bca(rng.exponential(1.0, 30)) for _ in range(200)]
    assert 0.88 <= np.mean([low <= 1.0 <= high for low, high in intervals]) <= 0.99


def test_bca_is_the_same_each_time():
    values = np.random.default_rng(2).normal(size=12)
    assert bca(values) == bca(values)


@pytest.mark.parametrize("count", [3, 20, 100, 401])  # from 401 on, resamples are made a part at a time
@pytest.mark.parametrize("kind", ["normal", "exponential", "wins", "scores"])
def test_bca_is_that_of_scipy(kind, count):
    rng = np.random.default_rng(count)
    values = {
        "normal": rng.normal(size=count),
        "exponential": rng.exponential(10.0, count),
        "wins": np.r_[1.0, (rng.random(count - 1) < 0.2).astype(np.float64)],
        "scores": rng.integers(-21, 22, count).astype(np.float64),
    }[kind]
    if np.ptp(values) == 0:
        values[0] += 1
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=9999, confidence_level=0.95, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    interval = bca(values)
    assert interval == pytest.approx((expected.low, expected.high), rel=1e-12, abs=1e-12)


def test_bca_of_two_values_is_finite():
    interval = bca(np.asarray([0.0, 1.0]))
    assert np.isfinite(interval).all()


def test_iqm_is_the_mean_of_the_middle_half():
    assert iqm(np.asarray([0.0, 1.0, 2.0, 3.0, 100.0, 4.0, 5.0, 6.0])) == pytest.approx((2 + 3 + 4 + 5) / 4)


@pytest.mark.parametrize("values", [[], [1.0, np.nan]])
def test_statistics_refuse_what_has_no_mean(values):
    with pytest.raises(ValueError, match="finite value"):
        bca(np.asarray(values))
    with pytest.raises(ValueError, match="finite value"):
        iqm(np.asarray(values))
