import pytest

from rlattack.report.values import Value, decimals, mean, number, percent, share
from tests.kit import results
from tests.kit.results import rate


def test_numbers_stand_with_their_intervals():
    assert str(percent(rate(0.86))) == "86 % [76, 96]"
    assert str(percent(rate(0.671), 1)) == "67.1 % [57.1, 77.1]"
    assert str(mean(results.mean(-18.2), 1)) == "-18.2 [-19.0, -17.4]"
    assert percent(rate(0.86)).order == 86.0


def test_an_interval_of_equal_values_has_a_star_and_an_unknown_one_is_left_out():
    assert str(mean(results.mean(-21.0, 0.0), 1)) == "-21.0 [-21.0, -21.0]*"
    assert str(mean(results.mean(758.5, 0.0, degenerate=False), 1)) == "758.5"


def test_what_was_not_measured_is_a_dash():
    assert {percent(None), mean(None, 1), number(None), share(None)} == {Value()}
    assert str(Value()) == "–"
    assert not Value().known


@pytest.mark.parametrize(("values", "places"), [([15935.4, 3.0], 0), ([-21.0], 1), ([0.5, 1.0], 2), ([], 2)])
def test_the_larger_the_numbers_the_fewer_decimals(values, places):
    assert decimals(values) == places


def test_zero_has_no_sign():
    assert number(-0.001, 2).text == "0.00"
    assert share(-0.0001).text == "0.0 %"
