"""`rlattack duel` as a user meets it, on a real game with players that are no agents."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from rlattack.cli import duel_table
from rlattack.cli.main import main
from rlattack.errors import MissingExtra
from rlattack.evaluation.duels.film import find_film
from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianSpec

pytest.importorskip("mujoco")
GAME = "mujoco/you-shall-not-pass"
DUEL = ("duel", GAME, "--episodes", "2", "--envs", "2", "--workers", "1")


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments):
    try:
        return main(list(arguments))
    except SystemExit as stop:
        return stop.code


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((*DUEL, "--players", "zero"), "--players: expected two"),
        ((*DUEL, "--players", "zero", "zero", "zero"), "--players: expected two"),
        ((*DUEL, "--players", "zero", "nobody"), "no agent and no file 'nobody'"),
        ((*DUEL, "--players", "zero", "zero", "--mask", "runer"), "did you mean 'runner'"),
        ((*DUEL, "--players", "zero", "zero", "--mask", "runner:nois"), "did you mean 'noise'"),
        ((*DUEL, "--players", "zero", "zero", "--victim", "bloker"), "did you mean 'blocker'"),
        ((*DUEL[:2], "--players", "zero", "zero", "--episodes", "0"), "--episodes: expected at least 1"),
        ((*DUEL[:2], "--players", "zero", "zero", "--workers", "0"), "--workers: expected at least 1"),
        ((*DUEL, "--players", "zero", "zero", "--attack", "pgd"), "--eps: expected at least one size"),
        ((*DUEL, "--players", "zero", "zero", "--attack", "pgd", "--eps", "0.1"), "zero looks at nothing"),
        ((*DUEL, "--players", "zero", "zero", "--eps", "0.1", "--attacked", "runer"), "did you mean 'runner'"),
        (("duel", "mujoco/you-shall-not-pas", "--players", "zero", "zero"), f"did you mean '{GAME}'"),
        (("duel", "gymnasium/CartPole-v1", "--players", "zero", "zero"), "has one seat: `rlattack attack"),
        (("attack", GAME, "--victim", "zero"), "has two seats: `rlattack duel"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_line_and_exit_code_2(capsys, arguments, expected):
    assert call(*arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("rlattack: ")
    assert expected in line


def test_duel_leaves_a_whole_run_folder_and_prints_tables(capsys, working_folder):
    assert call(*DUEL, "--players", "zero,random", "random", "--mask", "none", "runner:zero", "--run", "run") == 0
    printed = capsys.readouterr().out
    assert "blocker wins" in printed
    assert "random, masked (zero)" in printed
    assert "run/report.html" in printed
    run = working_folder / "run"
    cells = json.loads((run / "results.json").read_text())["cells"]
    assert [(*cell["players"], bool(cell["mask"])) for cell in cells] == [
        ("zero", "random", False), ("random", "random", False), ("zero", "random", True), ("random", "random", True),
    ]  # fmt: skip
    assert json.loads((run / "config.json").read_text())["command"].startswith(f"rlattack duel {GAME}")
    with (run / "episodes.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 8
    assert (run / "heatmap.png").read_bytes()[:4] == b"\x89PNG"
    assert "Who beats whom" in (run / "report.html").read_text()
    assert list(run.rglob("events.out.tfevents*"))


@pytest.fixture
def runner(working_folder):
    """A runner that was never trained, with memory and statistics."""
    torch.manual_seed(0)
    network = GaussianNetwork(GaussianSpec(observation=(380,), actions=17, hidden=(8,), memory=4))
    network.obs_std *= 0.5
    save_agent(
        working_folder / "me", AgentCard(game=GAME, role="victim", algorithm="ppo", network=network.spec), network
    )
    return str(working_folder / "me")


def test_what_a_seat_sees_is_attacked_beside_noise_and_shown_in_its_own_table(capsys, working_folder, runner):
    attack = ("--attack", "pgd:steps=2", "--eps", "0.05", "0.2", "--space", "sigma")
    assert call(*DUEL, "--players", "zero", runner, *attack, "--run", "run") == 0
    printed = " ".join(capsys.readouterr().out.split())  # the path of the agent breaks the line
    assert "what the runner sees is perturbed, linf in units of a standard deviation" in printed
    assert "pgd steps=2 0.2" in printed
    assert "Rows are victims" not in printed
    cells = json.loads((working_folder / "run" / "results.json").read_text())["cells"]
    assert [(cell["attack"], cell.get("eps")) for cell in cells] == [
        ("none", None), ("noise", 0.05), ("noise", 0.2), ("pgd", 0.05), ("pgd", 0.2),
    ]  # fmt: skip
    for cell in cells[1:]:
        assert cell["size"]["linf"] == pytest.approx(cell["eps"], rel=1e-4)
        assert (cell["status"], cell["attacked"], cell["action_change"]) == ("ok", 1.0, None)
    assert "Attacks on what a player sees" in (working_folder / "run" / "report.html").read_text()
    assert not (working_folder / "run" / "heatmap.png").exists()


def test_an_attack_that_left_its_budget_is_told_by_the_exit_code(capsys, runner, monkeypatch):
    monkeypatch.setattr("rlattack.evaluation.judge.TOLERANCE", -0.5)
    assert call(*DUEL, "--players", "zero", runner, "--eps", "0.2", "--run", "run") == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "In 1 cell the attack left its budget" in printed


def test_duel_prints_results_as_json_and_nothing_else(capsys, working_folder):
    assert call(*DUEL, "--players", "zero", "zero", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["cells"][0]["players"] == ["zero", "zero"]
    assert captured.err == ""
    assert len(list((working_folder / "runs").iterdir())) == 1


def test_video_is_a_file_a_cell_and_stands_on_the_page(working_folder):
    assert call(*DUEL, "--players", "zero", "zero", "--run", "run", "--video") == 0
    run = working_folder / "run"
    (cell,) = json.loads((run / "results.json").read_text())["cells"]
    film = find_film(run / "videos", cell["cell"])
    if film is None:
        pytest.skip("no GL library draws without a display here")
    assert film.stat().st_size > 1000
    assert "How they play" in (run / "report.html").read_text()


def test_without_a_gl_library_the_evaluation_goes_on_and_one_line_says_what_to_install(
    capsys, working_folder, monkeypatch
):
    def missing(*_):
        raise MissingExtra("pictures need OpenGL: `apt-get install libegl1`")

    monkeypatch.setattr("rlattack.evaluation.duels.film._camera", missing)
    assert call(*DUEL, "--players", "zero", "zero", "--run", "run", "--video", "--json") == 0
    captured = capsys.readouterr()
    assert captured.err.strip() == "rlattack: no video: pictures need OpenGL: `apt-get install libegl1`"
    assert json.loads(captured.out)["cells"]


def start(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "rlattack.cli.main", *arguments], cwd=folder, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ},
    )  # fmt: skip


LONG = (
    "duel",
    GAME,
    "--players",
    "zero,random",
    "random",
    "--mask",
    "none",
    "runner",
    "--episodes",
    "6",
    "--envs",
    "3",
)


def test_a_killed_run_goes_on_and_ends_with_the_same_numbers(working_folder):
    process = start(working_folder, *LONG, "--run", "run", "--workers", "1")
    end = time.monotonic() + 120
    while not list(working_folder.glob("run/cells/*.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = {path: path.stat().st_mtime_ns for path in working_folder.glob("run/cells/*.json")}
    assert call(*LONG, "--run", "run", "--workers", "1") == 0
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
    assert call(*LONG, "--run", "whole", "--workers", "1") == 0
    results = []
    for name in ("run", "whole"):
        cells = json.loads((working_folder / name / "results.json").read_text())["cells"]
        results.append([{key: value for key, value in cell.items() if key != "steps_per_second"} for cell in cells])
    assert results[0] == results[1]


def test_a_pair_that_was_not_played_is_a_dash_in_the_grid():
    assert duel_table._square(None) == "–"
