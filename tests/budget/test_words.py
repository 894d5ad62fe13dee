"""Sizes as they are read in tables, at curves and in sentences."""

import pytest

from rlattack.budget.words import KINDS, NORMS, SPACES, axis, grey_levels, heading, place, size_words, tick, units


@pytest.mark.parametrize(
    ("eps", "reach", "space", "words"),
    [
        (0.001, "linf", "unit", "eps 0.001 (a quarter of a grey level)"),
        (1 / 255, "linf", "unit", "eps 0.00392157 (one grey level)"),
        (0.01, "l2", "unit", "eps 0.01 (2.55 grey levels, root mean square)"),
        (0.0005, "l1", "unit", "eps 0.0005 (an eighth of a grey level, mean)"),
        (0.1, "linf", "raw", "eps 0.1"),
        (0.1, "l2", "raw", "eps 0.1, root mean square"),
        (0.5, "l1", "sigma", "eps 0.5 standard deviations, mean"),
        (1, "l0", "unit", "1 pixel"),
        (2, "l0", "raw", "2 pixels"),
        (1, "rotation", "unit", "1 degree"),
        (3, "rotation", "raw", "3 degrees"),
        (1, "zoom", "unit", "1 %"),
        (30, "brightness", "unit", "30 grey levels"),
        (0.1, "bias", "sigma", "eps 0.1 standard deviations, to every entry"),
        (3, "spin", "raw", "eps 3"),
    ],
)
def test_a_size_is_said_in_words(eps, reach, space, words):
    assert size_words(eps, reach, space) == words


@pytest.mark.parametrize(
    ("reach", "space", "above", "below", "counted"),
    [
        ("linf", "unit", "L∞: eps is the largest entry; 1 is black to white",
         "L∞ eps: largest entry (grey levels)", "linf in units of the range of a pixel"),
        ("l2", "raw", "L2: eps is the root mean square of the entries; in the game's own units",
         "L2 eps: root mean square, the game's own units", "l2 in units of the game"),
        ("l1", "sigma", "L1: eps is the mean of the entries; in standard deviations of each entry",
         "L1 eps: mean, standard deviations", "l1 in units of a standard deviation"),
        ("l0", "unit", "L0: eps is the number of pixels", "L0: pixels", "pixels"),
        ("rotation", "unit", "rotation: eps is the angle in degrees", "rotation: degrees", "degrees"),
        ("missing", "unit", "missing: eps is per cent of the entries; a value stands in", "missing: %", "%"),
        ("spin", "turns", "spin; turns", "spin", "spin in units of 1"),
    ],
)  # fmt: skip
def test_tables_and_curves_say_what_eps_is(reach, space, above, below, counted):
    assert (heading(reach, space), axis(reach, space), units(reach, space)) == (above, below, counted)


def test_a_mark_of_an_axis_has_its_grey_levels_where_there_are_some():
    assert tick(0.01, "linf", "unit") == "0.01\n(2.6)"
    assert tick(0.01, "linf", "raw") == "0.01"
    assert tick(2, "l0", "unit") == "2"
    assert grey_levels(0.01, "l2", "unit") == pytest.approx(2.55)
    assert grey_levels(2, "l0", "unit") is None


def test_every_norm_has_its_place_and_what_is_unknown_comes_last():
    assert [place(norm) for norm in NORMS] == list(range(len(NORMS)))
    assert place("spin") == len(KINDS)
    assert all("eps" in heading(norm, space) for norm in NORMS for space in SPACES)
