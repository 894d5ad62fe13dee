"""The same command again, or one that asks for more: what is there is kept, and nothing else is believed."""

import json
from pathlib import Path

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from torch import nn

from rlattack.errors import RunConflict, Unwritable
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.plan import plan
from rlattack.games import Seat
from rlattack.games.find import FAMILIES
from rlattack.games.game import PLAYER
from rlattack.policies import ModulePolicy
from tests.kit.cells import Film
from tests.kit.games import made
from tests.kit.runs import COINS, ROPE, cells_of, evaluated, numbers, played_of, rows

BOTH = pytest.mark.parametrize("asked", [COINS, ROPE], ids=["one seat", "two seats"])


@BOTH
def test_more_episodes_go_on_with_those_that_are_there(tmp_path, asked):
    few, _ = evaluated(tmp_path / "run", **asked | {"episodes": 3})
    many, told = evaluated(tmp_path / "run", **asked | {"episodes": 11})
    assert sorted(played_of(told)) == sorted(list(range(3, 11)) * 3)
    assert sorted(episode.episode for episode, kept in told if kept) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [cell.cell for cell in few.cells] == [cell.cell for cell in many.cells]
    evaluated(tmp_path / "whole", **asked | {"episodes": 11})
    assert numbers(tmp_path / "run") == numbers(tmp_path / "whole")
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")


def test_fewer_episodes_are_the_first_of_those_that_are_there(tmp_path):
    evaluated(tmp_path / "run", **COINS)
    few, told = evaluated(tmp_path / "run", **COINS | {"episodes": 2})
    assert (played_of(told), {cell.episodes for cell in few.cells}) == ([], {2})
    evaluated(tmp_path / "few", **COINS | {"episodes": 2})
    assert rows(tmp_path / "run") == rows(tmp_path / "few")
    assert len(evaluated(tmp_path / "run", **COINS)[1]) == 18


@pytest.mark.parametrize(
    ("more", "new"),
    [
        ({"eps": (0.3, 0.6)}, [("noise", 0.6), ("pgd", 0.6)]),
        ({"attack": ("pgd:steps=2", "pgd:steps=3")}, [("pgd", 0.3)]),
        ({"players": (("random", "zero"), "tests.kit.players:puller")}, [(None, None), ("noise", 0.3), ("pgd", 0.3)]),
        ({"mask": ("none", "right")}, [(None, None), ("noise", 0.3), ("pgd", 0.3)]),
    ],
)
def test_a_run_goes_on_with_one_more_size_attack_opponent_or_mask(tmp_path, more, new):
    first, _ = evaluated(tmp_path / "run", **ROPE)
    before = cells_of(tmp_path / "run")
    second, told = evaluated(tmp_path / "run", **ROPE | more)
    there = {cell.cell for cell in first.cells}
    assert there <= {cell.cell for cell in second.cells}
    added = [cell for cell in second.cells if cell.cell not in there]
    assert [(cell.attack and cell.attack.name, cell.attack and cell.attack.eps) for cell in added] == new
    assert len(played_of(told)) == 6 * len(new)
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"seed": 1}, "study.seed is 0 there, 1 now"),
        ({"envs": 3}, "study.envs is 4 there, 3 now"),
        ({"actions": "greedy"}, 'study.actions is "card" there, "greedy" now'),
        ({"victim": "left", "attacked": "right"}, 'study.victim is "right" there, "left" now'),
        ({"players": ("random", "random"), "attack": (), "eps": ()}, "victims is ["),
        ({"game": "pull/other"}, 'game.id is "pull/any" there, "pull/other" now'),
    ],
)
def test_a_run_of_another_configuration_is_refused_by_its_first_difference(tmp_path, change, difference):
    evaluated(tmp_path / "run", **ROPE)
    with pytest.raises(RunConflict) as caught:
        evaluated(tmp_path / "run", **ROPE | change)
    assert f"holds another configuration: {difference}" in str(caught.value)
    assert "choose another --run" in str(caught.value)


def test_a_run_folder_of_the_first_schema_is_refused_in_one_line(tmp_path):
    (tmp_path / "cells").mkdir()
    old = {"schema": "rlattack/config/1", "configuration": {"evaluation": {"seed": 0}}, "cells": []}
    (tmp_path / "config.json").write_text(json.dumps(old))
    with pytest.raises(
        RunConflict, match=r"a run of another version of rlattack; `rlattack report` shows it"
    ) as caught:
        evaluated(tmp_path, **COINS)
    assert len(str(caught.value).splitlines()) == 1


class Killed(Exception):
    """In place of a signal, where one process is enough."""


@BOTH
def test_a_broken_off_evaluation_goes_on_and_ends_with_the_same_numbers(tmp_path, asked):
    evaluated(tmp_path / "whole", **asked)
    seen = []

    def kill(episode, kept):
        seen.append(episode)
        if len(seen) == 14:
            raise Killed

    planned = plan(Study(**asked))
    with pytest.raises(Killed):
        evaluate(planned, run=tmp_path / "broken", workers=1, watch=kill)
    before = cells_of(tmp_path / "broken")
    assert len(before) == 2
    assert len(json.loads((tmp_path / "broken" / "results.json").read_text())["cells"]) == 2
    evaluate(planned, run=tmp_path / "broken", workers=1)
    assert numbers(tmp_path / "broken") == numbers(tmp_path / "whole")
    assert rows(tmp_path / "broken") == rows(tmp_path / "whole")
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())


def test_a_finished_evaluation_makes_no_game_but_the_one_that_is_looked_at(tmp_path):
    first, _ = evaluated(tmp_path / "run", **COINS)
    made.clear()
    again, told = evaluated(tmp_path / "run", **COINS)
    assert {game.slots for game in made} == {1}
    assert (again.cells, played_of(told)) == (first.cells, [])


def test_a_damaged_cell_is_played_again(tmp_path):
    first, _ = evaluated(tmp_path / "run", **COINS)
    path, said = tmp_path / "run" / "store" / "cells" / f"{first.cells[1].cell}.json", []
    path.write_text('{"episodes": [')
    again = evaluate(Study(**COINS), run=tmp_path / "run", workers=1, say=said.append)
    assert said == [f"{path}: damaged, or edited: its episodes are played again"]
    assert [cell.seats for cell in again.cells] == [cell.seats for cell in first.cells]


def test_an_edited_number_is_found_and_its_cell_played_again(tmp_path):
    first, _ = evaluated(tmp_path / "run", **COINS)
    path = tmp_path / "run" / "store" / "cells" / f"{first.cells[0].cell}.json"
    content = json.loads(path.read_text())
    content["episodes"][0]["seats"][0]["score"] = 1000.0
    path.write_text(json.dumps(content))
    again, told = evaluated(tmp_path / "run", **COINS)
    assert len(played_of(told)) == 6
    assert again.cells[0].attacked.returns == first.cells[0].attacked.returns


def test_runs_under_runs_share_their_cells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, _ = evaluated(Path("runs/one"), **COINS)
    second, told = evaluated(Path("runs/two"), **COINS)
    assert (second.cells, played_of(told)) == (first.cells, [])
    assert rows(Path("runs/one")) == rows(Path("runs/two"))
    assert [path.name for path in Path("runs").iterdir() if not path.name.startswith(("one", "two"))] == ["store"]


def test_two_runs_that_play_the_same_cells_at_once_lose_and_double_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begun = []

    def meanwhile(episode, kept):
        if not begun:  # the first run is at its first cell
            begun.append(episode)
            evaluated(Path("runs/second"), **COINS | {"episodes": 8})

    evaluate(Study(**COINS), run=Path("runs/first"), workers=1, watch=meanwhile)
    for name, episodes in (("first", 6), ("second", 8)):
        evaluated(tmp_path / "alone" / name, **COINS | {"episodes": episodes})
        assert numbers(Path("runs") / name) == numbers(tmp_path / "alone" / name)
        assert rows(Path("runs") / name) == rows(tmp_path / "alone" / name)
        assert played_of(evaluated(Path("runs") / name, **COINS | {"episodes": episodes})[1]) == []


def test_observing_fewer_episodes_keeps_those_that_are_there(tmp_path):
    first, _ = evaluated(tmp_path / "run", **COINS)
    observed, told = evaluated(tmp_path / "run", **COINS | {"episodes": 3, "observe": ("margins",)})
    assert len(played_of(told)) == 9
    assert "margin" in observed.cells[0].attacked.observed
    again, told = evaluated(tmp_path / "run", **COINS)
    assert (again.cells, played_of(told)) == (first.cells, [])
    _, told = evaluated(tmp_path / "run", **COINS | {"observe": ("margins",)})
    assert sorted(played_of(told)) == sorted([3, 4, 5] * 3)


def test_a_shorter_run_that_observes_takes_nothing_from_one_at_work_on_the_same_cells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begun = []

    def meanwhile(episode, kept):
        if (episode.cell, begun) == (planned.cells[1].key, []):  # the clean cell is done
            begun.append(episode)
            evaluated(Path("runs/second"), **COINS | {"episodes": 3, "observe": ("margins",)})

    planned = plan(Study(**COINS))
    results = evaluate(planned, run=Path("runs/first"), workers=1, watch=meanwhile)
    assert {cell.episodes for cell in results.cells} == {6}
    evaluated(tmp_path / "alone", **COINS)
    assert rows(Path("runs/first")) == rows(tmp_path / "alone")
    assert numbers(Path("runs/first")) == numbers(tmp_path / "alone")


def test_a_cell_that_is_removed_while_a_run_needs_it_is_one_line(tmp_path):
    def remove(episode, kept):
        for path in tmp_path.glob("run/store/cells/*.json"):
            path.unlink()

    with pytest.raises(RunConflict, match=r"was removed or damaged while the run played; run it again"):
        evaluate(Study(**COINS), run=tmp_path / "run", workers=1, watch=remove)


def test_a_run_shows_the_cells_of_its_last_study_and_the_store_keeps_the_others(tmp_path):
    evaluated(tmp_path / "run", **COINS)
    evaluated(tmp_path / "run", **COINS | {"attack": ("pgd:steps=2",)})
    assert [cell["attacks"] and cell["attacks"][0]["name"] for cell in numbers(tmp_path / "run")] == [
        [], "noise", "pgd",
    ]  # fmt: skip
    assert played_of(evaluated(tmp_path / "run", **COINS)[1]) == []


class Large(Film):
    """`Film` with frames that are large enough to be taken for images."""

    def __init__(self, variant, slots, threads=1):
        super().__init__(variant, slots, threads)
        self.seats = (Seat(PLAYER, Box(0, 255, (4, 16, 16), np.uint8), Discrete(2)),)
        self.frames = np.zeros((slots, 10, 16, 16), dtype=np.uint8)


FAMILIES.add("large", f"{__name__}:Large")


def looker():
    layer = nn.Linear(4 * 16 * 16, 2, bias=False)
    nn.init.eye_(layer.weight)
    return ModulePolicy(nn.Sequential(nn.Flatten(), layer), (4, 16, 16), 2)


def test_recordings_are_shown_by_every_run_that_shares_their_cells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = {
        "game": "large/any", "players": (f"{__name__}:looker",), "attack": ("fgsm",), "eps": (0.1,), "episodes": 3,
        "envs": 2,
    }  # fmt: skip
    first, _ = evaluated(Path("runs/first"), **asked)
    second, told = evaluated(Path("runs/second"), **asked)
    assert played_of(told) == []
    for results in (first, second):
        found = {path.stem for path in (results.folder / "clips").iterdir()}
        assert found == {cell.cell for cell in results.cells if cell.attacks}


def test_a_full_disk_is_one_line_and_keeps_what_was_finished(tmp_path):
    """A folder in the place of a file is to the program as a disk that takes no more."""
    planned = plan(Study(**COINS))
    blocked = tmp_path / "run" / "store" / "cells" / f"{planned.cells[2].key}.json"
    blocked.mkdir(parents=True)
    with pytest.raises(Unwritable, match=r"cannot be written \(.*\); finished cells are kept"):
        evaluate(planned, run=tmp_path / "run", workers=1)
    blocked.rmdir()
    told = evaluated(tmp_path / "run", **COINS)[1]
    assert len(played_of(told)) == 6
