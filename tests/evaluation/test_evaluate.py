"""Evaluations from end to end, on games of one seat and of two."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from rlattack.errors import InvalidInput, RefusedFile, RunConflict, Unwritable
from rlattack.evaluation import Results, Study, evaluate
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.executor import Effort, Local
from rlattack.evaluation.plan import plan
from rlattack.evaluation.results import from_json
from rlattack.evaluation.store import Store
from tests.kit.agents import gaussian_agent
from tests.kit.games import made
from tests.kit.runs import numbers, rows

COINS = {
    "game": "coins/any", "players": ("tests.kit.players:coin",), "attack": ("fgsm:loss=margin",), "eps": (1.5,),
    "space": "raw", "episodes": 6, "envs": 4,
}  # fmt: skip
ROPE = {
    "game": "pull/any", "players": ("random", "tests.kit.players:puller"), "attack": ("pgd:steps=2",), "eps": (0.3,),
    "space": "raw", "episodes": 6, "envs": 4,
}  # fmt: skip
BOTH = pytest.mark.parametrize("asked", [COINS, ROPE], ids=["one seat", "two seats"])


def run(folder: Path, workers: int = 1, **values) -> tuple[Results, list[tuple[Episode, bool]]]:
    """What came of a study, and what was told on the way."""
    told: list[tuple[Episode, bool]] = []
    results = evaluate(
        Study(**values), run=folder, workers=workers, watch=lambda episode, kept: told.append((episode, kept))
    )
    return results, told


def played_of(told) -> list[int]:
    """The numbers of the episodes that were played now."""
    return [episode.episode for episode, kept in told if not kept]


def cells_of(folder: Path) -> dict[Path, int]:
    """Every file of a store's cells with the time of its writing."""
    return {path: path.stat().st_mtime_ns for path in (folder / "store" / "cells").iterdir()}


@BOTH
def test_the_clean_game_the_control_and_the_attack_are_played_on_the_same_episodes(tmp_path, asked):
    results, told = run(tmp_path / "run", **asked)
    assert [cell.attack and cell.attack.name for cell in results.cells] == [
        None, "noise", asked["attack"][0].partition(":")[0],
    ]  # fmt: skip
    assert sorted(played_of(told)) == sorted(list(range(6)) * 3)
    of_cells = {
        cell.cell: sorted({(row["episode"], row["seed"]) for row in rows(tmp_path / "run") if row["cell"] == cell.cell})
        for cell in results.cells
    }
    assert len({tuple(of) for of in of_cells.values()}) == 1
    assert len(of_cells[results.cells[0].cell]) == 6


@BOTH
def test_what_is_returned_is_what_was_written(tmp_path, asked):
    results, _ = run(tmp_path / "run", **asked)
    written = json.loads((tmp_path / "run" / "results.json").read_text())
    assert written["schema"] == "rlattack/results/2"
    assert from_json(written["cells"]) == results.cells
    assert (results.folder, results.ok) == (tmp_path / "run", True)
    assert [cell.key for cell in results.plan.cells] == [cell.cell for cell in results.cells]


def test_an_attack_fells_a_policy_that_noise_of_its_size_does_not(tmp_path):
    values = {"game": "gymnasium/CartPole-v1", "players": ("tests.kit.players:balance",), "attack": ("fgsm",)}
    clean, noise, fgsm = run(tmp_path / "run", **COINS | values | {"eps": (0.1,)})[0].cells
    returns = [cell.attacked.returns for cell in (clean, noise, fgsm)]
    assert (returns[0].mean, returns[0].degenerate) == (500, True)
    assert returns[2].mean < 100 < returns[1].mean
    found = fgsm.attacked
    assert found.drop.returns.mean == pytest.approx(500 - returns[2].mean)
    assert found.sizes["linf"] == pytest.approx(0.1, abs=1e-6)
    assert (found.attacked, found.gradients, found.queries, found.win) == (1.0, 1.0, 0.0, None)


@pytest.mark.parametrize(
    "asked",
    [
        COINS,
        ROPE,
        COINS
        | {"game": "gymnasium/CartPole-v1", "players": ("tests.kit.players:memory",), "attack": ("pgd:steps=2",)}
        | {"eps": (0.2,), "actions": "greedy"},
    ],
    ids=["one seat", "two seats", "with a memory"],
)
def test_episodes_are_the_same_with_any_number_of_workers(tmp_path, asked):
    for workers in (1, 3) if asked is ROPE else (1, 2):
        run(tmp_path / str(workers), workers=workers, **asked)
    one, *others = ((numbers(folder), rows(folder)) for folder in sorted(tmp_path.iterdir()))
    assert all(other == one for other in others)


@BOTH
def test_more_episodes_go_on_with_those_that_are_there(tmp_path, asked):
    few, _ = run(tmp_path / "run", **asked | {"episodes": 3})
    many, told = run(tmp_path / "run", **asked | {"episodes": 11})
    assert sorted(played_of(told)) == sorted(list(range(3, 11)) * 3)
    assert sorted(episode.episode for episode, kept in told if kept) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [cell.cell for cell in few.cells] == [cell.cell for cell in many.cells]
    run(tmp_path / "whole", **asked | {"episodes": 11})
    assert numbers(tmp_path / "run") == numbers(tmp_path / "whole")
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")


def test_fewer_episodes_are_the_first_of_those_that_are_there(tmp_path):
    run(tmp_path / "run", **COINS)
    few, told = run(tmp_path / "run", **COINS | {"episodes": 2})
    assert (played_of(told), {cell.episodes for cell in few.cells}) == ([], {2})
    run(tmp_path / "few", **COINS | {"episodes": 2})
    assert rows(tmp_path / "run") == rows(tmp_path / "few")
    assert len(run(tmp_path / "run", **COINS)[1]) == 18


@pytest.mark.parametrize(
    ("more", "new"),
    [
        ({"eps": (0.3, 0.6)}, [("noise", 0.6), ("pgd", 0.6)]),
        ({"attack": ("pgd:steps=2", "pgd:steps=3")}, [("pgd", 0.3)]),
        ({"players": ("random,zero", "tests.kit.players:puller")}, [(None, None), ("noise", 0.3), ("pgd", 0.3)]),
        ({"mask": ("none", "right")}, [(None, None), ("noise", 0.3), ("pgd", 0.3)]),
    ],
)
def test_a_run_goes_on_with_one_more_size_attack_opponent_or_mask(tmp_path, more, new):
    first, _ = run(tmp_path / "run", **ROPE)
    before = cells_of(tmp_path / "run")
    second, told = run(tmp_path / "run", **ROPE | more)
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
        ({"players": ("random", "random"), "attack": (), "eps": ()}, "victims.random is null there"),
        ({"game": "pull/other"}, 'game.id is "pull/any" there, "pull/other" now'),
    ],
)
def test_a_run_of_another_configuration_is_refused_by_its_first_difference(tmp_path, change, difference):
    run(tmp_path / "run", **ROPE)
    with pytest.raises(RunConflict) as caught:
        run(tmp_path / "run", **ROPE | change)
    assert f"holds another configuration: {difference}" in str(caught.value).replace("victims.tests", "victims.random")
    assert "choose another --run" in str(caught.value)


def test_a_run_folder_of_the_first_schema_is_refused_in_one_line(tmp_path):
    (tmp_path / "cells").mkdir()
    old = {"schema": "rlattack/config/1", "configuration": {"evaluation": {"seed": 0}}, "cells": []}
    (tmp_path / "config.json").write_text(json.dumps(old))
    with pytest.raises(
        RunConflict, match=r"a run of another version of rlattack; `rlattack report` shows it"
    ) as caught:
        run(tmp_path, **COINS)
    assert len(str(caught.value).splitlines()) == 1


class Killed(Exception):
    """In place of a signal, where one process is enough."""


@BOTH
def test_a_broken_off_evaluation_goes_on_and_ends_with_the_same_numbers(tmp_path, asked):
    run(tmp_path / "whole", **asked)
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
    first, _ = run(tmp_path / "run", **COINS)
    made.clear()
    again, told = run(tmp_path / "run", **COINS)
    assert {game.slots for game in made} == {1}
    assert (again.cells, played_of(told)) == (first.cells, [])


def test_a_damaged_cell_is_played_again(tmp_path):
    first, _ = run(tmp_path / "run", **COINS)
    (tmp_path / "run" / "store" / "cells" / f"{first.cells[1].cell}.json").write_text('{"episodes": [')
    again, told = run(tmp_path / "run", **COINS)
    assert sorted(played_of(told)) == list(range(6))
    assert [cell.seats for cell in again.cells] == [cell.seats for cell in first.cells]


def test_an_edited_number_is_found_and_its_cell_played_again(tmp_path):
    first, _ = run(tmp_path / "run", **COINS)
    path = tmp_path / "run" / "store" / "cells" / f"{first.cells[0].cell}.json"
    content = json.loads(path.read_text())
    content["episodes"][0]["seats"][0]["score"] = 1000.0
    path.write_text(json.dumps(content))
    again, told = run(tmp_path / "run", **COINS)
    assert len(played_of(told)) == 6
    assert again.cells[0].attacked.returns == first.cells[0].attacked.returns


def test_runs_under_runs_share_their_cells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, _ = run(Path("runs/one"), **COINS)
    second, told = run(Path("runs/two"), **COINS)
    assert (second.cells, played_of(told)) == (first.cells, [])
    assert rows(Path("runs/one")) == rows(Path("runs/two"))
    assert [path.name for path in Path("runs").iterdir() if not path.name.startswith(("one", "two"))] == ["store"]


def test_two_runs_that_play_the_same_cells_at_once_lose_and_double_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begun = []

    def meanwhile(episode, kept):
        if not begun:  # the first run is at its first cell
            begun.append(episode)
            run(Path("runs/second"), **COINS | {"episodes": 8})

    evaluate(Study(**COINS), run=Path("runs/first"), workers=1, watch=meanwhile)
    for name, episodes in (("first", 6), ("second", 8)):
        run(tmp_path / "alone" / name, **COINS | {"episodes": episodes})
        assert numbers(Path("runs") / name) == numbers(tmp_path / "alone" / name)
        assert rows(Path("runs") / name) == rows(tmp_path / "alone" / name)
        assert played_of(run(Path("runs") / name, **COINS | {"episodes": episodes})[1]) == []


def test_the_surrogate_is_attacked_and_the_victim_judged(tmp_path):
    values = {"game": "gymnasium/CartPole-v1", "players": ("tests.kit.players:balance",), "attack": ("fgsm",)}
    asked = COINS | values | {"eps": (0.2,), "surrogate": "tests.kit.players:memory"}
    _, noise, transferred = run(tmp_path / "run", **asked)[0].cells
    assert noise.attack.surrogate is None
    assert (transferred.attack.surrogate, transferred.attack.knowledge) == ("tests.kit.players:memory", "none")
    assert transferred.attacked.action_change > 0.1


def test_the_seat_that_is_attacked_need_not_be_the_victim_s(tmp_path):
    players = ("tests.kit.players:puller", "tests.kit.players:puller")
    clean, noise = run(tmp_path / "run", **ROPE | {"players": players, "attack": (), "attacked": "left"})[0].cells
    assert [seat.role for seat in noise.seats] == ["opponent", "victim"]
    assert (noise.attacked.name, noise.seats[1].drop) == ("left", None)
    assert noise.attacked.drop.returns.mean == pytest.approx(
        clean.seats[0].returns.mean - noise.seats[0].returns.mean
    )  # fmt: skip


@BOTH
def test_a_row_an_episode_and_seat_says_what_was_earned_and_how_it_ended(tmp_path, asked):
    results, told = run(tmp_path / "run", **asked)
    first = next(episode for episode, _ in told if (episode.cell, episode.episode) == (results.cells[0].cell, 0))
    found = rows(tmp_path / "run")[: len(first.seats)]
    assert list(found[0]) == [
        "cell", "episode", "seed", "seat", "player", "return", "outcome", "length", "ending", "truncated", "stalled",
    ]  # fmt: skip
    assert [float(row["return"]) for row in found] == [seat.score for seat in first.seats]
    assert [row["outcome"] for row in found] == [seat.outcome or "" for seat in first.seats]
    assert [row["seat"] for row in found] == [seat.name for seat in results.cells[0].seats]
    assert {(row["ending"], row["length"], row["seed"]) for row in found} == {
        (first.ending, str(first.length), str(first.seed))
    }  # fmt: skip


def test_the_configuration_knows_versions_and_who_played(tmp_path):
    agent = gaussian_agent(tmp_path / "me", "pull/any", hidden=(4,))
    run(tmp_path / "run", **ROPE | {"players": ("zero", agent)})
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert {"rlattack", "torch", "numpy", "gymnasium", "python"} <= config["versions"].keys()
    assert config["players_sha256"]["left"] == {"zero": None}
    assert len(config["players_sha256"]["right"][agent]) == 64
    assert config["configuration"]["victims"].keys() == {agent}
    assert len(config["cells"]) == 3


def test_an_agent_that_changes_between_plan_and_play_is_refused(tmp_path):
    folder = tmp_path / "me"
    planned = plan(Study(**ROPE | {"players": ("zero", gaussian_agent(folder, "pull/any", hidden=(4,)))}))
    shutil.rmtree(folder)
    gaussian_agent(folder, "pull/any", hidden=(4,), seed=1)
    with pytest.raises(RefusedFile, match="me: changed while the run played; finished cells are kept, run it again"):
        evaluate(planned, run=tmp_path / "run", workers=1)


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_are_refused(tmp_path, workers):
    with pytest.raises(InvalidInput, match=f"--workers: expected at least 1, got {workers}"):
        evaluate(Study(**COINS), run=tmp_path / "run", workers=workers)


def test_a_module_that_fails_in_play_is_one_line_and_keeps_what_was_finished(tmp_path):
    values = {"game": "gymnasium/CartPole-v1", "players": ("tests.kit.players:balance,tests.kit.players:fragile",)}
    asked = COINS | values | {"attack": (), "eps": ()}
    with pytest.raises(InvalidInput, match=r"tests.kit.players:fragile: fails in play: ValueError: too far"):
        run(tmp_path / "run", **asked)
    assert len(cells_of(tmp_path / "run")) == 1


def test_a_full_disk_is_one_line_and_keeps_what_was_finished(tmp_path):
    """A folder in the place of a file is to the program as a disk that takes no more."""
    planned = plan(Study(**COINS))
    blocked = tmp_path / "run" / "store" / "cells" / f"{planned.cells[2].key}.json"
    blocked.mkdir(parents=True)
    with pytest.raises(Unwritable, match=r"cannot be written \(.*\); finished cells are kept"):
        evaluate(planned, run=tmp_path / "run", workers=1)
    blocked.rmdir()
    told = run(tmp_path / "run", **COINS)[1]
    assert len(played_of(told)) == 6


def test_without_a_folder_the_run_is_named_by_its_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = (evaluate(Study(**COINS | {"seed": seed}), workers=1).folder for seed in (0, 1))
    assert first != second
    assert first.parent == second.parent == Path("runs")
    assert first.name.startswith("coins-any-")


def test_a_cell_is_kept_before_its_last_episode_is_told(tmp_path):
    told = dict.fromkeys((cell.key for cell in plan(Study(**COINS)).cells), 0)

    def tell(episode, kept):
        told[episode.cell] += 1
        if told[episode.cell] == 6:  # who stops here has been told that the cell is done
            assert (tmp_path / "run" / "store" / "cells" / f"{episode.cell}.json").exists()

    evaluate(Study(**COINS), run=tmp_path / "run", workers=2, watch=tell)
    assert set(told.values()) == {6}


def test_the_time_of_a_cell_is_that_of_all_its_workers(tmp_path):
    class Twice(Local):
        """Says that two workers spent ten seconds."""

        def run(self, tasks, play):
            for item in super().run(tasks, play):
                if not isinstance(item, Effort):
                    yield item
                    continue
                yield dataclasses.replace(item, episodes=2, seconds=9.0)
                yield dataclasses.replace(item, episodes=4, seconds=1.0)

    asked = COINS | {"attack": (), "eps": ()}
    (cell,) = evaluate(Study(**asked), run=tmp_path / "run", executor=Twice(1)).cells
    assert cell.steps_per_second == pytest.approx(cell.steps / 10, abs=0.1)


def test_the_result_of_a_cell_is_built_once_when_it_ends(tmp_path):
    """What stands of a published cell in the store is not averaged again when others end."""
    planned, store = plan(Study(**COINS)), tmp_path / "run" / "store"
    _, noise, fgsm = planned.cells

    def edit(episode, kept):
        if (episode.cell, episode.episode) == (fgsm.key, 0):
            there = Store(store).read(noise)
            one = dataclasses.replace(there.episodes[0].seats[0], score=1000.0)
            there.episodes[0] = dataclasses.replace(there.episodes[0], seats=(one,))
            Store(store).keep(noise, there)

    results = evaluate(planned, run=tmp_path / "run", workers=1, watch=edit)
    assert "1000.0" in {row["return"] for row in rows(tmp_path / "run")}
    assert results.cells[1].attacked.returns.mean <= 5
    assert from_json(json.loads((tmp_path / "run" / "results.json").read_text())["cells"]) == results.cells
