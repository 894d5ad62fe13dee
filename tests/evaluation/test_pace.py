"""What was measured of cells is kept beside a store, and found again by what they are like."""

import json

import pytest

from rlattack.evaluation.pace import Pace, Paces

PACE = Pace(begin=2.0, step=0.01, length=100.0, fit=5.0)


def test_idle_slots_take_their_time_too():
    assert PACE.seconds(8, 8) == PACE.seconds(3, 8) == 2.0 + 8 * 100 * 0.01
    assert PACE.seconds(9, 8) == 2.0 + 16 * 100 * 0.01


def test_what_is_kept_is_found_by_its_like_alone(tmp_path):
    Paces(tmp_path).keep(("game", "pgd"), PACE)
    assert Paces(tmp_path).read(("game", "pgd")) == PACE
    assert Paces(tmp_path).read(("game", "fgsm")) is None


@pytest.mark.parametrize("change", [{"step": -1.0}, {"length": None}, {"step": float("inf")}])
def test_what_is_damaged_is_measured_again(tmp_path, change):
    Paces(tmp_path).keep(("game",), PACE)
    (path,) = (tmp_path / "paces").iterdir()
    content = json.loads(path.read_text())
    content["pace"] |= change
    path.write_text(json.dumps(content))
    assert Paces(tmp_path).read(("game",)) is None
    path.write_text("{")
    assert Paces(tmp_path).read(("game",)) is None
