"""Run folders of both schemas: what they hold is the same kind of result."""

import json
from typing import Any

import pytest

from rlattack.errors import ContentError
from rlattack.report.first_schema import SCHEMA as FIRST
from rlattack.report.runs import read_config, read_run
from tests.kit.results import assault, heat, pong, three, write_folder

RATE = {"rate": 0.7, "ci": [0.5, 0.9]}
ATTACK: dict[str, Any] = {
    "cell": "f1", "status": "ok", "game": "atari/pong", "victim": "atari/pong/ppo", "defence": None,
    "attack": "pixel-de", "parameters": {"rounds": 3}, "model": "frame", "grid": True, "surrogate": None,
    "knowledge": "query", "norm": "l0", "eps": 2.0, "radius": 2.0, "space": "unit", "actions": "greedy",
    "sticky": 0.25, "seed": 0, "episodes": 20,
    "return": {"mean": -3.5, "ci": [-4.0, -3.0], "iqm": -3.6, "degenerate": False},
    "win": RATE | {"rule": "threshold", "threshold": 30.5}, "tie": RATE, "loss": RATE,
    "drop": {"return": 24.5, "return_ci": [24.0, 25.0], "return_degenerate": False, "win": 0.3, "win_ci": [0.1, 0.5]},
    "distinct": 19, "stalled": 1, "truncated": 2, "action_change": 0.5, "attacked": 1.0,
    "size": {"linf": 1.0, "l2": 1.2, "l1": 2.0, "l0": 2}, "queries": 400.0, "gradients": 0.0, "steps": 31260,
    "steps_per_second": 1400.0,
}  # fmt: skip
CLEAN: dict[str, Any] = ATTACK | {
    "cell": "c0", "attack": "none", "knowledge": "none", "norm": None, "eps": None, "radius": None, "space": None,
    "win": None, "tie": None, "loss": None,
}  # fmt: skip
EARNED = [{"mean": mean, "ci": [mean - 1, mean + 1], "degenerate": False} for mean in (10.0, -20.0)]
DUEL: dict[str, Any] = {
    "cell": "d0", "status": "ok", "game": "mujoco/you-shall-not-pass", "players": ["adversary", "runner"],
    "seats": ["blocker", "runner"], "victim_seat": "runner", "mask": {"seat": "runner", "mode": "initial"},
    "actions": "sampled", "seed": 0, "episodes": 100, "win": {"rate": 0.86, "ci": [0.8, 0.9]},
    "tie": {"rate": 0.0, "ci": [0.0, 0.1]}, "loss": {"rate": 0.14, "ci": [0.1, 0.2]}, "return": EARNED,
    "length": {"mean": 167.0, "ci": [160.0, 175.0], "degenerate": False}, "endings": {"fallen": 86, "goal": 14},
    "unstable": 1, "distinct": 100, "truncated": 3, "steps": 16700, "steps_per_second": None,
}  # fmt: skip
STRUCK: dict[str, Any] = DUEL | {
    "cell": "d1", "attack": "noise", "parameters": {}, "attacked_seat": "runner", "knowledge": "none", "norm": "linf",
    "eps": 0.2, "radius": 0.2, "space": "sigma", "mask": None, "drop": None, "attacked": 1.0, "action_change": None,
    "size": {"linf": 0.2}, "queries": 0.0, "gradients": 0.0,
}  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def load(*cells, schema=FIRST):
        (tmp_path / "results.json").write_text(json.dumps({"schema": schema, "cells": cells}))
        return read_run(tmp_path).results

    return load


def test_results_of_this_schema_come_back_as_they_were_written(tmp_path):
    cells = [*pong(), *heat(), *assault(), three()]
    assert list(read_run(write_folder(tmp_path, cells)).results) == cells


def test_an_attack_of_the_first_schema_is_a_result_of_one_seat(read):
    (cell,) = read(ATTACK)
    (seat,) = cell.seats
    assert (seat.name, seat.player, seat.role, seat.returns.iqm) == ("player", "atari/pong/ppo", "victim", -3.6)
    assert seat.win is not None
    assert seat.drop is not None
    assert seat.drop.win is not None
    assert (seat.win.ci, seat.drop.win.rate, seat.drop.returns.mean) == ((0.5, 0.9), 0.3, 24.5)
    assert (seat.attacked, seat.action_change, seat.sizes["l2"], seat.queries) == (1.0, 0.5, 1.2, 400.0)
    assert (cell.win_rule.rule, cell.win_rule.threshold, cell.sticky, cell.stalled) == ("threshold", 30.5, 0.25, 1)
    done = cell.attack
    assert (done.name, done.knowledge, done.reach, done.eps, done.control) == ("pixel-de", "scores", "l0", 2.0, False)
    assert (done.parameters, done.model, done.grid, done.seat) == ({"rounds": 3}, "frame", True, "player")
    assert (cell.length.mean, cell.length.ci) == (1563.0, (1563.0, 1563.0))


def test_a_clean_cell_of_the_first_schema_is_clean_and_may_have_no_win_rule(read):
    (cell,) = read(CLEAN)
    assert cell.clean
    assert cell.win_rule is None
    assert (cell.seats[0].win, cell.seats[0].drop, cell.seats[0].attacked) == (None, None, None)


def test_wins_of_the_second_seat_were_losses_in_the_first_schema(read):
    (cell,) = read(DUEL)
    blocker, runner = cell.seats
    assert (blocker.win.rate, blocker.loss.rate, runner.win.rate, runner.loss.rate) == (0.86, 0.14, 0.14, 0.86)
    assert (cell.victim, blocker.role, runner.role) == (1, "opponent", "victim")
    assert (cell.mask.seat, cell.mask.mode, cell.win_rule.rule) == ("runner", "initial", "game")
    assert (blocker.returns.mean, runner.returns.mean, cell.unstable) == (10.0, -20.0, 1)
    assert cell.clean


def test_an_attacked_seat_of_the_first_schema_is_measured(read):
    (cell,) = read(STRUCK)
    assert (cell.control, cell.attacked.name, cell.attacked.sizes) == (True, "runner", {"linf": 0.2})
    assert (cell.attacked.drop, cell.seats[0].attacked) == (None, None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "expected a run folder with results.json"),
        ("{", "cannot be read"),
        (
            '{"schema": "rlattack/results/3", "cells": []}',
            "expected schema 'rlattack/results/2' or 'rlattack/results/1', got 'rlattack/results/3'",
        ),
        ("[]", "expected schema"),
        ('{"schema": "rlattack/results/1", "cells": 3}', "expected a list of cells"),
        ('{"schema": "rlattack/results/2", "cells": [3]}', "expected a list of cells"),
        ('{"schema": "rlattack/results/1", "cells": [{"attack": "fgsm"}]}', "damaged: expected 'cell' in every cell"),
        ('{"schema": "rlattack/results/2", "cells": [{"cell": "a"}]}', "damaged: cell 0.game: Field required"),
    ],
)
def test_a_folder_that_is_no_run_is_refused_in_one_line(tmp_path, content, words):
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    with pytest.raises(ContentError, match=words) as caught:
        read_run(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("broken", ["NaN", "Infinity", "1e999", "null", '"much"'])
@pytest.mark.parametrize("schema", [1, 2])
def test_what_is_no_number_is_refused_and_never_shown(tmp_path, broken, schema):
    run = write_folder(tmp_path, pong())
    if schema == 1:
        (run / "results.json").write_text(json.dumps({"schema": FIRST, "cells": [ATTACK]}))
    text = (run / "results.json").read_text()
    (run / "results.json").write_text(text.replace("-18.2", broken).replace("-3.5", broken))
    with pytest.raises(ContentError, match=r"damaged|cannot be read") as caught:
        read_run(run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes", [{"return": 3}, {"win": 3}, {"episodes": 0}, {"size": "large"}, {"players": ["a"]}, {"seats": 3}]
)
def test_a_damaged_cell_of_the_first_schema_is_refused_in_one_line(read, changes):
    with pytest.raises(ContentError, match="damaged"):
        read((STRUCK if "seats" in changes else ATTACK) | changes)


def test_the_configuration_tells_command_versions_and_names_of_actions(tmp_path):
    run = read_run(write_folder(tmp_path, pong()))
    assert run.command is not None
    assert run.command.startswith("rlattack attack")
    assert (run.planned, run.versions["torch"], run.facts["seed"]) == (10, "2.13.0", 0)
    assert run.action_names("atari/pong")[0] == "NOOP"


@pytest.mark.parametrize("config", [[], {"versions": 3, "cells": "many", "command": 7, "action_names": "nonsense"}])
def test_a_configuration_of_another_shape_tells_nothing(tmp_path, config):
    run = read_run(write_folder(tmp_path, pong(), config=config))
    assert (run.planned, run.versions, run.command, run.action_names("atari/pong")) == (None, {}, None, None)


@pytest.mark.parametrize(("number", "reads"), [(1, True), (2, True), (99, False)])
def test_a_configuration_of_a_later_schema_is_refused(tmp_path, number, reads):
    (tmp_path / "config.json").write_text(json.dumps({"schema": f"rlattack/config/{number}", "command": "x"}))
    if reads:
        assert read_config(tmp_path)["command"] == "x"
    else:
        with pytest.raises(ContentError, match="expected schema 'rlattack/config/2' or 'rlattack/config/1', got"):
            read_config(tmp_path)
