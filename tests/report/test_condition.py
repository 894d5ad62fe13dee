"""`--fail-if`: what can be asked, of which cells, and what is said of them."""

from dataclasses import replace

import pytest

from rlattack.errors import InvalidInput, UnknownName
from rlattack.report.condition import NAMES, Condition
from rlattack.report.rows import rows
from tests.kit.results import assault, duel, heat, mean, pong, pong_cell

CLEAN = pong_cell("c0", "clean", None, 21.0, 1.0)


def holding(text, cells):
    return [one.cell.cell for one in Condition(text).verdicts(cells) if one.holds]


def test_controls_and_clean_cells_decide_nothing():
    assert holding("return < 100", pong()) == ["f1", "f2", "p1", "t1", "x1", "x2"]


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("win_drop > 0.9", ["f1", "f2", "p1"]),
        ("win_drop >= 0.9", ["f1", "f2", "p1", "x2"]),
        ("win_drop > 0.5 and eps <= 0.001", ["f1", "p1"]),
        ("win_drop > 0.95 or return == 6", ["f1", "f2", "p1", "x1"]),
        ("return == 6 or win_drop > 0.5 and eps == 0.0025", ["f2", "x1"]),
        ("(return == 6 or win_drop > 0.5) and eps == 0.0025", ["f2"]),
        ("-20.5 < return <= -18.2", ["f1", "p1"]),
        ("0.5 > win", ["f1", "f2", "p1", "x2"]),
        ("return_drop_low > 41", ["f2"]),
        ("return != 6 and return > -10", ["t1"]),
        ("win_drop > return", ["f1", "f2", "p1", "x2"]),
        ("  return\n<\n-20.9 ", ["f2"]),
    ],
)
def test_a_condition_holds_where_its_comparisons_say(text, cells):
    assert holding(text, pong()) == cells


def test_what_is_told_names_the_cell_the_number_and_its_interval():
    (one,) = [one for one in Condition("win_drop > 0.9 and eps > 0.002").verdicts(pong()) if one.holds]
    assert one.told.startswith('--fail-if "win_drop > 0.9 and eps > 0.002" holds in ppo: fgsm at eps 0.0025')
    assert one.told.endswith("(cell f2): win_drop is 1 [0.9, 1], eps is 0.0025")


def test_what_was_not_measured_in_a_cell_is_no_pass_and_is_said():
    cells = [*pong(), pong_cell("g1", "pgd", 0.001, -19.0, None)]
    lonely = [one for one in Condition("win_drop > 2").verdicts(cells) if one.fails]
    assert [(one.cell.cell, one.holds) for one in lonely] == [("g1", None)]
    assert "cannot be decided in ppo: pgd at eps 0.001" in lonely[0].told
    assert lonely[0].told.endswith("win_drop was not measured")


def test_what_decides_without_the_missing_number_is_decided():
    cells = [*pong(), pong_cell("g1", "pgd", 0.001, -19.0, None)]
    assert "g1" in holding("win_drop > 2 or return < 0", cells)
    (last,) = [one for one in Condition("win_drop > 2 and return > 0").verdicts(cells) if one.cell.cell == "g1"]
    assert last.holds is False


def test_failed_cells_have_no_numbers_to_decide_by():
    cells = [replace(cell, status="failed: left its reach") if cell.cell == "f2" else cell for cell in pong()]
    assert "f2" not in holding("win_drop > 0.9", cells)
    assert [one.cell.cell for one in Condition("win < 2").verdicts(cells)] == ["f1", "p1", "t1", "x1", "x2"]


def test_the_certified_share_is_that_of_the_size_of_the_attack_by_the_best_bounds():
    observed = {
        "certified at linf 0.001 by ibp": mean(0.25, 0.05), "certified at linf 0.001 by crown": mean(0.75, 0.05),
        "certified at linf 0.5 by crown": mean(0.0, 0.0), "certified radius at linf 0.001 by crown": mean(9.0),
    }  # fmt: skip
    cells = [
        pong_cell("c0", "clean", None, 21.0, 1.0),
        pong_cell("f1", "fgsm", 0.001, 1.0, 0.6, seat={"observed": observed}),
    ]
    (one,) = Condition("certified < 0.8").verdicts(cells)
    assert one.told.endswith("certified is 0.75 [0.7, 0.8]")
    assert rows(cells)[0]["certified"] is None


def test_in_a_duel_in_which_nothing_is_attacked_opponents_are_the_attack_but_not_zero():
    assert holding("win < 0.5", heat()) == [heat()[0].cell]
    assert holding("win < 0.9", [duel("zero", "runner", 0.02), duel("adversary", "runner", 0.86)]) == [
        "adversary runner "
    ]


def test_in_a_duel_with_an_attack_other_cells_decide_nothing():
    assert holding("win < 0.5", assault()) == ["pgd0.05", "pgd0.2"]


def test_nothing_that_is_attacked_is_refused():
    with pytest.raises(InvalidInput, match="expected cells that are attacked, got none; name an --attack"):
        Condition("win < 0.5").verdicts(
            [pong_cell("c0", "clean", None, 21.0, 1.0), pong_cell("n", "noise", 0.1, 1.0, 1.0)]
        )
    with pytest.raises(InvalidInput, match="expected cells that are attacked"):
        Condition("win < 0.5").verdicts([duel("zero", "runner", 0.02)])


@pytest.mark.parametrize("name", ["windrop", "cell", "_", "return_", "the_returns", "__class__"])
def test_an_unknown_name_is_refused_with_those_that_there_are(name):
    with pytest.raises(
        UnknownName, match=f"expected return, win, return_drop, .* as win_drop_low; got '{name}'|certified_low"
    ):
        Condition(f"{name} > 0.1")


def test_its_names_are_in_the_order_of_the_text():
    assert Condition("win_drop > 0.1 and (eps <= 0.05 or return < 10)").names == ("win_drop", "eps", "return")


def test_a_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'win_drop'"):
        Condition("windrop > 0.1")


def test_a_name_that_no_attacked_cell_has_is_refused_with_those_that_they_have():
    cells = [pong_cell("c0", "clean", None, 21.0, None), pong_cell("f1", "fgsm", 0.1, 1.0, None)]
    with pytest.raises(InvalidInput, match="no attacked cell has win_drop; expected return, return_drop, ") as refused:
        Condition("win_drop > 0.1").verdicts(cells)
    assert "win," not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "win_drop", "0.1", "1 < 2", "win_drop > ", "win_drop > 0.1 and", "win_drop = 0.1", "win_drop > '0.1'",
        "win_drop > True", "win_drop > None", "win_drop > 1e999", "win_drop > 1" + "0" * 400, "win_drop > 1j",
        "not win_drop > 0.1", "win_drop is 0.1", "win_drop in (1, 2)", "win_drop + 1 > 0.1", "abs(win_drop) > 0.1",
        "win_drop.real > 0.1", "win_drop > 0.1 if eps else 1", "[win_drop > 0.1]", "(yield)", "lambda: 1 > win",
        "__import__('os').system('true') > 1", "x := 1", "win > 0; eps > 0", "win > 0 # or not\0", "(" * 400 + "win",
        "win > --1", "-" * 900 + "1 < win", "win_drop > 0.1, eps > 1", "win > 0 or " * 200 + "win > 0",
        "return return > 1",
    ],
)  # fmt: skip
def test_what_is_no_comparison_is_refused_in_a_line(text):
    with pytest.raises(InvalidInput, match="expected comparisons") as refused:
        Condition(text)
    assert "win_drop > 0.1" in str(refused.value)


@pytest.mark.parametrize("text", ["win_drop > 0.1or eps > 1", "win>.1", "win > 1_0", "win > 0x10"])
def test_what_is_odd_but_clear_is_read(text):
    assert Condition(text).names[0] in ("win_drop", "win")


def test_all_names_are_columns_of_the_rows():
    assert set(NAMES) <= set(rows(pong())[0])
