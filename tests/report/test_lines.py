"""Lines against the budget, the share of attacked steps and the questions asked."""

from dataclasses import replace

import pytest

from rlattack.report.comparison import Setting
from rlattack.report.lines import BUDGET, QUERIES, SHARE, lines
from tests.kit.results import pong, pong_cell


def timed(name, schedule, share, score=0.0, eps=0.001):
    return pong_cell(
        f"{name}{schedule}{eps}", name, eps, score, 0.5, about={"schedule": schedule}, seat={"attacked": share}
    )


def asked(name, queries, measured, score=0.0):
    about = {"parameters": {"queries": queries, "restarts": 2}}
    return pong_cell(f"{name}{queries}", name, 0.001, score, 0.5, about=about, seat={"queries": measured})


def points(line):
    return [line.at(cell) for cell in line.cells]


def test_lines_run_from_small_to_large_budgets_with_controls_last():
    (pairing,) = Setting(tuple(reversed(pong()))).pairings
    linf = [line for line in lines(BUDGET, pairing.good) if line.reach == "linf"]
    assert {line.label for line in linf} == {"fgsm", "fgsm from atari/pong/a2c", "pgd steps=10", "noise"}
    assert [line.label for line in lines(BUDGET, pairing.good) if line.control] == ["noise", "noise"]
    fgsm = next(line for line in linf if line.label == "fgsm")
    assert [cell.cell for cell in fgsm.cells] == ["f1", "f2"]
    by_norm = [line.control for line in linf]
    assert by_norm == sorted(by_norm)


def test_cells_that_failed_or_have_no_size_are_on_no_line():
    cells = pong()
    cells[3] = replace(cells[3], status="failed: the attack left its budget in 1 of 9 steps")
    cells.append(pong_cell("z", "sleep", None, 3.0, 0.5, about={"reach": None, "space": None}))
    (pairing,) = Setting(tuple(cells)).pairings
    assert [cell.cell for line in lines(BUDGET, pairing.good) if line.label == "fgsm" for cell in line.cells] == ["f2"]
    assert "sleep" not in {line.label for line in lines(BUDGET, pairing.good)}


def test_schedules_that_differ_in_their_share_are_a_line_by_the_share_that_was_measured():
    cells = [
        timed("noise", "timed:share=0.1", 0.1), timed("noise", "timed:share=0.2", 0.2), timed("fgsm", "every", 1.0),
        timed("fgsm", "random:share=0.2", 0.19), timed("fgsm", "random:share=0.1", 0.09),
        timed("fgsm", "timed:share=0.2", 0.18), timed("fgsm", "timed:share=0.1", 0.08),
        timed("fgsm", "timed:threshold=0.5", 0.3),
    ]  # fmt: skip
    found = {line.label: (points(line), line.control) for line in lines(SHARE, cells)}
    assert found == {
        "fgsm when random": ([0.09, 0.19], False),
        "fgsm when timed": ([0.08, 0.18], False),
        "noise when timed": ([0.1, 0.2], True),
    }
    assert [line.control for line in lines(SHARE, cells)] == [False, False, True]
    assert not lines(QUERIES, cells)


def test_sizes_are_lines_of_their_own_and_say_so():
    cells = [timed("fgsm", f"timed:share={share}", share, eps=eps) for eps in (0.001, 0.002) for share in (0.1, 0.2)]
    assert [line.label for line in lines(SHARE, cells)] == [
        "fgsm when timed at eps 0.001 (a quarter of a grey level)", "fgsm when timed at eps 0.002 (half a grey level)",
    ]  # fmt: skip


def test_attacks_that_differ_in_their_queries_are_a_line_by_the_queries_that_were_counted():
    cells = [
        asked("square", 200, 60.0),
        asked("square", 50, 31.0),
        asked("redraws", 50, 50.0),
        asked("redraws", 9, 9.0),
    ]
    found = {line.label: points(line) for line in lines(QUERIES, cells)}
    assert found == {"square restarts=2": [31.0, 60.0], "redraws restarts=2": [9.0, 50.0]}
    assert not lines(SHARE, cells)


@pytest.mark.parametrize(("axis", "count"), [(BUDGET, 1), (SHARE, 0), (QUERIES, 0)])
def test_one_cell_is_a_line_against_the_budget_alone(axis, count):
    assert len(lines(axis, [timed("fgsm", "timed:share=0.1", 0.1)])) == count
