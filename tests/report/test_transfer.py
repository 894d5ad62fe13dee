"""The matrix of what attacks were crafted on against whom they were played."""

import dataclasses
import re

import pytest

from rlattack.report.comparison import settings
from rlattack.report.curves import svg
from rlattack.report.transfer import transfer_map, transfers, written
from tests.kit.results import assault, attack, crossed, duel, pong, transferred

MATRIX = crossed()


def matrix(cells=MATRIX):
    (found,) = transfers(settings(cells))
    return found


def test_rows_are_victims_columns_what_was_attacked_in_their_place_and_the_control_is_last():
    found = matrix()
    assert found.title == "fgsm at eps 0.004 (one grey level)"
    assert found.rows == ["ppo", "a2c"]
    assert found.columns == ["ppo", "a2c", "imitate", "control: noise"]
    assert written(found) == [
        ["-21 (fell 42)", "3 (fell 18)", "-12.5 (fell 33.5)", "15 (fell 6)"],
        ["18 (fell 3)", "-20 (fell 41)", "-8 (fell 29)", "15 (fell 6)"],
    ]


def test_an_attack_on_the_victim_itself_from_which_no_other_is_attacked_has_a_column_of_its_own():
    found = matrix(transferred("atari/pong/ppo", {None: -21.0, "imitate": -12.5, "imitate:episodes=4": 3.0}))
    assert found.columns == ["the victim itself", "imitate", "imitate:episodes=4", "control: noise"]


def test_sizes_attacks_and_protocols_are_matrices_of_their_own():
    other = transferred("atari/pong/ppo", {None: -21.0, "imitate": 1.0, "a2c": 2.0}, eps=0.008)
    longer = transferred("atari/pong/ppo", {None: -21.0, "imitate": 1.0, "a2c": 2.0}, episodes=40)
    assert [one.title for one in transfers(settings([*MATRIX, *other, *longer]))] == [
        "fgsm at eps 0.004 (one grey level)", "fgsm at eps 0.008 (two grey levels)",
        "fgsm at eps 0.004 (one grey level)",
    ]  # fmt: skip


def test_a_pair_that_was_not_played_is_a_dash_and_failed_cells_are_none():
    cells = [*MATRIX[:-1], dataclasses.replace(MATRIX[-1], status="failed: left its budget")]
    assert written(matrix(cells))[1][2] == "–"


def test_one_surrogate_of_one_victim_is_no_matrix():
    assert transfers(settings(pong())) == transfers(settings(assault())) == []


def test_in_a_duel_the_win_rate_falls():
    about = [attack("fgsm", 0.2, "runner", space="raw", surrogate=name) for name in ("a", "b")]
    cells = [duel("zero", "runner", 0.1), *(duel("zero", "runner", 0.8, attacks=[one]) for one in about)]
    found = matrix([dataclasses.replace(cell, cell=f"{cell.cell}{n}") for n, cell in enumerate(cells)])
    assert (found.rows, found.columns) == (["zero – runner"], ["a", "b"])
    assert written(found) == [["20 % (fell 80)", "20 % (fell 80)"]]


def test_the_picture_says_what_is_left_and_by_whom():
    words = re.findall(r">([^<>]+)</t(?:ext|span)>", svg("here", lambda: transfer_map(matrix())))
    assert {"-12.5", "fell 33.5", "ppo", "imitate", "victim", "crafted on", "fall of return", "control: noise"} <= set(
        words
    )


@pytest.mark.parametrize("few", [MATRIX[:1], []])
def test_without_attacks_there_is_none(few):
    assert transfers(settings(few)) == []
