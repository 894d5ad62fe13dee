"""The command line as a user meets it: exit codes, one line for what is wrong, files for what is right."""

import json
import signal
from pathlib import Path

import pytest
from command_line import call, numbers, refused

PLAYERS = str(Path(__file__).parents[1] / "evaluation")
CARTPOLE = (
    "attack",
    "gymnasium/CartPole-v1",
    "--victim",
    "players:balance",
    "--space",
    "raw",
    "--episodes",
    "3",
    "--envs",
    "2",
)


@pytest.fixture(autouse=True)
def _players(monkeypatch):
    monkeypatch.syspath_prepend(PLAYERS)
    monkeypatch.setenv("PYTHONPATH", PLAYERS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "{list, attack, duel, train, report, import, perf}"),
        (("atack",), "atack"),
        (("attack",), "GAME"),
        (("attack", "atari/pong"), "--victim"),
        (("attack", "gymnasium/CartPole-v1", "--victim", "players:balance", "--eps", "much"), "much"),
        (
            ("attack", "gymnasium/CartPole-v1", "--victim", "players:balance", "--norm", "l3"),
            "'linf', 'l2', 'l1', 'l0'",
        ),
        (("train", "adversary", "g", "--victim", "x", "--learning_rate=fast", "--trust"), "expected FLOAT, got fast;"),
        (("train", "adversary", "g", "--victim", "x", "--wrkers", "2"), "--wrkers 2; see rlattack train adversary --h"),
        (("train", "advers"), "unknown: advers, expected one of victim, adversary, defended; see rlattack train --"),
        (("duel", "g", "h,i", "--players", "a", "b"), "unknown: h,i; see rlattack duel --help"),
        (("duel", "g", "--players", "a", "b", "--maks", "1", "--epsiodes", "3"), "did you mean --episodes and --mask?"),
        (("attack", "--episodes", "ten", "g", "--victim", "x"), "--episodes: expected INT, got ten; see rlattack at"),
        (("attack", "gymnasium/CartPole-v1", "--victim", "players:balance", "--epz", "1"), "did you mean --eps?"),
        (("attack", "gymnasium/CartPole-v1", "--victim", "players:balance", "--attack", "fgsm"), "at least one size"),
        (("attack", "gymnasium/CartPole-v1", "--victim", "players:balance", "--workers", "0"), "--workers"),
        (("attack", "gymnasium/CartPole-v1", "--victim", "nobody"), "no agent and no file 'nobody'"),
        (("attack", "gymnasium/CartPol-v1", "--victim", "players:balance"), "did you mean 'gymnasium/CartPole-v1'"),
        ((*CARTPOLE, "--attack", "fgms", "--eps", "1"), "did you mean 'fgsm'"),
        ((*CARTPOLE, "--attack", "pgd:stpes=3", "--eps", "1"), "did you mean 'steps'"),
        ((*CARTPOLE, "--attack", "pgd:steps=x", "--eps", "1"), "expected a whole number, got 'x'"),
        ((*CARTPOLE, "--attack", "fgsm", "--eps", "-1"), "above 0"),
        ((*CARTPOLE, "--attack", "pixel", "--eps", "1"), "has the norms l0"),
        (("list", "gmaes"), "'games'"),
        (
            ("train", "adversary", "g", "--victim", "x", "--cut", "10"),
            "--cut: expected STEPS RATE, got 10",
        ),
        (("report",), "runs"),
        (("report", "nowhere"), "nowhere"),
        (("import", "sb3", "nothing.zip", "--agent", "my/agent"), "nothing.zip"),
        (("perf", "gymnasium/CartPole-v1", "--victim", "players:balance", "--seconds", "0"), "more than 0"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(capsys, arguments, expected):
    assert expected in refused(capsys, *arguments)


def test_attack_leaves_a_whole_run_folder_and_prints_a_table(capsys, working_folder):
    assert call(*CARTPOLE, "--attack", "fgsm", "--eps", "0.2", "--run", "run", "--workers", "1") == 0
    printed = capsys.readouterr().out
    assert "noise (control)" in printed
    assert "run/report.html" in printed
    run = working_folder / "run"
    cells = json.loads((run / "results.json").read_text())["cells"]
    assert [cell["attack"] for cell in cells] == ["none", "noise", "fgsm"]
    config = json.loads((run / "config.json").read_text())
    assert config["command"].startswith("rlattack attack gymnasium/CartPole-v1")
    assert config["versions"]["torch"]
    assert len((run / "episodes.csv").read_text().splitlines()) == 1 + 9
    assert "<html" in (run / "report.html").read_text()
    assert list(run.rglob("events.out.tfevents*"))


def test_attack_names_the_run_by_its_configuration(capsys, working_folder):
    assert call(*CARTPOLE, "--workers", "1") == 0
    assert call(*CARTPOLE, "--workers", "1", "--seed", "1") == 0
    assert len(list((working_folder / "runs").iterdir())) == 2
    assert call(*CARTPOLE, "--workers", "1") == 0
    assert len(list((working_folder / "runs").iterdir())) == 2


def test_report_leaves_out_what_is_no_run_and_says_so_but_not_what_is_not_there(capsys, working_folder):
    assert call(*CARTPOLE, "--workers", "1", "--run", "runs/one") == 0
    (working_folder / "runs" / "README.md").touch()
    assert call("report", "runs/README.md", "runs/one") == 0
    captured = capsys.readouterr()
    assert "left out, no run of `attack` or `duel`: runs/README.md" in captured.err
    assert captured.out.splitlines()[-1] == "runs/one/report.html"
    assert call("report", "runs/README.md", "runs/one", "runs/two") == 2
    assert "runs/two" in capsys.readouterr().err.splitlines()[-1]


def test_attack_prints_results_as_json_and_nothing_else(capsys, working_folder):
    assert call(*CARTPOLE, "--workers", "1", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["schema"] == "rlattack/results/1"
    assert captured.err == ""


def test_list_agents_prints_objects_with_id_game_and_role(capsys):
    assert call("list", "agents", "--json") == 0
    for agent in json.loads(capsys.readouterr().out):
        assert {"id", "game", "role"} <= agent.keys()


def test_list_agents_shows_how_well_each_plays_on_lines_of_80_columns(capsys):
    assert call("list", "agents") == 0
    lines = capsys.readouterr().out.splitlines()
    scores = {line.split()[1]: line.split("│")[-2].strip() for line in lines if line.startswith("│")}
    assert scores["gymnasium/CartPole-v1/dqn"] == "500"
    assert scores["mujoco/sumo-humans/self-play"] == "93.7 %"


def test_list_attacks_shows_every_attack_with_its_parameters(capsys):
    assert call("list", "attacks") == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("noise", "fgsm", "pgd", "pixel", "pixel-de", "restarts=1"))


def test_help_is_exit_code_0(capsys):
    assert call("attack", "--help") in (0, None)
    assert "--surrogate" in capsys.readouterr().out


LONG = (*CARTPOLE[:-4], "--attack", "pgd:steps=4", "--eps", "0.05", "0.06", "0.07", "--episodes", "6", "--run", "run")


def test_an_interrupt_is_exit_code_130_and_keeps_finished_cells(begin, working_folder):
    process = begin(*LONG, "--workers", "2", until=(working_folder / "run" / "results.json").exists)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert list((working_folder / "run" / "cells").glob("*.json"))


def test_a_killed_run_goes_on_and_ends_with_the_same_numbers(begin, working_folder):
    process = begin(*LONG, "--workers", "1", until=lambda: len(list(working_folder.glob("run/cells/*.json"))) >= 2)
    process.kill()
    process.communicate()
    kept = {path: path.stat().st_mtime_ns for path in working_folder.glob("run/cells/*.json")}
    for arguments in ((*LONG, "--workers", "2"), (*LONG[:-1], "whole", "--workers", "1")):
        process = begin(*arguments)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
    assert numbers(working_folder / "run") == numbers(working_folder / "whole")
