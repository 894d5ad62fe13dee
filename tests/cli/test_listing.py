"""`rlattack list`: every name that another command takes, for people and for programs."""

import json
import re

import pytest
from command_line import PASS, call, refused, save_untrained

from rlattack.attacks import ATTACKS, SCHEDULES
from rlattack.defences import FRONTS
from rlattack.defences.detectors import DETECTORS
from rlattack.evaluation.observers import OBSERVERS
from rlattack.training.hardening import REGIMES

KINDS = ("games", "agents", "attacks", "schedules", "defences", "poisons", "detectors", "observers", "grids")
NAMES = {
    "attacks": [ATTACKS], "schedules": [SCHEDULES], "defences": [FRONTS, REGIMES], "detectors": [DETECTORS],
    "observers": [OBSERVERS],
}  # fmt: skip


def listed(capsys, kind):
    """The objects that the command prints, by their ids."""
    assert call("list", kind, "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    added = [name for registry in NAMES.get(kind, ()) for name in registry.added]  # by other tests of this process
    return {row["id"]: row for row in json.loads(captured.out) if row["id"] not in added}


def printed(capsys, kind):
    assert call("list", kind) == 0
    return capsys.readouterr().out


def test_agents_are_objects_that_say_what_they_play_and_how_they_came_to_be(capsys):
    agents = listed(capsys, "agents")
    assert len(agents) >= 5
    for agent in agents.values():
        assert {"id", "game", "role", "algorithm", "defence"} <= agent.keys()
    pong = agents["atari/pong/ppo"]
    assert [pong[name] for name in ("game", "role", "algorithm", "defence")] == ["atari/pong", "victim", "ppo", None]


def test_how_well_each_agent_plays_is_shown_on_lines_of_80_columns(capsys):
    lines = printed(capsys, "agents").splitlines()
    assert max(map(len, lines)) <= 80
    scores = {line.split()[1]: line.split("│")[-2].strip() for line in lines if line.startswith("│")}
    assert scores["gymnasium/CartPole-v1/dqn"] == "500"
    assert scores["mujoco/sumo-humans/self-play"] == "93.7 %"


def test_games_are_listed_with_what_a_return_is_read_against(capsys):
    rows = listed(capsys, "games")
    told = {name: [rows[name][key] for key in ("random", "human", "agent", "eps")] for name in rows}
    assert told["mujoco/hopper"] == [17.7, None, 3754, 0.075]
    assert told["atari/pong"] == [-20.7, 9.3, None, None]
    assert told["mujoco/sumo-ants"] == [None] * 4
    shown = printed(capsys, "games")
    assert max(map(len, shown.splitlines())) <= 80
    cells = [line.split("│")[-2].strip() for line in shown.splitlines() if line.startswith("│")]
    assert "random 17.7, agent 3754, eps 0.075" in " ".join(cells)
    assert "random -20.7, human 9.3" in " ".join(cells)


@pytest.mark.parametrize("kind", NAMES)
def test_every_registered_name_is_listed_with_what_it_is(capsys, kind):
    rows, shown = listed(capsys, kind), printed(capsys, kind)
    assert list(rows) == [name for registry in NAMES[kind] for name in registry if name not in registry.added]
    for name, row in rows.items():
        assert f"{name}: {row['about']}" in shown
        assert row["about"].endswith(".")


def test_an_attack_says_what_it_changes_asks_and_learns_and_what_runs_beside_it(capsys):
    attacks = listed(capsys, "attacks")
    assert {**attacks["pgd"], "about": ""} == {
        "id": "pgd", "access": "observation", "knowledge": "white", "reaches": ["linf", "l2", "l1"], "sized": True,
        "fitted": False, "control": "noise", "about": "", "parameters": {
            "target": None, "loss": None, "eot": None, "evade": None, "caution": 1.0, "steps": 10, "random_start": True,
            "restarts": 1, "step": None,
        },
        "ranges": {
            "eot": "at least 1", "caution": "above 0", "steps": "at least 1", "restarts": "at least 1",
            "step": "above 0",
        },
    }  # fmt: skip
    assert [name for name, row in attacks.items() if row["access"] == "action"] == [
        "action-noise", "action-slip", "action-delay", "gwc", "gwc-noise", "awc", "nr-mdp", "pr-mdp", "las", "mas",
    ]  # fmt: skip
    assert [name for name, row in attacks.items() if row["access"] == "dynamics"] == [
        "world", "worst-world", "random-world",
    ]  # fmt: skip
    assert [name for name, row in attacks.items() if row["reaches"] == ["rotation"]] == ["rotate"]
    assert [name for name, row in attacks.items() if not row["sized"]] == [
        "deepfool", "fab", "cw", "ead", "lbfgs", "jsma", "direction", "boundary", "hop-skip-jump",
    ]  # fmt: skip
    assert [name for name, row in attacks.items() if row["fitted"]] == [
        "worst-world", "random-world", "universal", "patch", "sticker", "random-patch", "autoattack", "search", "sarsa",
    ]  # fmt: skip
    assert [name for name, row in attacks.items() if row["control"] is None] == [
        "noise", "action-noise", "random-world", "gwc-noise", "direction", "redraws", "random-patch",
    ]  # fmt: skip


def test_the_table_of_attacks_fits_80_columns_and_the_rest_stands_below(capsys):
    shown = printed(capsys, "attacks")
    lines = [line for line in shown.splitlines() if line.startswith("│")]
    assert max(map(len, lines)) <= 80
    assert not re.search(r"(│ {20,}│ .*\n){3}", shown)  # no attack takes half a screen
    assert re.search(r"│ mas +│ action +│ white +│", shown)
    assert "Read beside action-noise. Takes steps=10 (at least 1)." in shown


def test_parameters_are_listed_and_those_without_a_default_are_required(capsys):
    assert listed(capsys, "schedules")["random"]["parameters"] == {"share": "required"}
    defences = listed(capsys, "defences")
    assert defences["jpeg"]["parameters"] == {"quality": 75}
    assert [defences[name]["kind"] for name in ("jpeg", "sa")] == ["front", "trained"]
    assert defences["sa"]["algorithms"] == ["ppo", "dqn"]
    assert "Takes share=required (above 0 and at most 1)." in printed(capsys, "schedules")


def test_everything_is_listed_at_once(capsys):
    assert call("list", "--json") == 0
    everything = json.loads(capsys.readouterr().out)
    assert tuple(everything) == KINDS
    assert {row["id"] for row in everything["attacks"]} == set(ATTACKS)
    shown = printed(capsys, "all")
    assert all(f"{kind}" in shown for kind in KINDS)


def test_what_cannot_be_listed_is_refused(capsys):
    assert "'games'" in refused(capsys, "list", "gmaes")


def test_what_json_has_no_number_for_is_null(capsys, working_folder):
    folder = working_folder / "agents" / "mine"
    save_untrained(folder, PASS, seat="runner")
    card = (folder / "agent.toml").read_text()
    (folder / "agent.toml").write_text(card + "\n[score]\nmean = inf\n")
    assert call("list", "agents", "--json") == 0
    rows = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert next(row for row in rows if row["id"] == "mine")["score"] is None
