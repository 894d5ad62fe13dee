"""Evaluations from end to end, on games of one seat and of two."""

import dataclasses
import json
import multiprocessing
import shutil
import threading
from pathlib import Path

import pytest

from rlattack.errors import InvalidInput, RefusedFile
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.executor import Effort, Local
from rlattack.evaluation.plan import plan
from rlattack.evaluation.results import from_json
from rlattack.evaluation.store import Store
from rlattack.policies import load_agent
from tests.kit.agents import gaussian_agent
from tests.kit.runs import COINS, ROPE, cells_of, evaluated, numbers, played_of, rows

BOTH = pytest.mark.parametrize("asked", [COINS, ROPE], ids=["one seat", "two seats"])


@BOTH
def test_the_clean_game_the_control_and_the_attack_are_played_on_the_same_episodes(tmp_path, asked):
    results, told = evaluated(tmp_path / "run", **asked)
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
    results, _ = evaluated(tmp_path / "run", **asked)
    written = json.loads((tmp_path / "run" / "results.json").read_text())
    assert written["schema"] == "rlattack/results/2"
    assert from_json(written["cells"]) == results.cells
    assert (results.folder, results.ok) == (tmp_path / "run", True)
    assert [cell.key for cell in results.plan.cells] == [cell.cell for cell in results.cells]


def test_an_attack_fells_a_policy_that_noise_of_its_size_does_not(tmp_path):
    values = {"game": "gymnasium/CartPole-v1", "players": ("tests.kit.players:balance",), "attack": ("fgsm",)}
    clean, noise, fgsm = evaluated(tmp_path / "run", **COINS | values | {"eps": (0.1,)})[0].cells
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
        evaluated(tmp_path / str(workers), workers=workers, **asked)
    one, *others = ((numbers(folder), rows(folder)) for folder in sorted(tmp_path.iterdir()))
    assert all(other == one for other in others)


def test_the_surrogate_is_attacked_and_the_victim_judged(tmp_path):
    values = {"game": "gymnasium/CartPole-v1", "players": ("tests.kit.players:balance",), "attack": ("fgsm",)}
    asked = COINS | values | {"eps": (0.2,), "surrogate": "tests.kit.players:memory"}
    _, noise, transferred = evaluated(tmp_path / "run", **asked)[0].cells
    assert noise.attack.surrogate is None
    assert (transferred.attack.surrogate, transferred.attack.knowledge) == ("tests.kit.players:memory", "none")
    assert transferred.attacked.action_change > 0.1


def test_the_seat_that_is_attacked_need_not_be_the_victim_s(tmp_path):
    players = ("tests.kit.players:puller", "tests.kit.players:puller")
    clean, noise = evaluated(tmp_path / "run", **ROPE | {"players": players, "attack": (), "attacked": "left"})[0].cells
    assert [seat.role for seat in noise.seats] == ["opponent", "victim"]
    assert (noise.attacked.name, noise.seats[1].drop) == ("left", None)
    assert noise.attacked.drop.returns.mean == pytest.approx(
        clean.seats[0].returns.mean - noise.seats[0].returns.mean
    )  # fmt: skip


@BOTH
def test_a_row_an_episode_and_seat_says_what_was_earned_and_how_it_ended(tmp_path, asked):
    results, told = evaluated(tmp_path / "run", **asked)
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
    evaluated(tmp_path / "run", **ROPE | {"players": ("zero", agent)})
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert {"rlattack", "torch", "numpy", "gymnasium", "python"} <= config["versions"].keys()
    assert config["players_sha256"]["left"] == {"zero": None}
    assert len(config["players_sha256"]["right"][agent]) == 64
    assert config["configuration"]["victims"] == [load_agent(agent).identity]
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
    values = {"game": "gymnasium/CartPole-v1", "players": (("tests.kit.players:balance", "tests.kit.players:fragile"),)}
    asked = COINS | values | {"attack": (), "eps": ()}
    with pytest.raises(InvalidInput, match=r"tests.kit.players:fragile: fails in play: ValueError: too far"):
        evaluated(tmp_path / "run", **asked)
    assert len(cells_of(tmp_path / "run")) == 1


class Stopped(Exception):
    """What a notebook meets."""


def test_workers_end_when_who_watches_fails(tmp_path):
    def fail(episode, kept):
        raise Stopped

    with pytest.raises(Stopped) as caught:
        evaluate(Study(**COINS | {"episodes": 400}), run=tmp_path / "run", workers=2, watch=fail)
    assert caught.tb is not None  # it holds all frames
    assert multiprocessing.active_children() == []


def test_what_is_left_to_be_written_is_written_before_another_command_may_begin(tmp_path):
    order = []

    def finish(results):
        assert from_json(json.loads((tmp_path / "run" / "results.json").read_text())["cells"]) == results.cells
        other.start()
        waits.wait(60)
        order.append("first ends")

    def second(line):
        waits.set()

    waits = threading.Event()
    more = {"run": tmp_path / "run", "workers": 1}
    other = threading.Thread(
        target=lambda: evaluate(Study(**COINS), **more, say=second, finish=lambda _: order.append("second ends"))
    )
    evaluate(Study(**COINS), **more, finish=finish)
    other.join()
    assert order == ["first ends", "second ends"]


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
