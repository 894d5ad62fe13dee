"""Runs in Weights & Biases and MLflow, by their offline modes; skipped where they are not installed."""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rlattack.errors import InvalidInput, MissingExtra, UnknownName
from rlattack.report import write_page
from rlattack.report.runs import read_run
from rlattack.report.trackers import TRACKERS, check_tracker, log_to_mlflow, log_to_wandb
from tests.kit.results import CONFIG, heat, pong, write_folder


def needs(name):
    """A mark that skips a test where a package is not installed, and lets its own warnings pass."""
    found = importlib.util.find_spec(name)
    absent = found is None or found.origin is None
    skip = pytest.mark.skipif(absent, reason=f"{name} is not installed: pip install 'rlattack[{name}]'")
    return lambda test: skip(pytest.mark.filterwarnings("default")(test))


@pytest.fixture
def run(tmp_path):
    config = CONFIG | {"configuration": {"study": {"actions": "greedy", "envs": 8}}}
    folder = write_folder(tmp_path / "pong run", pong(), config=config)
    found = read_run(folder)
    write_page([found], folder / "report.html")
    return found


@pytest.fixture
def store(monkeypatch, tmp_path):
    """An MLflow of its own, beside which artifacts go."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "robustness")


@pytest.mark.parametrize("name", TRACKERS)
def test_a_tracker_that_is_not_installed_is_said_with_the_way_out(monkeypatch, name, run):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=rf"--track {name}: needs {name}: pip install 'rlattack\[{name}\]'"):
        check_tracker(name)
    with pytest.raises(MissingExtra, match="pip install"):
        TRACKERS[name](run)


def test_an_unknown_tracker_is_refused():
    with pytest.raises(UnknownName, match="--track: expected wandb or mlflow, got 'tensorflow'"):
        check_tracker("tensorflow")


@needs("mlflow")
def test_mlflow_gets_the_configuration_the_numbers_of_each_cell_and_the_page(store, run):
    import mlflow

    where = log_to_mlflow(run, tags={"of": "a test"})
    (found,) = mlflow.search_runs(experiment_names=["robustness"], output_format="list")
    assert where.endswith(found.info.run_id)
    assert (found.info.status, found.info.run_name, found.data.tags["of"]) == ("FINISHED", "pong run", "a test")
    assert found.data.params["study.envs"] == "8"
    assert found.data.params["command"].startswith("rlattack attack atari/pong")
    (name,) = [name for name in found.data.metrics if "fgsm at eps 0.0025" in name and name.endswith("/win_drop")]
    assert found.data.metrics[name] == 1.0
    artifacts = {one.path for one in mlflow.MlflowClient().list_artifacts(found.info.run_id)}
    assert artifacts == {"report.html", "results.json", "config.json"}


@needs("mlflow")
def test_what_mlflow_refuses_is_a_line(monkeypatch, tmp_path, run):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/missing/folder/mlflow.db")
    (tmp_path / "missing").touch()
    with pytest.raises(InvalidInput, match="pong run is kept, but not logged to mlflow: "):
        log_to_mlflow(run)


@needs("wandb")
def test_wandb_gets_the_configuration_the_numbers_of_each_cell_and_the_page(monkeypatch, tmp_path, run):
    import wandb

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    where = Path(log_to_wandb(run, tags=["test"]))
    wandb.teardown()  # as at the end of a program: its service writes behind
    assert where.parent.name.startswith("offline-run-")
    (kept,) = where.parent.glob("*.wandb")
    raw = kept.read_bytes()
    for words in (b"rlattack attack atari/pong", b"pong run", b"fgsm at eps 0.0025", b"win_drop", b"report.html"):
        assert words in raw
    (table,) = where.rglob("*.table.json")
    content = json.loads(table.read_text())
    assert len(content["data"]) == len(pong())
    assert content["columns"][:3] == ["cell", "status", "game"]


def test_a_folder_of_the_name_of_a_tracker_is_none(monkeypatch, tmp_path):
    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    with pytest.raises(MissingExtra, match="needs wandb"):
        check_tracker("wandb")


@needs("wandb")
def test_what_wandb_refuses_is_a_line(monkeypatch, tmp_path, run):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    with pytest.raises(InvalidInput, match="pong run is kept, but not logged to wandb: "):
        log_to_wandb(run, nonsense=1)


@needs("mlflow")
def test_cells_of_one_name_have_their_keys_beside(store, tmp_path):
    import mlflow

    twice = [heat()[0], replace(heat()[0], cell="again")]
    log_to_mlflow(read_run(write_folder(tmp_path / "duel", twice)))
    (found,) = mlflow.search_runs(experiment_names=["robustness"], output_format="list")
    assert len([name for name in found.data.metrics if name.endswith("/win")]) == 2
