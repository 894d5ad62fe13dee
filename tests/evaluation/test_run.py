"""A run folder: whose it is, who may write it, and what is in it."""

import csv
import dataclasses
import json
import os
import stat
import threading

import pytest

from rlattack.errors import InvalidInput, RunConflict, Unwritable
from rlattack.evaluation.run import HEAD, Run
from tests.evaluation.test_results import LEAST, WHOLE

OURS = {"study": {"seed": 0, "actions": "card"}, "game": {"id": "a", "stall": None}}


def opened(folder, configuration=OURS, **circumstances):
    return Run(folder, configuration, circumstances)


def test_a_new_run_says_what_it_is_of_and_what_is_kept_beside_that(tmp_path):
    with opened(tmp_path / "run", command="rlattack attack a", seed=0):
        content = json.loads((tmp_path / "run" / "config.json").read_text())
    assert content == {
        "schema": "rlattack/config/2", "command": "rlattack attack a", "seed": 0, "configuration": OURS,
    }  # fmt: skip


def test_a_run_goes_on_whatever_is_kept_beside_its_configuration(tmp_path):
    for command in ("one", "another"):
        with opened(tmp_path / "run", command=command):
            assert json.loads((tmp_path / "run" / "config.json").read_text())["command"] == command


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"study": {"seed": 1, "actions": "greedy"}}, "study.seed is 0 there, 1 now"),
        ({"study": {"seed": 0, "actions": "greedy"}}, 'study.actions is "card" there, "greedy" now'),
        ({"game": {"id": "a", "stall": {"steps": 3}}}, 'game.stall is null there, {"steps": 3} now'),
        ({"game": {"id": "a"}, "victims": {"b": "digest"}}, 'victims is null there, {"b": "digest"} now'),
    ],
)
def test_a_run_of_another_configuration_is_refused_by_its_first_difference(tmp_path, changes, difference):
    with opened(tmp_path / "run"):
        pass
    with pytest.raises(RunConflict) as caught, opened(tmp_path / "run", OURS | changes):
        pass
    assert str(caught.value) == (
        f"--run {tmp_path / 'run'} holds another configuration: {difference}; choose another --run"
    )


@pytest.mark.parametrize("schema", ["rlattack/config/1", "rlattack/config/3"])
def test_a_run_of_another_version_is_refused_in_one_line(tmp_path, schema):
    (tmp_path / "config.json").write_text(json.dumps({"schema": schema, "configuration": OURS}))
    with pytest.raises(RunConflict, match=f"expected schema 'rlattack/config/2', got '{schema}': a run of another v"):
        opened(tmp_path).__enter__()


@pytest.mark.parametrize("content", ["{", "[]", "{}", "7", '{"configuration": {}}'])
def test_an_unreadable_configuration_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(RunConflict, match="not a readable configuration"):
        opened(tmp_path).__enter__()


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunConflict, match="holds other files and no run; choose another folder"):
        opened(tmp_path).__enter__()
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_that_died_before_it_said_what_it_was_goes_on(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / ".lock").touch()
    with opened(tmp_path):
        assert (tmp_path / "config.json").is_file()


def test_a_run_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="expected a folder, this is a file"):
        opened(tmp_path / "file").__enter__()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable, match="cannot be written"):
        opened(tmp_path / "file" / "run").__enter__()


def test_runs_under_runs_share_a_store_and_another_folder_has_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder, store in (("runs/one", "runs/store"), ("runs/two", "runs/store"), ("runs/a/b", "runs/a/b/store")):
        assert opened(tmp_path / folder).store.resolve() == tmp_path / store
    assert opened(tmp_path / "other").store == tmp_path / "other" / "store"


def test_what_is_published_is_written_whole_and_cells_are_added_as_they_end(tmp_path):
    with opened(tmp_path / "run") as run:
        run.publish([LEAST], [("a", 0), ("a", 1)])
        first = json.loads((tmp_path / "run" / "results.json").read_text())
        assert (first["schema"], [cell["cell"] for cell in first["cells"]]) == ("rlattack/results/2", [LEAST.cell])
        run.add([LEAST, WHOLE], [("b", 0)])
        with (tmp_path / "run" / "episodes.csv").open() as file:
            assert list(csv.reader(file)) == [list(HEAD), ["a", "0"], ["a", "1"], ["b", "0"]]
        run.publish([WHOLE, LEAST], [("b", 0), ("a", 0), ("a", 1)])
    cells = json.loads((tmp_path / "run" / "results.json").read_text())["cells"]
    assert [cell["cell"] for cell in cells] == [WHOLE.cell, LEAST.cell]


def test_results_that_hold_no_number_are_never_written(tmp_path):
    lost = dataclasses.replace(LEAST, length=dataclasses.replace(LEAST.length, mean=float("nan")))
    with opened(tmp_path / "run") as run:
        run.publish([LEAST], [])
        with pytest.raises(ValueError, match="JSON"):
            run.publish([lost], [])
    assert "NaN" not in (tmp_path / "run" / "results.json").read_text()


def test_another_command_waits_until_the_first_one_is_done(tmp_path):
    told = []

    def second():
        with opened(tmp_path / "run"):
            told.append("second begins")

    with opened(tmp_path / "run"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        told.append("first ends")
    thread.join(30)
    assert told == ["first ends", "second begins"]


def test_a_run_that_cannot_begin_holds_no_lock(tmp_path):
    broken = OURS | {"speed": float("nan")}
    for _ in range(2):  # the second one would wait for ever
        with pytest.raises(ValueError, match="JSON"):
            opened(tmp_path / "run", broken).__enter__()
    with opened(tmp_path / "run"):
        assert stat.S_IMODE((tmp_path / "run" / ".lock").stat().st_mode) & 0o133 == 0


def test_a_clip_of_the_store_is_shown_in_the_run(tmp_path):
    clip = tmp_path / "store" / "clips" / "a.npz"
    with opened(tmp_path / "run") as run:
        run.show(clip)
        assert not (tmp_path / "run" / "clips").exists()
        clip.parent.mkdir(parents=True)
        clip.write_bytes(b"film")
        for _ in range(2):
            run.show(clip)
    assert (tmp_path / "run" / "clips" / "a.npz").read_bytes() == b"film"


def test_a_clip_is_copied_where_there_are_no_links(tmp_path, monkeypatch):
    (tmp_path / "a.npz").write_bytes(b"film")
    monkeypatch.setattr(os, "link", no_links)
    with opened(tmp_path / "run") as run:
        run.show(tmp_path / "a.npz")
    assert (tmp_path / "run" / "clips" / "a.npz").stat().st_ino != (tmp_path / "a.npz").stat().st_ino


def no_links(*_):
    raise OSError("not supported")


def test_who_waited_is_refused_by_what_the_first_one_left(tmp_path):
    """The folder is empty when both begin."""
    refused = []

    def second():
        try:
            with opened(tmp_path / "run", OURS | {"study": {"seed": 1, "actions": "card"}}):
                pass
        except RunConflict as error:
            refused.append(str(error))

    with opened(tmp_path / "run"):
        (tmp_path / "run" / "config.json").rename(tmp_path / "kept.json")
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        (tmp_path / "kept.json").rename(tmp_path / "run" / "config.json")
    thread.join(30)
    assert len(refused) == 1
    assert "study.seed is 0 there, 1 now" in refused[0]


def test_a_command_waits_until_another_has_ended_and_says_so(tmp_path):
    told, opened = [], threading.Event()

    def second():
        with Run(tmp_path / "run", {}, {}, told.append):
            opened.set()

    with Run(tmp_path / "run", {}, {}):
        thread = threading.Thread(target=second)
        thread.start()
        while not told:
            assert thread.is_alive()
        assert not opened.is_set()
    assert opened.wait(timeout=30)
    thread.join()
    assert told == [f"--run {tmp_path / 'run'}: another command writes it; this one goes on when that has ended"]
