"""`rlattack perf` of a game of two seats."""

import json

import pytest

from rlattack.cli.main import main
from rlattack.training.speed import TrainingSpeed

GAME = ("perf", "mujoco/sumo-ants", "--victim", "some/one", "--seconds", "3", "--workers", "2")


@pytest.fixture(autouse=True)
def _measured(monkeypatch):
    def measure(game, victim, *, threads, seconds):
        assert (game, victim, threads, seconds) == ("mujoco/sumo-ants", "some/one", 2, 3.0)
        return TrainingSpeed(batched=3000.0, subprocesses=2000.0)

    monkeypatch.setattr("rlattack.training.speed.measure_training", measure)


def test_training_stands_beside_the_loop_that_a_user_would_write(capsys):
    assert main([*GAME]) == 0
    out = capsys.readouterr().out
    assert "batched games" in out
    assert "3,000" in out
    assert "1.50" in out


def test_the_numbers_come_as_json_too(capsys):
    assert main([*GAME, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"batched": 3000.0, "subprocesses": 2000.0, "ratio": 1.5}
