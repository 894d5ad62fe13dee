"""`--fail-if`, `--track` and what `rlattack report` gives to pipelines, as a user meets them."""

import csv
import io
import json
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from command_line import PASS, call, refused, save_untrained

from tests.kit.results import duel, pong, pong_cell, write_episodes, write_folder

ATTACK = (
    "attack", "gymnasium/CartPole-v1", "--victim", "tests.kit.players:balance", "--attack", "fgsm", "--eps", "0.2",
    "--space", "raw", "--episodes", "3", "--max-steps", "60", "--workers", "1", "--run", "run",
)  # fmt: skip


def verdicts(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("rlattack: --fail-if")]


def test_a_condition_that_holds_is_exit_code_1_and_a_line_and_the_same_command_is_free(capsys, working_folder):
    assert call(*ATTACK, "--fail-if", "return_drop > -1000") == 1
    (line,) = verdicts(capsys)
    fgsm = json.loads((working_folder / "run" / "results.json").read_text())["cells"][-1]
    drop = fgsm["seats"][0]["drop"]["return"]["mean"]
    assert "holds in tests.kit.players:balance: fgsm at eps 0.2" in line
    assert f"(cell {fgsm['cell']}): return_drop is {drop:.4g} [" in line
    assert (working_folder / "run" / "report.html").is_file()
    assert call(*ATTACK, "--fail-if", "return_drop > 1000") == 0
    assert verdicts(capsys) == []


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("win_drop > 0.1", "no attacked cell has win_drop; expected return, return_drop, "),
        ("certified < 0.5", "no attacked cell has certified"),
        ("retrun_drop > 1", "got 'retrun_drop'; did you mean 'return_drop'?"),
        ("return_drop", "expected comparisons of a name and a number"),
        ("return_drop >", "expected comparisons joined by and, or"),
        ("", "expected comparisons joined by and, or"),  # as of a variable that is not set
    ],
)
def test_a_condition_that_decides_nothing_is_refused_before_anything_is_played(
    capsys, working_folder, condition, words
):
    assert words in refused(capsys, *ATTACK, "--fail-if", condition)
    assert list(working_folder.iterdir()) == []


def test_nothing_that_is_attacked_is_refused_before_anything_is_played(capsys, working_folder):
    clean = [word for word in ATTACK if word not in ("--attack", "fgsm", "--eps", "0.2")]
    assert "expected cells that are attacked, got none; name an --attack" in refused(
        capsys, *clean, "--fail-if", "return < 1"
    )
    assert list(working_folder.iterdir()) == []


def test_a_duel_fails_by_its_opponents_but_not_by_zero_and_random(capsys, working_folder):
    save_untrained(working_folder / "blocker", PASS, seat="blocker")
    save_untrained(working_folder / "runner", PASS, seat="runner", seed=1)
    quick = ("--episodes", "2", "--envs", "2", "--workers", "1", "--run", "run")
    assert "expected cells that are attacked" in refused(
        capsys, "duel", PASS, "--players", "zero,random", "runner", *quick, "--fail-if", "win < 2"
    )
    assert "no attacked cell has win_drop; expected return, win, " in refused(
        capsys, "duel", PASS, "--players", "blocker,zero", "runner", *quick, "--fail-if", "win_drop > 0"
    )
    assert not (working_folder / "run").exists()
    assert call("duel", PASS, "--players", "blocker,zero", "runner", *quick, "--fail-if", "win <= 1") == 1
    (line,) = verdicts(capsys)
    assert "holds in blocker – runner: clean (cell " in line


def test_certify_fails_by_what_is_certain(capsys):
    arguments = ("certify", *ATTACK[1:4], *ATTACK[6:], "--attack", "pgd:loss=margin,steps=2")
    assert call(*arguments, "--fail-if", "certified > 2") == 0
    assert call(*arguments, "--fail-if", "certified <= 1 and eps == 0.2") == 1
    (line,) = verdicts(capsys)
    assert "certified is " in line


def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_played(capsys, working_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert "pip install 'rlattack[wandb]'" in refused(capsys, *ATTACK, "--track", "wandb")
    assert list(working_folder.iterdir()) == []
    assert "Expected one of ('wandb', 'mlflow')" in refused(capsys, *ATTACK, "--track", "tensorflow")


def test_a_finished_run_goes_to_a_tracker(capsys, working_folder, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed: pip install 'rlattack[wandb]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(working_folder))
    write_folder(working_folder / "run", pong())
    assert call("report", "run", "--track", "wandb") == 0
    assert "rlattack: logged to wandb: " in capsys.readouterr().err


def test_a_report_decides_a_condition_too(capsys, working_folder):
    write_folder(working_folder / "run", pong())
    assert call("report", "run", "--fail-if", "win_drop > 0.95") == 1
    assert len(verdicts(capsys)) == 3
    assert call("report", "run", "--fail-if", "win_drop > 1.5") == 0
    assert "no attacked cell has certified" in refused(capsys, "report", "run", "--fail-if", "certified < 1")


def test_a_failed_cell_fails_a_report_with_a_condition(working_folder):
    cells = [replace(cell, status="failed: left") if cell.cell == "n1" else cell for cell in pong()]
    write_folder(working_folder / "run", cells)
    assert call("report", "run", "--fail-if", "win_drop > 1.5") == 1
    assert call("report", "run") == 0


def test_what_a_pipeline_shows_goes_to_standard_output_or_into_a_file(capsys, working_folder):
    write_folder(working_folder / "run", pong())
    assert call("report", "run", "--as", "markdown") == 0
    assert capsys.readouterr().out.startswith("### atari/pong")
    assert call("report", "run", "--as", "badge", "--out", "badge.svg") == 0
    assert capsys.readouterr().out == "badge.svg\n"
    assert ElementTree.parse(working_folder / "badge.svg").getroot().get("height") == "20"
    assert call("report", "run", "--as", "junit", "--fail-if", "win_drop > 0.95") == 1
    assert ElementTree.fromstring(capsys.readouterr().out)[0].get("failures") == "3"
    assert not (working_folder / "run" / "report.html").exists()


def test_csv_has_a_row_a_cell_of_every_run(capsys, working_folder):
    write_folder(working_folder / "one", pong())
    write_folder(working_folder / "two", [duel("zero", "runner", 0.02)])
    assert call("report", "one", "two", "--as", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["run"] for row in rows] == ["one"] * len(pong()) + ["two"]
    assert (rows[3]["attack"], rows[3]["win_drop"], rows[0]["win_drop"]) == ("fgsm", "1.0", "")


@pytest.fixture
def old_and_new(working_folder):
    for name, step in (("old", 0.0), ("new", 3.0)):
        folder = write_folder(working_folder / name, [pong_cell(name, "clean", None, 5.0, None)])
        write_episodes(folder, {name: [(seed, seed + step + step * seed / 10, "") for seed in range(20)]})


def test_two_runs_are_compared_in_the_terminal_and_on_a_page(capsys, working_folder, old_and_new):
    assert call("report", "old", "new", "--diff") == 0
    shown = capsys.readouterr().out
    assert "new minus old (ppo), over the same episodes: 1 of 1 comparison differs (Holm, 5 %)." in shown
    assert shown.splitlines()[-1] == "diff.html"
    assert "new minus old" in (working_folder / "diff.html").read_text()
    assert call("report", "old", "new", "--diff", "--as", "markdown") == 0
    assert capsys.readouterr().out.startswith("### old and new")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("old", "--diff"), "--diff: expected two run folders, got 1"),
        (("old", "new", "old", "--diff"), "--diff: expected two run folders, got 3"),
        (("old", "new", "--diff", "--as", "junit"), "--diff: expected --as page or --as markdown, got --as junit"),
        (("old", "--as", "pdf"), "'--as'. Expected one of ('page', 'markdown', 'badge', 'junit', 'csv')"),
    ],
)
def test_what_cannot_be_compared_or_shown_is_refused(capsys, old_and_new, arguments, words):
    assert words in refused(capsys, "report", *arguments)


def test_a_run_without_episodes_is_refused_by_name(capsys, working_folder, old_and_new):
    (working_folder / "new" / "episodes.csv").unlink()
    assert "new/episodes.csv: missing" in refused(capsys, "report", "old", "new", "--diff")
