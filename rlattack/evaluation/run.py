"""A run folder: its configuration, the cells finished so far, and the tables made of them. Killing it loses no cell."""

import csv
import dataclasses
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rlattack.errors import InvalidInput, RunConflict, Unwritable
from rlattack.evaluation.results import SCHEMA
from rlattack.evaluation.workers import Job
from rlattack.files import write_whole

__all__ = ["Run", "run_name"]

CONFIG_SCHEMA = "rlattack/config/1"
E = TypeVar("E")


def run_name(game: str, configuration: dict[str, Any]) -> str:
    """The name of a run that was given none: its game and the digest of its configuration."""
    text = json.dumps(configuration, sort_keys=True)
    return f"{game.replace('/', '-')}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


class Run:
    """An open run folder.

    Args:
        folder: Made when it is not there.
        configuration: Everything that the results depend on; a folder with another one is refused.
        circumstances: The command, versions, hashes: kept beside it, not compared.

    Raises:
        RunConflict: The folder belongs to another configuration.
        Unwritable: The folder cannot be written.
    """

    def __init__(self, folder: Path, configuration: dict[str, Any], circumstances: dict[str, Any]) -> None:
        self.folder = folder
        with _writing(folder):
            self._refuse_conflict(configuration)
            (folder / "cells").mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(13, "Permission denied")
            if not (folder / "config.json").exists():
                _write_json(
                    folder / "config.json", {"schema": CONFIG_SCHEMA, **circumstances, "configuration": configuration}
                )

    @property
    def clips(self) -> Path:
        """Where recordings of attacked cells lie."""
        return self.folder / "clips"

    def finished(self, cell: Job, read: Callable[[dict[str, Any]], E]) -> tuple[list[E], float] | None:
        """Returns the episodes of a cell that was finished before and the seconds they took, or None.

        Args:
            cell: What was played.
            read: Makes an episode of its fields.
        """
        path = self.folder / "cells" / f"{cell.key}.json"
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            episodes = [read(item) for item in kept["episodes"]]
        except (OSError, ValueError, KeyError, TypeError):  # absent, or not ours: play it again
            return None
        return (episodes, float(kept["seconds"])) if len(episodes) == cell.episodes else None

    def keep(self, cell: Job, episodes: Sequence[Any], seconds: float) -> None:
        """Keeps a finished cell; episodes are dataclasses."""
        with _writing(self.folder):
            content = {"episodes": [dataclasses.asdict(episode) for episode in episodes], "seconds": seconds}
            _write_json(self.folder / "cells" / f"{cell.key}.json", content)

    def publish(self, results: list[dict[str, Any]], head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Writes `results.json`, and `episodes.csv` with a row an episode, of the cells so far."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([head, *rows])
        with _writing(self.folder):
            _write_json(self.folder / "results.json", {"schema": SCHEMA, "cells": results})
            write_whole(self.folder / "episodes.csv", text.getvalue().encode())

    def _refuse_conflict(self, configuration: dict[str, Any]) -> None:
        path = self.folder / "config.json"
        if self.folder.exists() and not self.folder.is_dir():
            raise InvalidInput(f"--run {self.folder}: expected a folder, this is a file")
        if not path.exists():
            if self.folder.is_dir() and any(self.folder.iterdir()) and not (self.folder / "cells").is_dir():
                raise RunConflict(f"--run {self.folder}: holds other files and no run; choose another folder")
            return
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))["configuration"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunConflict(f"{path}: not a readable configuration ({error}); choose another --run") from error
        ours = json.loads(json.dumps(configuration))
        if difference := _first_difference(kept, ours):
            raise RunConflict(f"--run {self.folder} holds another configuration: {difference}; choose another --run")


def _first_difference(kept: Any, ours: Any, where: str = "") -> str | None:
    if isinstance(kept, dict) and isinstance(ours, dict):
        for key in ours.keys() | kept.keys():
            if found := _first_difference(kept.get(key), ours.get(key), f"{where}.{key}".strip(".")):
                return found
        return None
    return None if kept == ours else f"{where} is {json.dumps(kept)} there, {json.dumps(ours)} now"


def _write_json(path: Path, content: Any) -> None:
    write_whole(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


class _writing:  # noqa: N801  # reads as a statement
    """Turns what the operating system says about a full or locked disk into one line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, Unwritable):
            reason = error.strerror or str(error)
            raise Unwritable(f"{self._folder}: cannot be written ({reason}); finished cells are kept") from error
