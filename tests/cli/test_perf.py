"""`rlattack perf` of a game of two seats."""

import json

import pytest

from rlattack.cli.main import main
from rlattack.evaluation.duels.perf import SteppingSpeed
from rlattack.training.speed import TrainingSpeed

GAME = ("perf", "mujoco/sumo-ants", "--victim", "some/one", "--seconds", "3", "--workers", "2")


@pytest.fixture(autouse=True)
def stepping(monkeypatch):
    """What is found of stepping; a test may empty it."""
    found = [SteppingSpeed(batched=900.0, raw=1000.0)]

    def train(game, victim, *, threads, seconds):
        assert (game, victim, threads, seconds) == ("mujoco/sumo-ants", "some/one", 2, 3.0)
        return TrainingSpeed(batched=3000.0, subprocesses=2000.0)

    def step(game, victim, *, seconds):
        assert (game, victim, seconds) == ("mujoco/sumo-ants", "some/one", 3.0)
        return found[0] if found else None

    monkeypatch.setattr("rlattack.training.speed.measure_training", train)
    monkeypatch.setattr("rlattack.evaluation.duels.perf.measure_stepping", step)
    return found


def test_games_stand_beside_mujoco_alone_and_training_beside_the_loop_that_a_user_would_write(capsys):
    assert main([*GAME]) == 0
    lines = [line.strip("│ ").split("│") for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert [[cell.strip() for cell in line][1:] for line in lines] == [
        ["900", "0.90"], ["1,000"], ["3,000", "1.50"], ["2,000"],
    ]  # fmt: skip


def test_the_numbers_come_as_json_too(capsys):
    assert main([*GAME, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "stepping": {"batched": 900.0, "raw": 1000.0, "share": 0.9},
        "training": {"batched": 3000.0, "subprocesses": 2000.0, "ratio": 1.5},
    }


def test_of_other_games_training_alone_is_told(capsys, stepping):
    stepping.clear()
    assert main([*GAME, "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["training"]
    assert main([*GAME]) == 0
    assert "mj_step" not in capsys.readouterr().out
