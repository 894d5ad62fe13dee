import math

import pytest

from rlattack.evaluation.series import (
    Estimate,
    distinctions,
    estimate,
    label,
    lines,
    noise_beside,
    number,
    settings,
    size,
)


def test_a_label_tells_parameters_model_grid_and_surrogate_apart(make_cell):
    cell = make_cell("a", "pgd", 0.001, 0.0, 0.0, parameters={"steps": 10, "restarts": 2}, model="frame", grid=True)
    assert label(cell) == "pgd restarts=2 steps=10 frame grid"
    assert (
        label(cell | {"parameters": {}, "grid": False, "surrogate": "atari/pong/a2c"})
        == "pgd frame from atari/pong/a2c"
    )


def test_lines_run_from_small_to_large_budgets_with_controls_last(pong_cells):
    drawn = lines(list(reversed(pong_cells)))
    assert {line.label for line in drawn if line.norm == "linf"} == {
        "fgsm",
        "fgsm from atari/pong/a2c",
        "pgd steps=10",
        "noise",
    }
    assert [line.label for line in drawn if line.control] == ["noise", "noise"]
    assert next(line for line in drawn if line.label == "fgsm").cells[0]["eps"] == 0.001
    by_norm = [line.control for line in drawn if line.norm == "linf"]
    assert by_norm == sorted(by_norm)


def test_failed_cells_are_on_no_line(pong_cells):
    pong_cells[3]["status"] = "failed: the attack left its budget in 1 of 9 steps"
    fgsm = next(line for line in lines(pong_cells) if line.label == "fgsm")
    assert [cell["cell"] for cell in fgsm.cells] == ["f2"]


def test_cells_of_another_protocol_are_another_setting(pong_cells, make_cell):
    other = make_cell("z", "fgsm", 0.001, -3.0, 0.4, sticky=0.25)
    groups = settings([*pong_cells, other])
    assert [len(group) for group in groups] == [10, 1]
    assert distinctions(groups) == ["sticky=0.0", "sticky=0.25"]
    assert distinctions(settings(pong_cells)) == [""]


def test_the_control_of_a_cell_prefers_its_own_model(make_cell):
    cell = make_cell("f", "fgsm", 0.001, 0.0, 0.0, model="frame")
    stack, frame = make_cell("a", "noise", 0.001, 21.0, 1.0), make_cell("b", "noise", 0.001, 20.0, 1.0, model="frame")
    assert noise_beside(cell, [stack, frame])["cell"] == "b"
    assert noise_beside(cell, [stack])["cell"] == "a"
    assert noise_beside(cell | {"eps": 0.002}, [stack, frame]) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "3", True])
def test_only_finite_numbers_are_numbers(value):
    assert number({"return": {"mean": value}}, "return", "mean") is None


def test_an_estimate_without_interval_is_its_point():
    assert estimate({"win": {"rate": 0.5, "ci": [None, 0.7]}}, "win", "rate") == Estimate(0.5, 0.5, 0.7)
    assert estimate({"win": None}, "win", "rate") is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"eps": 0.001}, "eps 0.001 (a quarter of a grey level)"),
        ({"eps": 0.01}, "eps 0.01 (2.55 grey levels)"),
        ({"eps": 1 / 255}, "eps 0.00392157 (one grey level)"),
        ({"eps": 0.002, "norm": "l2"}, "eps 0.002 (half a grey level, root mean square)"),
        ({"eps": 2.0, "norm": "l0"}, "2 pixels"),
        ({"eps": 1.0, "norm": "l0"}, "1 pixel"),
        ({"eps": 0.1, "space": "raw"}, "eps 0.1"),
        ({"eps": 0.1, "space": "sigma"}, "eps 0.1 standard deviations"),
    ],
)
def test_a_budget_is_said_in_words(make_cell, changes, words):
    assert size(make_cell("a", "fgsm", 0.001, 0.0, 0.0) | changes) == words
