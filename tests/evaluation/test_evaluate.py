"""Evaluations from end to end on CartPole, whose dynamics are cheap, by a policy that never falls on its own."""

import csv
import json
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from rlattack.errors import InvalidInput, RefusedFile, RunConflict, Unwritable
from rlattack.evaluation import workers
from rlattack.evaluation.evaluate import evaluate
from rlattack.evaluation.plan import Evaluation, plan

HERE = str(Path(__file__).parent)


@pytest.fixture(autouse=True)
def players(monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("PYTHONPATH", HERE)


def evaluation(**changes):
    values = {
        "game": "gymnasium/CartPole-v1", "victim": "players:balance", "attacks": ("fgsm",), "eps": (0.2,),
        "space": "raw", "episodes": 6, "envs": 4,
    }  # fmt: skip
    return Evaluation(**values | changes)


def run(folder, workers=1, **changes):
    told = []
    evaluate(plan(evaluation(**changes)), folder, workers, told.append)
    return json.loads((folder / "results.json").read_text())["cells"], told


def without_speed(folder):
    cells = json.loads((folder / "results.json").read_text())["cells"]
    return [{key: value for key, value in cell.items() if key != "steps_per_second"} for cell in cells]


def test_evaluation_plays_clean_noise_and_attack_on_the_same_episodes(tmp_path):
    cells, told = run(tmp_path / "run")
    assert [cell["attack"] for cell in cells] == ["none", "noise", "fgsm"]
    assert len(told) == 18
    with (tmp_path / "run" / "episodes.csv").open() as file:
        rows = list(csv.DictReader(file))
    seeds = {cell["cell"]: [row["seed"] for row in rows if row["cell"] == cell["cell"]] for cell in cells}
    assert len({tuple(of) for of in seeds.values()}) == 1
    assert len(set(seeds[cells[0]["cell"]])) == 6


def test_an_attack_fells_a_policy_that_noise_of_its_size_does_not(tmp_path):
    clean, noise, fgsm = run(tmp_path / "run", eps=(0.1,))[0]
    assert clean["return"]["mean"] == 500
    assert clean["return"]["degenerate"]
    assert fgsm["return"]["mean"] < 100 < noise["return"]["mean"]
    assert fgsm["drop"]["return"] == pytest.approx(500 - fgsm["return"]["mean"])
    assert fgsm["size"]["linf"] == pytest.approx(0.1, abs=1e-6)
    assert (fgsm["attacked"], fgsm["gradients"], fgsm["queries"]) == (1.0, 1.0, 0.0)
    assert fgsm["win"] is None


@pytest.mark.parametrize(
    "changes", [{}, {"victim": "players:memory", "attacks": ("pgd:steps=2",)}, {"actions": "greedy"}]
)
def test_results_do_not_depend_on_the_number_of_workers(tmp_path, changes):
    run(tmp_path / "one", **changes)
    run(tmp_path / "two", workers=2, **changes)
    assert without_speed(tmp_path / "one") == without_speed(tmp_path / "two")
    assert (tmp_path / "one" / "episodes.csv").read_bytes() == (tmp_path / "two" / "episodes.csv").read_bytes()


def test_episodes_do_not_depend_on_how_many_are_asked_for(tmp_path):
    run(tmp_path / "few", episodes=3)
    run(tmp_path / "many", episodes=7)
    few, many = ((tmp_path / name / "episodes.csv").read_text().splitlines() for name in ("few", "many"))
    assert [row.partition(",")[2] for row in few[1:4]] == [row.partition(",")[2] for row in many[1:4]]


def test_a_broken_off_evaluation_goes_on_and_ends_with_the_same_numbers(tmp_path):
    run(tmp_path / "whole")
    planned = plan(evaluation())

    class Killed(Exception):
        pass

    seen = []

    def kill(episode):
        seen.append(episode)
        if len(seen) == 14:
            raise Killed

    with pytest.raises(Killed):
        evaluate(planned, tmp_path / "broken", 1, kill)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "broken" / "cells").iterdir()}
    assert len(kept) == 2
    assert len(json.loads((tmp_path / "broken" / "results.json").read_text())["cells"]) == 2
    evaluate(planned, tmp_path / "broken", 1, lambda _: None)
    assert without_speed(tmp_path / "broken") == without_speed(tmp_path / "whole")
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())


def test_a_finished_evaluation_is_not_played_again(tmp_path, monkeypatch):
    first, _ = run(tmp_path / "run")
    monkeypatch.setattr("rlattack.evaluation.workers.Rollout", None)
    assert run(tmp_path / "run")[0] == first


def test_a_damaged_cell_is_played_again(tmp_path):
    first, _ = run(tmp_path / "run")
    (tmp_path / "run" / "cells" / f"{first[1]['cell']}.json").write_text('{"episodes": [')
    assert without_speed(tmp_path / "run") == [{k: v for k, v in c.items() if k != "steps_per_second"} for c in first]
    again, told = run(tmp_path / "run")
    assert len(told) == 18
    assert [cell["return"] for cell in again] == [cell["return"] for cell in first]


def test_a_run_folder_of_another_configuration_is_refused_by_its_first_difference(tmp_path):
    run(tmp_path / "run")
    with pytest.raises(RunConflict, match=r"configuration: evaluation.seed is 0 there, 1 now; choose another --run"):
        run(tmp_path / "run", seed=1)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunConflict, match="holds other files"):
        run(tmp_path)


def test_an_unreadable_configuration_is_refused(tmp_path):
    run(tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text("{")
    with pytest.raises(RunConflict, match="not a readable configuration"):
        run(tmp_path / "run")


def test_a_run_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="expected a folder"):
        run(tmp_path / "file")


def test_a_full_disk_is_one_line_and_keeps_what_was_finished(tmp_path, monkeypatch):
    from rlattack.evaluation import run as module

    write, calls = module.write_whole, []

    def full(path, raw):
        calls.append(path)
        if len(calls) > 4:
            raise OSError(28, "No space left on device")
        write(path, raw)

    monkeypatch.setattr(module, "write_whole", full)
    with pytest.raises(Unwritable, match="No space left on device"):
        run(tmp_path / "run")
    monkeypatch.setattr(module, "write_whole", write)
    assert len(run(tmp_path / "run")[0]) == 3


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable, match="cannot be written"):
        run(tmp_path / "file" / "run")


def test_the_surrogate_is_attacked_and_the_victim_judged(tmp_path):
    _, noise, transferred = run(tmp_path / "run", surrogate="players:memory")[0]
    assert noise["surrogate"] is None
    assert transferred["surrogate"] == "players:memory"
    assert transferred["knowledge"] == "none"
    assert transferred["action_change"] > 0.1


def test_an_agent_that_changes_between_plan_and_play_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = Path("mine.py")
    source.write_text(f"import sys\nsys.path.insert(0, {HERE!r})\nfrom players import balance\n")
    planned = plan(evaluation(victim="mine:balance"))
    monkeypatch.setattr("rlattack.evaluation.workers._load", workers._load.__wrapped__)
    source.write_text(source.read_text() + "# another one\n")
    with pytest.raises(RefusedFile, match="mine:balance: changed while the run played"):
        evaluate(planned, tmp_path / "run", 1, lambda _: None)


def test_a_module_that_fails_in_play_is_one_line(tmp_path):
    with pytest.raises(InvalidInput, match=r"players:fragile: fails in play: ValueError: too far"):
        run(tmp_path / "run", victim="players:fragile")


def test_time_is_that_of_all_workers_of_a_cell(tmp_path, monkeypatch):
    played = list(workers.play_cells([plan(evaluation(attacks=())).cells[0]], workers.Shape((4,), 2), 1, tmp_path))
    episodes = [item for item in played if not isinstance(item, workers.Effort)]
    first, second = workers.Effort(episodes[0].cell, 2, 9.0), workers.Effort(episodes[0].cell, 4, 1.0)
    monkeypatch.setattr("rlattack.evaluation.evaluate.play_cells", lambda *_: [*episodes, second, first])
    evaluate(plan(evaluation(attacks=(), eps=())), tmp_path / "run", 2, lambda _: None)
    (cell,) = json.loads((tmp_path / "run" / "results.json").read_text())["cells"]
    assert cell["steps_per_second"] == pytest.approx(cell["steps"] / 10, rel=1e-3)


def test_an_episode_is_always_played_in_the_same_slot():
    (cell,) = plan(evaluation(attacks=(), eps=(), episodes=11)).cells
    counters = workers._Counters([0] * cell.envs, [cell], threading.Lock())
    given = [(slot, counters.take(0, slot)) for slot in (3, 3, 3, 0, 2, 1, 1, 0, 2, 1, 0, 2)]
    assert all(episode % cell.envs == slot for slot, episode in given if episode is not None)
    assert sorted(episode for _, episode in given if episode is not None) == list(range(11))
    assert counters.next_cell() is None


def test_a_cell_is_kept_before_its_last_episode_is_told(tmp_path):
    planned, told = plan(evaluation()), dict.fromkeys((cell.key for cell in plan(evaluation()).cells), 0)

    def tell(episode):
        told[episode.cell] += 1
        if told[episode.cell] == 6:  # who stops here has been told that the cell is done
            assert (tmp_path / "run" / "cells" / f"{episode.cell}.json").exists()

    evaluate(planned, tmp_path / "run", 2, tell)
    assert set(told.values()) == {6}


def test_workers_that_began_end_where_the_next_cannot_begin(monkeypatch):
    ended = []

    class Process:
        def __init__(self, **_):
            self.pid = None

        def start(self):
            if made[0] is not self:
                raise OSError("no more processes")
            self.pid = 1

        def terminate(self):
            ended.append(self.pid)

        def join(self):
            ended.append(self.pid)

    made = []
    context = multiprocessing.get_context("spawn")
    monkeypatch.setattr(context, "Process", lambda **settings: made.append(Process(**settings)) or made[-1])
    with pytest.raises(OSError, match="no more processes"):
        list(workers.share(plan(evaluation()).cells, print, 3))
    assert ended == [1, 1]


@pytest.mark.parametrize("others", [0, 1])
def test_workers_begin_deaf_to_ctrl_c_and_the_parent_hears_it_when_all_have_begun(others):
    masks, done = [], threading.Event()

    class Process:
        def start(self):
            masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)  # for the other thread, which is the one to take it

    handler, before = signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    threads = [threading.Thread(target=done.wait) for _ in range(others)]
    for thread in threads:
        thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            workers._start([Process(), Process()])
    finally:
        done.set()
    assert [signal.SIGINT in mask for mask in masks] == [True, True]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert signal.getsignal(signal.SIGINT) is handler
