"""`rlattack benchmark --counterexample RUN` and `--against FOLDER`: from a run to the leaderboard of others."""

import json

import pytest
from command_line import call, refused

from tests.benchmark.grids import COINS, written
from tests.kit import games  # noqa: F401  # registers the games that are named here

GRID = COINS.replace('["fgsm:loss=margin", "pgd:steps=2,loss=margin"]', '["pgd:steps=1,step=0.1"]')
GRID = GRID.replace("episodes = 6", "episodes = 12")
MAKE = ("--licence", "MIT", "--authors", "us", "--workers", "1")


def attacked(folder, *attacks):
    """A run of attacks on the coin's player."""
    words = ("attack", "coins/any", "--victim", "tests.kit.players:coin", "--attack", *attacks, "--eps", "1.5")
    more = ("--space", "raw", "--episodes", "10", "--envs", "4", "--seed", "3", "--workers", "1")
    assert call(*words, *more, "--run", str(folder)) == 0
    return str(folder)


def test_a_run_becomes_a_counterexample_that_lowers_a_row(tmp_path, capsys):
    run, place = attacked(tmp_path / "run", "fgsm:loss=margin"), tmp_path / "made"
    assert call("benchmark", "--counterexample", run, "--out", str(place), *MAKE) == 0
    said = capsys.readouterr()
    assert "is a counterexample to tests.kit.players:coin in coins/any: fgsm:loss=margin leaves 0 [0, 0]" in said.out
    assert "plays 10 episodes again, to keep what arrives: fgsm:loss=margin 1.5" in said.err
    grid = ("benchmark", written(tmp_path, GRID), "--run", str(tmp_path / "board"), "--workers", "1")
    assert call(*grid, "--against", str(place)) == 0
    said = capsys.readouterr()
    shown = "fgsm:loss=margin, a counterexample by us on seeds of its own, on tests.kit.players:coin: "
    assert f"{shown}0.0 [0.0, 0.0]*, counts" in said.out
    assert "its perturbations are replayed; it states 0" in said.err
    board = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    small, large = (ranking["rows"][0]["best"] for ranking in board["boards"][0]["rankings"])
    assert small["value"]["mean"] > 3 > large["value"]["mean"] == 0
    *_, command = large, board["boards"][0]["rankings"][1]["rows"][0]["agents"][0]["command"]
    assert call(*command.split()[1:], "--run", str(tmp_path / "again"), "--workers", "1") == 0
    *_, again = json.loads((tmp_path / "again" / "results.json").read_text())["cells"]
    assert again["seats"][0]["return"]["mean"] == 0


def test_a_run_of_a_grid_makes_one_too(tmp_path, capsys):
    folder = tmp_path / "board"
    assert call("benchmark", written(tmp_path), "--run", str(folder), "--episodes", "10", "--workers", "1") == 0
    (run,) = folder.glob("coins-any-*")
    made = ("benchmark", "--counterexample", str(run), "--out", str(tmp_path / "made"), *MAKE)
    there = refused(capsys, *made)
    assert "expected one attack, named by --only; there are: fgsm:loss=margin 0.5 on tests.kit.players:coin; " in there
    assert call(*made, "--only", "fgsm* 1.5") == 0
    assert "fgsm:loss=margin leaves 0 [0, 0]" in capsys.readouterr().out


def test_without_an_out_it_lies_beside_the_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = attacked("runs/mine", "fgsm:loss=margin")
    assert call("benchmark", "--counterexample", run, *MAKE) == 0
    assert (tmp_path / "runs" / "counterexample-mine" / "counterexample.toml").is_file()


def test_what_makes_none_is_one_line(tmp_path, capsys):
    run = attacked(tmp_path / "run", "fgsm:loss=margin", "pgd:steps=2")
    make = ("benchmark", "--out", str(tmp_path / "made"), "--counterexample")
    assert "expected one attack, named by --only; there are: fgsm:loss=margin 1.5 on" in refused(capsys, *make, run)
    assert "there are: fgsm:loss=margin" in refused(capsys, *make, run, "--only", "noise")
    assert "licence: expected that of what it holds" in refused(capsys, *make, run, "--only", "fgsm")
    assert "results.json" in refused(capsys, *make, str(tmp_path), "--only", "fgsm")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "expected a run of `rlattack attack` or `rlattack benchmark`; play it by `rlattack attack`"),
        ("rlattack attack coins/any --vctim zero", "--vctim"),
        ("rlattack duel tug/any", "expected a run of `rlattack attack` or `rlattack benchmark`"),
        ("rlattack benchmark GRID --run somewhere", "expected a run of its grid, coins-any-"),
        (
            "rlattack attack coins/any --victim tests.kit.players:coin --attack fgsm --eps 0.1 --space raw",
            "other agents, options or code by now than played it: play its command again",
        ),
    ],
)
def test_a_run_whose_command_does_not_play_it_is_refused(tmp_path, capsys, command, message):
    run = attacked(tmp_path / "run", "fgsm:loss=margin")
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"command": command.replace("GRID", written(tmp_path))}))
    assert message in refused(capsys, "benchmark", "--counterexample", run, *MAKE)


def test_what_is_no_counterexample_is_refused_before_anything_is_played(tmp_path, capsys):
    line = refused(
        capsys, "benchmark", written(tmp_path), "--against", str(tmp_path / "none"), "--run", str(tmp_path / "board")
    )
    assert "none: expected a counterexample with counterexample.toml; `rlattack benchmark --counterexample RUN`" in line
    assert not (tmp_path / "board").exists()
