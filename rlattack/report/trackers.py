"""Finished runs in Weights & Biases and in MLflow: the configuration, the numbers of each cell, the page."""

import importlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

from rlattack.errors import MissingExtra, UnknownName, told_by
from rlattack.evaluation.results import Result
from rlattack.report.comparison import cell_name
from rlattack.report.rows import Row, row
from rlattack.report.runs import RunRecord

PROJECT = "rlattack"
"""Of Weights & Biases, where `WANDB_PROJECT` names none."""
_NO_KEY = re.compile(r"[^\w\-. /]")
"""What MLflow takes in no name of a metric."""
_NO_ARTIFACT = re.compile(r"[^\w\-.]")
"""What Weights & Biases takes in no name of an artifact."""
_LONGEST = 250
_FILES = ("report.html", "results.json", "episodes.csv", "config.json")


def log_to_wandb(run: RunRecord, **more: Any) -> str:
    """Logs a finished run to Weights & Biases, as one run of its own; `WANDB_MODE=offline` keeps it on this machine.

    Its configuration is that of the run, its summary holds `<cell>/return` and the other numbers of each cell, its
    table `cells` all of them, and its artifact the page with the results and episodes.

    Args:
        run: With the page that was written for it.
        more: Arguments of `wandb.init`, as `project`, `entity`, `group` and `tags`.

    Returns:
        Where it lies: the address of the run or, offline, its folder.

    Raises:
        MissingExtra: wandb is not installed.
        InvalidInput: What wandb refuses.
    """
    wandb = _imported("wandb")
    with _told(run, "wandb"):
        told = {"name": run.name, "job_type": "evaluation", "config": _configuration(run)}
        chosen = {} if "WANDB_PROJECT" in os.environ else {"project": PROJECT}
        logged = wandb.init(**chosen | told | more)
        try:
            rows = [row(cell) for cell in run.results]
            if rows:
                columns = list(rows[0])
                data = [[one[column] for column in columns] for one in rows]
                logged.log({"cells": wandb.Table(columns=columns, data=data)})
            logged.summary.update(_metrics(run.results))
            artifact = wandb.Artifact(_NO_ARTIFACT.sub("-", run.name), type="run")
            for path in _files(run):
                artifact.add_file(path)
            logged.log_artifact(artifact)
        except BaseException:
            logged.finish(exit_code=1)
            raise
        logged.finish()
        return str(logged.dir if logged.offline else logged.url)


def log_to_mlflow(run: RunRecord, **more: Any) -> str:
    """Logs a finished run to MLflow, as one run of its own.

    `MLFLOW_TRACKING_URI` and `MLFLOW_EXPERIMENT_NAME`, or `mlflow.set_tracking_uri` and `set_experiment`, say where to.
    Its parameters are the configuration of the run, its metrics `<cell>/return` and the other numbers of each cell, and
    its artifacts the page, the results and the episodes.

    Args:
        run: With the page that was written for it.
        more: Arguments of `mlflow.start_run`, as `experiment_id` and `tags`.

    Returns:
        Where it lies: the store and the number of the run.

    Raises:
        MissingExtra: mlflow is not installed.
        InvalidInput: What mlflow refuses.
    """
    mlflow = _imported("mlflow")
    with _told(run, "mlflow"):
        with mlflow.start_run(**{"run_name": run.name} | more) as logged:
            mlflow.log_params({_key(name): str(value)[:_LONGEST] for name, value in _flat(_configuration(run))})
            mlflow.log_metrics({_key(name): value for name, value in _metrics(run.results).items()})
            for path in _files(run):
                mlflow.log_artifact(path)
        return f"{mlflow.get_tracking_uri()}, run {logged.info.run_id}"


TRACKERS: Mapping[str, Callable[..., str]] = {"wandb": log_to_wandb, "mlflow": log_to_mlflow}
"""By the names of their extras."""


def check_tracker(name: str) -> None:
    """Refuses before anything is played what could not log it.

    Raises:
        UnknownName: No tracker of that name.
        MissingExtra: It is not installed.
    """
    if name not in TRACKERS:
        raise UnknownName(f"--track: expected {' or '.join(TRACKERS)}, got {name!r}")
    _imported(name)


def _configuration(run: RunRecord) -> dict[str, Any]:
    """What a run was asked for and made with."""
    asked = run.config.get("configuration")
    about = {"command": run.command, **run.facts, "versions": run.versions}
    return about | (dict(asked) if isinstance(asked, Mapping) else {})


def _metrics(cells: Iterable[Result]) -> dict[str, float]:
    """The numbers of good cells by `<cell>/<number>`; cells that are named alike have their keys beside."""
    good = [(cell, cell_name(cell)) for cell in cells if cell.ok]
    many = Counter(name for _, name in good)
    named = [(f"{name} {cell.cell}" if many[name] > 1 else name, row(cell)) for cell, name in good]
    return {f"{name.replace('/', '.')}/{number}": value for name, found in named for number, value in _numbers(found)}


def _numbers(found: Row) -> Iterable[tuple[str, float]]:
    return (
        (name, value) for name, value in found.items() if isinstance(value, int | float) and type(value) is not bool
    )


def _flat(content: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, object]]:
    """Single values of nested tables, by `outer.inner`."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _key(name: str) -> str:
    return _NO_KEY.sub("_", name)[-_LONGEST:]


def _files(run: RunRecord) -> list[str]:
    return [str(path) for name in _FILES if (path := run.folder / name).is_file()]


def _told(run: RunRecord, tracker: str) -> AbstractContextManager[None]:
    return told_by(f"{run.folder} is kept, but not logged to {tracker}")


def _imported(name: str) -> ModuleType:
    missing = MissingExtra(f"--track {name}: needs {name}: pip install 'rlattack[{name}]'")
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise missing from error
    if getattr(module, "__file__", None) is None:  # a folder of that name here, as offline runs leave one
        raise missing
    return module
