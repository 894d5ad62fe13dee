"""`rlattack benchmark`: a grid in, a leaderboard out."""

import json
import re

import pytest
from command_line import call, refused

from tests.benchmark.grids import COINS, written
from tests.kit import games  # noqa: F401  # registers the games that are named here


def test_a_grid_becomes_a_table_a_page_and_files(tmp_path, capsys):
    folder = tmp_path / "run"
    assert call("benchmark", written(tmp_path), "--run", str(folder), "--workers", "1") == 0
    captured = capsys.readouterr()
    assert "coins/any: observation, eps 0.5" in captured.out
    assert "best known" in captured.out
    assert f"{folder}/leaderboard.html shows it all" in captured.out.replace("\n", "")
    assert "7 cells, 0 there, 7 to play (42 episodes)" in captured.err
    assert {"leaderboard.json", "leaderboard.csv", "leaderboard.html", "tensorboard"} <= {
        path.name for path in folder.iterdir()
    }
    assert call("benchmark", written(tmp_path), "--run", str(folder), "--workers", "1", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == json.loads((folder / "leaderboard.json").read_text())
    assert "7 cells, 7 there, 0 to play (0 episodes)" in captured.err


def test_a_plan_plays_nothing_and_measures_what_nobody_has_played(tmp_path, capsys):
    folder = tmp_path / "run"
    plan = ("benchmark", written(tmp_path), "--run", str(folder), "--plan", "--episodes", "9", "--workers", "2")
    assert call(*plan) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "rlattack: measuring coins/any, clean\n" in captured.err
    assert re.search(r"7 cells, 0 there, 7 to play \(63 episodes\): about \d+ s with 2 workers", captured.err)
    assert {path.name for path in folder.rglob("*.json")} == {path.name for path in folder.glob("store/paces/*.json")}
    assert call(*plan) == 0
    assert "measuring" not in capsys.readouterr().err


def test_a_cell_that_failed_is_told_and_is_no_success(tmp_path, capsys):
    from tests.evaluation import sly  # noqa: F401  # registers an attack that leaves its reach

    text = COINS.replace('"fgsm:loss=margin"', '"sly-leaky"')
    assert call("benchmark", written(tmp_path, text), "--run", str(tmp_path / "run"), "--workers", "1") == 1
    captured = capsys.readouterr()
    assert "rlattack: 2 cells failed: `rlattack report`" in captured.err
    assert json.loads((tmp_path / "run" / "leaderboard.json").read_text())["failed"] == 2


def test_what_cannot_be_played_is_told(tmp_path, capsys):
    text = COINS.replace('"fgsm:loss=margin"', '"patch"')
    assert call("benchmark", written(tmp_path, text), "--plan") == 0
    assert "rlattack: patch on tests.kit.players:coin is not played: a patch is for pictures" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("smok",), "no grid 'smok'; did you mean 'smoke'"),
        (("smoke", "--episodes", "0"), "--episodes: expected at least 1, got 0"),
        (("smoke", "--victim", "my/none"), "my/none"),
        (("{folder}/misspelt.toml",), "no attack 'fgms'; did you mean 'fgsm'"),
        (("smoke", "--only", "chess"), "--only chess: fits no game, attack or contender"),
    ],
)
def test_wrong_input_is_one_line(tmp_path, capsys, words, message):
    written(tmp_path, COINS.replace("fgsm", "fgms"), name="misspelt")
    words = [word.format(folder=tmp_path) for word in words]
    assert message in refused(capsys, "benchmark", *words, "--run", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
