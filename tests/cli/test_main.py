"""The command line as a user meets it: exit codes, one line for what is wrong, files for what is right."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import call, refused

from rlattack import Study, evaluate
from rlattack.evaluation.results import from_json
from rlattack.evaluation.store import STORE_SCHEMA
from tests.kit.environments import PACKAGE
from tests.kit.runs import numbers, rows

ON = ("gymnasium/CartPole-v1", "--victim", "tests.kit.players:balance")
CARTPOLE = ("attack", *ON, "--space", "raw", "--episodes", "3", "--envs", "2")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "{list, attack, duel, certify, train, "),
        (("atack",), "atack"),
        (("attack",), "GAME"),
        (("attack", "atari/pong"), "--victim"),
        (("attack", *ON, "--eps", "much"), "much"),
        (("attack", *ON, "--norm", "l3"), "'linf', 'l2', 'l1', 'l0'"),
        (("duel", "g", "h,i", "--players", "a", "b"), "unknown: h,i; see rlattack duel --help"),
        (("duel", "g", "--players", "a", "b", "--maks", "1", "--epsiodes", "3"), "did you mean --episodes and --mask?"),
        (("attack", "--episodes", "ten", "g", "--victim", "x"), "--episodes: expected INT, got ten; see rlattack at"),
        (("attack", *ON, "--epz", "1"), "did you mean --eps?"),
        (("attack", *ON, "--attack", "fgsm"), "at least one size"),
        (("attack", *ON, "--workers", "0"), "--workers: expected at least 1, got 0"),
        (("attack", *ON, "--episodes", "0"), "--episodes: expected at least 1, got 0"),
        (("attack", "gymnasium/CartPole-v1", "--victim", "nobody"), "no agent and no file 'nobody'"),
        (("attack", "gymnasium/CartPol-v1", *ON[1:]), "did you mean 'gymnasium/CartPole-v1'"),
        ((*CARTPOLE, "--attack", "fgms", "--eps", "1"), "did you mean 'fgsm'"),
        ((*CARTPOLE, "--attack", "pgd:stpes=3", "--eps", "1"), "did you mean 'steps'"),
        ((*CARTPOLE, "--attack", "pgd:steps=x", "--eps", "1"), "expected a whole number, got 'x'"),
        ((*CARTPOLE, "--attack", "fgsm", "--eps", "-1"), "above 0"),
        ((*CARTPOLE, "--attack", "pixel", "--eps", "1"), "has the norms l0"),
        ((*CARTPOLE, "--mask", "player"), "only MuJoCo games can hide the other player"),
        ((*CARTPOLE, "--activations", "1"), "expected player (0), got '1'"),
        (("attack", "mujoco/you-shall-not-pass", "--victim", "zero"), "has two seats: `rlattack duel"),
        (("duel", "gymnasium/CartPole-v1", "--players", "zero", "zero"), "has one seat: `rlattack attack"),
        (("list", "gmaes"), "'games'"),
        (("report",), "runs"),
        (("report", "nowhere"), "nowhere"),
        (("import", "sb3", "nothing.zip", "--agent", "my/agent"), "nothing.zip"),
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
    found = from_json(json.loads((run / "results.json").read_text())["cells"])
    assert [cell.attack and cell.attack.name for cell in found] == [None, "noise", "fgsm"]
    config = json.loads((run / "config.json").read_text())
    assert config["command"].startswith("rlattack attack gymnasium/CartPole-v1")
    assert config["versions"]["torch"]
    assert len(rows(run)) == 9
    assert "<html" in (run / "report.html").read_text()
    assert list(run.rglob("events.out.tfevents*"))


def test_a_study_in_python_is_the_command_line(capsys, tmp_path):
    asked = ("--attack", "pgd:steps=2", "fgsm", "--eps", "0.1", "0.2", "--norm", "l2", "--actions", "greedy")
    assert call(*CARTPOLE, *asked, "--seed", "3", "--run", "typed", "--json") == 0
    study = Study(
        game=ON[0], players=(ON[2],), space="raw", episodes=3, envs=2, attack=("pgd:steps=2", "fgsm"), eps=(0.1, 0.2),
        norm="l2", actions="greedy", seed=3,
    )  # fmt: skip
    results = evaluate(study, run=tmp_path / "called", workers=1)
    assert numbers(Path("typed")) == numbers(tmp_path / "called")
    assert rows(Path("typed")) == rows(tmp_path / "called")
    printed = from_json(json.loads(capsys.readouterr().out)["cells"])
    assert without_speed(printed) == without_speed(results.cells)


def without_speed(cells):
    return [dataclasses.replace(cell, steps_per_second=None) for cell in cells]


def test_attack_names_the_run_by_what_was_asked_for_and_keeps_cells_in_one_store(working_folder):
    assert call(*CARTPOLE, "--workers", "1") == 0
    assert call(*CARTPOLE, "--workers", "1", "--seed", "1") == 0
    assert call(*CARTPOLE, "--workers", "1") == 0
    store, *folders = sorted((working_folder / "runs").iterdir(), key=lambda folder: folder.name != "store")
    assert store.name == "store"
    assert len(folders) == len(list((store / "cells").iterdir())) == 2


def test_attack_prints_results_as_json_and_its_progress_elsewhere(capsys):
    assert call(*CARTPOLE, "--workers", "1", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["schema"] == "rlattack/results/2"
    assert "clean done, 3 episodes, 1 of 1 cells" in captured.err


def test_an_attack_that_left_its_budget_is_told_by_the_exit_code(capsys):
    from tests.evaluation import sly  # noqa: F401  # registers an attack that does

    assert call(*CARTPOLE, "--attack", "sly-leaky", "--eps", "0.2", "--run", "run", "--workers", "1") == 1
    assert "sly-leaky linf 0.2: failed: the attack left its budget in" in capsys.readouterr().out


def test_a_store_of_another_version_is_one_line_and_exit_code_2(capsys, working_folder):
    assert call(*CARTPOLE, "--workers", "1", "--run", "run") == 0
    store = working_folder / "run" / "store" / "store.json"
    store.write_text(store.read_text().replace(STORE_SCHEMA, "rlattack/store/7"))
    said = refused(capsys, *CARTPOLE, "--workers", "1", "--run", "run")
    assert f"expected schema '{STORE_SCHEMA}', got 'rlattack/store/7'; remove the folder, or choose a --run" in said


def test_a_run_of_another_seed_or_schema_is_one_line_and_exit_code_2(capsys, working_folder):
    assert call(*CARTPOLE, "--workers", "1", "--run", "run") == 0
    said = refused(capsys, *CARTPOLE, "--workers", "1", "--run", "run", "--seed", "1")
    assert "--run run holds another configuration: study.seed is 0 there, 1 now; choose another --run" in said
    path = working_folder / "run" / "config.json"
    path.write_text(path.read_text().replace("rlattack/config/2", "rlattack/config/1"))
    assert "a run of another version of rlattack" in refused(capsys, *CARTPOLE, "--workers", "1", "--run", "run")


@pytest.mark.parametrize("verb", ["attack", "duel"])
def test_help_shows_the_options_that_both_commands_share(capsys, verb):
    assert call(verb, "--help") in (0, None)
    printed = capsys.readouterr().out
    shared = (
        "attack eps norm space model grid surrogate mask actions sticky episodes seed envs trust workers run video "
        "activations json"
    )  # fmt: skip
    assert set(shared.split()) <= {word.removeprefix("--") for word in re.findall(r"--\w+", printed)}


LONG = (*CARTPOLE[:-4], "--attack", "pgd:steps=4", "--eps", "0.05", "0.06", "0.07", "--episodes", "6", "--run", "run")


def cells_of(folder: Path) -> list[Path]:
    return list(folder.glob("store/cells/[!.]*.json"))


def test_an_interrupt_is_exit_code_130_and_keeps_finished_cells(begin, working_folder):
    # with a second cell kept the first is in the results: they are built after a cell is kept
    process = begin(*LONG, "--workers", "2", until=lambda: len(cells_of(working_folder / "run")) > 1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; finished cells are kept" in said
    assert "Traceback" not in said
    published = {cell["cell"] for cell in numbers(working_folder / "run")}
    assert published <= {path.stem for path in cells_of(working_folder / "run")}
    assert published


def test_a_killed_run_goes_on_and_ends_with_the_same_numbers(begin, working_folder):
    """Another command waits for the folder meanwhile, and takes over."""
    first = begin(*LONG, "--workers", "1", until=lambda: len(cells_of(working_folder / "run")) >= 2)
    second = begin(*LONG, "--workers", "1")
    first.kill()
    first.communicate()
    kept = {path: path.stat().st_mtime_ns for path in cells_of(working_folder / "run")}
    _, said = second.communicate(timeout=120)
    assert second.returncode == 0, said
    assert call(*LONG[:-1], "whole", "--workers", "1") == 0
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
    assert numbers(working_folder / "run") == numbers(working_folder / "whole")
    assert rows(working_folder / "run") == rows(working_folder / "whole")


def test_two_commands_at_once_on_one_run_folder_lose_and_double_nothing(capsys, begin, working_folder):
    first = begin(*LONG, "--workers", "1", until=lambda: cells_of(working_folder / "run"))
    assert call(*LONG, "--workers", "1") == 0
    assert "kept from before" in capsys.readouterr().err
    assert first.wait(timeout=60) == 0
    assert call(*LONG[:-1], "whole", "--workers", "1") == 0
    assert numbers(working_folder / "run") == numbers(working_folder / "whole")
    assert rows(working_folder / "run") == rows(working_folder / "whole")


def test_two_commands_at_once_print_their_own_results_and_the_page_is_of_the_last(capsys, begin, working_folder):
    asked = (*CARTPOLE, "--eps", "0.2", "--run", "run", "--workers", "1", "--json", "--attack")
    first = begin(*asked, "fgsm", until=lambda: cells_of(working_folder / "run"))
    assert call(*asked, "pgd:steps=2") == 0
    printed, said = first.communicate(timeout=60)
    assert first.returncode == 0, said
    for text, name in ((printed, "fgsm"), (capsys.readouterr().out, "pgd")):
        assert [cell.attack.name for cell in from_json(json.loads(text)["cells"]) if cell.attacks] == ["noise", name]
    page = (working_folder / "run" / "report.html").read_text()
    assert "pgd" in page
    assert ">fgsm" not in page


def test_workers_end_with_a_parent_that_was_killed(begin, working_folder):
    process = begin(*LONG, "--workers", "2", until=lambda: cells_of(working_folder / "run"))
    group = process.pid  # `begin` gives each a session of its own
    process.kill()
    process.wait()
    deadline = time.monotonic() + 60
    while _lives(group):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


ZERO = ("attack", "gymnasium/CartPole-v1", "--victim", "zero")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("attack", "gymnasium/CartPole-v1", "--victim", ""), "--victim: expected an agent, got an empty name"),
        (("attack", "gymnasium/CartPole-v1", "--victim"), "--victim: expected an agent, got an empty name"),
        ((*ZERO, "--eps", "0.1,0.2"), "with spaces between them, got"),
        ((*ZERO, "--envs", "1000000000"), "--envs: expected at most 10,000, got 1,000,000,000"),
        ((*ZERO, "--episodes", "9" * 20), "expected at most 1,000,000, got"),
        ((*ZERO, "--max-steps", "0"), "--max-steps: expected 1 to"),
        ((*ZERO, "--env-args", "fast"), "expected KEY=VALUE, each key"),
        (("attack", "gymnasium/Nope", "--victim", "zero"), "no Gymnasium environment 'Nope' is registered"),
        (("perf", "nope"), "no game 'nope'"),
        (("import", "sb3", ".", "--agent", "x/y"), ".: expected a file, this is a folder"),
    ],
)  # fmt: skip
def test_what_is_mistyped_is_told_with_what_is_expected(capsys, arguments, said):
    assert said in refused(capsys, *arguments)


def test_more_copies_than_the_machine_holds_are_refused(capsys, monkeypatch):
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 2**18, "SC_PAGE_SIZE": 2**12}.__getitem__)  # 1 GiB
    line = refused(capsys, "attack", "gymnasium/CartPole-v1", "--victim", "zero", "--envs", "2000")
    assert "--envs: 2,000 copies need at least 2 GiB, this machine has 1 GiB; expected at most 1,0" in line


def test_arguments_of_an_environment_are_read_as_json_or_else_as_text():
    study = Study(game="x", players=("zero",), env_args=("a=true", "b=-5.5", "c=8x8", 'd={"e": [1]}', "f=x=y"))
    assert study.options == {"args": {"a": True, "b": -5.5, "c": "8x8", "d": {"e": [1]}, "f": "x=y"}}


def test_the_package_is_a_command_whose_log_has_no_escape_codes(working_folder):
    done = subprocess.run(
        [sys.executable, "-m", "rlattack", "attack", f"{PACKAGE}Endless-v0", "--victim", "random", "--max-steps",
         "5", "--episodes", "2", "--env-args", "length=3", "--workers", "1"],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 episodes were cut by --max-steps" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
