"""A run folder: a view on the cells that the last study needed, with its configuration and the tables made of them.

What an earlier study of the same configuration played stays in the store, and is shown again when it is asked for.
"""

import contextlib
import csv
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from rlattack.errors import InvalidInput, RunConflict, Unwritable
from rlattack.evaluation.ledger import read_ledger, write_ledger
from rlattack.evaluation.lock import locked
from rlattack.evaluation.results import Result, dumps
from rlattack.files import write_whole, writing, writing_whole

CONFIG_SCHEMA = "rlattack/config/2"
HEAD = (
    "cell", "episode", "seed", "seat", "player", "return", "outcome", "length", "ending", "truncated", "stalled",
)  # fmt: skip
"""Columns of `episodes.csv`."""
Row = tuple[object, ...]
_SHARE = 10
"""Publishing takes at most about this part of the time: one in so many seconds."""


class Run:
    """An open run folder; one command at a time writes it, another waits.

    Args:
        folder: Made when it is not there.
        configuration: What all cells of the run share; a folder with another one is refused.
        circumstances: The command, versions, hashes: kept beside it, not compared.
        say: Told in a line that another command writes the folder, so that this one waits.
        store: Where its cells lie; by default runs under `runs/` share theirs, another folder has its own.

    Raises:
        RunConflict: The folder belongs to another configuration.
        Unwritable: The folder cannot be written.
    """

    def __init__(
        self, folder: Path, configuration: dict[str, Any], circumstances: dict[str, Any],
        say: Callable[[str], None] = lambda line: None, store: Path | None = None,
    ) -> None:  # fmt: skip
        self.folder, self._say = folder, say
        self.store = store or shared_store(folder)
        self._configuration, self._circumstances = configuration, circumstances
        self._held, self._due = contextlib.ExitStack(), 0.0
        self._behind: Callable[[], Sequence[Result]] | None = None
        """Results that are newer than the file."""

    def __enter__(self) -> Self:
        with writing(self.folder), contextlib.ExitStack() as held:
            self._refuse_conflict()
            self.folder.mkdir(parents=True, exist_ok=True)
            waits = f"--run {self.folder}: another command writes it; this one goes on when that has ended"
            held.enter_context(locked(self.folder, lambda: self._say(waits)))
            self._refuse_conflict()  # of whoever wrote while this one waited
            content = {"schema": CONFIG_SCHEMA, **self._circumstances, "configuration": self._configuration}
            write_whole(self.folder / "config.json", (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
            self._held = held.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        with self._held, contextlib.suppress(Unwritable):
            if self._behind is not None:  # it ends early
                self._write_results(self._behind())

    def show(self, clip: Path) -> None:
        """Puts the recording of a cell, where there is one, into `clips/`."""
        own = self.folder / "clips" / clip.name
        if not clip.is_file() or own.exists():
            return
        with writing(self.folder):
            own.parent.mkdir(exist_ok=True)
            try:
                os.link(clip, own)
            except OSError:  # a file system without links
                write_whole(own, clip.read_bytes())

    def show_ledger(self, ledger: Path, episodes: int) -> None:
        """Puts the ledger of a cell, of so many episodes, into `ledgers/`."""
        found, own = read_ledger(ledger), self.folder / "ledgers" / ledger.name
        if len(found.lengths) > episodes:
            write_ledger(own, found.only(episodes))
            return
        write_whole(own, ledger.read_bytes())

    def publish(self, results: Sequence[Result], rows: Iterable[Row]) -> None:
        """Writes `results.json` and `episodes.csv`, each whole.

        Args:
            results: In the order of the plan.
            rows: Of `episodes.csv`, a row an episode and seat.
        """
        self._write_results(results)
        with writing_whole(self.folder / "episodes.csv") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(HEAD)
            table.writerows(rows)

    def add(self, results: Callable[[], Sequence[Result]], rows: Iterable[Row]) -> None:
        """Adds the rows of a cell that ended, and writes the results anew where that was not done just now."""
        with writing(self.folder), (self.folder / "episodes.csv").open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        self._behind = results
        if time.monotonic() >= self._due:
            self._write_results(results())

    def _write_results(self, results: Sequence[Result]) -> None:
        begun = time.monotonic()
        write_whole(self.folder / "results.json", dumps(results).encode())
        self._behind = None
        self._due = time.monotonic() + _SHARE * (time.monotonic() - begun)

    def _refuse_conflict(self) -> None:
        path = self.folder / "config.json"
        if self.folder.exists() and not self.folder.is_dir():
            raise InvalidInput(f"--run {self.folder}: expected a folder, this is a file")
        if not path.exists():
            known = {"store", "cells", "clips", "ledgers", "videos", ".lock"}
            if self.folder.is_dir() and any(entry.name not in known for entry in self.folder.iterdir()):
                raise RunConflict(f"--run {self.folder}: holds other files and no run; choose another folder")
            return
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            kept, schema = content["configuration"], content["schema"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunConflict(f"{path}: not a readable configuration ({error}); choose another --run") from error
        if schema != CONFIG_SCHEMA:
            raise RunConflict(
                f"{path}: expected schema {CONFIG_SCHEMA!r}, got {schema!r}: a run of another version of rlattack; "
                "`rlattack report` shows it, choose another --run"
            )
        if difference := _first_difference(kept, json.loads(json.dumps(self._configuration))):
            raise RunConflict(f"--run {self.folder} holds another configuration: {difference}; choose another --run")


def shared_store(folder: Path) -> Path:
    """Where the cells of a run folder lie: runs under `runs/` share theirs, another folder has its own."""
    shared = folder.resolve().parent == Path("runs").resolve()
    return (folder.parent if shared else folder) / "store"


def _first_difference(kept: Any, ours: Any, where: str = "") -> str | None:
    if isinstance(kept, dict) and isinstance(ours, dict):
        for key in ours | kept:  # in their order, so that the first one is the same each time
            if found := _first_difference(kept.get(key), ours.get(key), f"{where}.{key}".strip(".")):
                return found
        return None
    return None if kept == ours else f"{where} is {json.dumps(kept)} there, {json.dumps(ours)} now"
