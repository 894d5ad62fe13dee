"""`rlattack report` as a user meets it."""

import json

import pytest
from command_line import call, refused

from tests.kit.results import heat, pong, write_folder


def test_one_page_from_one_run(capsys, working_folder):
    write_folder(working_folder / "run", pong())
    assert call("report", "run") == 0
    assert capsys.readouterr().out == "run/report.html\n"
    assert "atari/pong: atari/pong/ppo under attack" in (working_folder / "run" / "report.html").read_text()


def test_one_page_from_several_runs_stands_beside_them_or_where_it_is_told_to(capsys, working_folder):
    for name, cells in (("one", pong()), ("two", heat())):
        write_folder(working_folder / "runs" / name, cells)
    assert call("report", "runs/one", "runs/two/results.json") == 0
    assert capsys.readouterr().out == "runs/report.html\n"
    assert call("report", "runs/one", "--out", "page.html") == 0
    assert (working_folder / "page.html").is_file()


def test_what_is_no_run_is_left_out_and_said_but_not_what_is_not_there(capsys, working_folder):
    write_folder(working_folder / "runs" / "one", pong())
    (working_folder / "runs" / "README.md").touch()
    assert call("report", "runs/README.md", "runs/one") == 0
    captured = capsys.readouterr()
    assert "left out, no run of `attack` or `duel`: runs/README.md" in captured.err
    assert captured.out.splitlines()[-1] == "runs/one/report.html"
    assert call("report", "runs/README.md", "runs/one", "runs/two") == 2
    assert "runs/two" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "expected"), [((), "expected at least one run folder"), (("no",), "no: expected")]
)
def test_wrong_input_is_one_line_and_exit_code_2(capsys, arguments, expected):
    assert expected in refused(capsys, "report", *arguments)


def test_results_of_another_schema_are_refused(capsys, working_folder):
    (working_folder / "run").mkdir()
    (working_folder / "run" / "results.json").write_text(json.dumps({"schema": "rlattack/results/3", "cells": []}))
    assert "expected schema 'rlattack/results/2' or 'rlattack/results/1'" in refused(capsys, "report", "run")


def test_results_that_are_none_are_refused(capsys, working_folder):
    (working_folder / "empty").mkdir()
    (working_folder / "empty" / "results.json").write_text(json.dumps({"schema": "rlattack/results/2", "cells": []}))
    assert "empty: holds no results and no plan of any" in refused(capsys, "report", "empty")
    (working_folder / "notes.txt").touch()
    assert "notes.txt: expected a run folder" in refused(capsys, "report", "notes.txt")
