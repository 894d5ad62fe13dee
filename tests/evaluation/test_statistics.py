import numpy as np
import pytest
from scipy import stats

from rlattack.evaluation.statistics import bca, holm, iqm, paired_rates, sign_flips, wilson


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


def test_sign_flips_of_few_differences_is_the_exact_test_of_scipy():
    apart = np.random.default_rng(0).normal(0.5, 1.0, 12)
    expected = stats.permutation_test((apart,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flips(apart) == pytest.approx(expected, abs=1e-12)
    assert sign_flips(np.r_[apart, np.zeros(30)]) == pytest.approx(expected, abs=1e-12)  # ties tell no direction


def test_sign_flips_of_many_differences_is_near_the_paired_t_test():
    apart = np.random.default_rng(1).normal(0.05, 1.0, 1000)
    assert sign_flips(apart) == pytest.approx(stats.ttest_1samp(apart, 0.0).pvalue, abs=0.01)
    assert sign_flips(apart) == sign_flips(apart)


def test_sign_flips_of_wins_is_the_exact_test_of_mcnemar():
    apart = np.r_[np.ones(12), -np.ones(2), np.zeros(36)]
    assert sign_flips(apart) == pytest.approx(stats.binomtest(12, 14).pvalue, abs=1e-12)


def test_sign_flips_of_equal_episodes_is_1():
    assert sign_flips(np.zeros(20)) == 1.0


@pytest.mark.parametrize("values", [[], [1.0, np.nan]])
def test_sign_flips_of_nothing_or_of_no_number_is_refused(values):
    with pytest.raises(ValueError, match="expected at least one finite value"):
        sign_flips(np.array(values))


def test_sign_flips_of_chance_are_below_5_percent_as_often_as_that():
    rng = np.random.default_rng(2)
    assert np.mean([sign_flips(rng.exponential(1.0, 8) - rng.exponential(1.0, 8)) <= 0.05 for _ in range(2000)]) < 0.06


def test_holm_is_worked_by_hand():
    # Holm 1979: the smallest times 4, the next times 3, and never less than the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_holm_rejects_no_true_hypothesis_of_many_more_often_than_it_says():
    families = np.random.default_rng(3).uniform(size=(1000, 20))
    assert np.mean([min(holm(list(family))) <= 0.05 for family in families]) < 0.07


@pytest.mark.parametrize("wrong", [1.5, -0.1, float("nan")])
def test_holm_of_what_is_no_probability_is_refused(wrong):
    with pytest.raises(ValueError, match=r"expected p-values in \[0, 1\]"):
        holm([0.5, wrong])
