"""Runs that somebody has tampered with: each forgery by itself, with all checksums that one can make anew."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rlattack.arrays import packed, unpacked
from rlattack.evaluation.keys import digest
from rlattack.evaluation.ledger import Ledger, read_ledger, write_ledger


class Forgery:
    """A copy of a run to tamper with: cells are `clean`, `noise` and `attack`.

    Args:
        run: What was played.
        folder: Where the copy is to lie.
    """

    def __init__(self, run: Path, folder: Path) -> None:
        shutil.copytree(run, folder, ignore=shutil.ignore_patterns("store", "clips", "*.html", "events*"))
        self.folder = folder
        cells = json.loads((folder / "results.json").read_text())["cells"]
        names = {(one["attacks"] or [{"name": "clean"}])[0]["name"]: one["cell"] for one in cells}
        self.keys = {"clean": names.pop("clean"), "noise": names.pop("noise"), "attack": next(iter(names.values()))}

    def results(self, change: Callable[[dict[str, Any]], object], cell: str = "attack") -> None:
        """Changes a cell of results.json."""
        key = self.keys[cell]
        self.all_results(lambda cells: [change(one) for one in cells if one["cell"] == key])

    def all_results(self, change: Callable[[list[dict[str, Any]]], object]) -> None:
        """Changes the list of cells in results.json."""
        self._json("results.json", lambda content: change(content["cells"]))

    def config(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Changes config.json."""
        self._json("config.json", change)

    def rows(self, change: Callable[[list[dict[str, str]]], object], cell: str = "attack") -> None:
        """Changes the rows of a cell in episodes.csv."""
        path = self.folder / "episodes.csv"
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        own = [row for row in rows if row["cell"] == self.keys[cell]]
        left = [row for row in rows if row["cell"] != self.keys[cell]]
        head = list(rows[0])
        change(own)
        text = io.StringIO()
        table = csv.DictWriter(text, head, lineterminator="\n")
        table.writeheader()
        table.writerows([*left, *own])
        path.write_text(text.getvalue())

    def ledger_path(self, cell: str = "attack") -> Path:
        """Where the ledger of a cell lies."""
        return self.folder / "ledgers" / f"{self.keys[cell]}.npz"

    def said(self, change: Callable[[dict[str, Any]], object], cell: str = "attack") -> None:
        """Changes what the ledger of a cell says, and makes its checksum anew."""
        ledger = read_ledger(self.ledger_path(cell))
        said = json.loads(json.dumps(dict(ledger.said)))
        change(said)
        write_ledger(self.ledger_path(cell), Ledger(said, ledger.arrays))

    def array(self, name: str, change: Callable[[Any], Any], cell: str = "attack") -> None:
        """Changes an array of the ledger of a cell, in place or by what is returned."""
        ledger = read_ledger(self.ledger_path(cell))
        values = ledger.arrays[name].copy()
        changed = change(values)
        write_ledger(self.ledger_path(cell), Ledger(ledger.said, {**ledger.arrays, name: _or(changed, values)}))

    def received(self, change: Callable[[Any], Any], cell: str = "attack") -> None:
        """Changes what arrived in the sampled steps of a cell."""
        shown = read_ledger(self.ledger_path(cell)).arrays["shown.0"]

        def change_planes(planes: Any) -> Any:
            values = unpacked(planes, shown).copy()
            values = _or(change(values), values).astype(np.float32)
            return np.stack([packed(one, other) for one, other in zip(values, shown, strict=True)])

        self.array("received.0", change_planes, cell)

    def renamed(self, change: Callable[[dict[str, Any]], object], cell: str = "attack") -> None:
        """Changes what was played, and the key with it wherever it stands."""
        before = self.keys[cell]
        said = dict(read_ledger(self.ledger_path(cell)).said)
        identity = json.loads(json.dumps(said["identity"]))
        change(identity)
        after = digest(identity)
        self.said(lambda said: said.update(identity=identity, key=after), cell)
        self.said(lambda said: [one.update(cell=after) for one in said["episodes"]], cell)
        self.ledger_path(cell).rename(self.folder / "ledgers" / f"{after}.npz")
        for name in ("results.json", "config.json", "episodes.csv"):
            path = self.folder / name
            path.write_text(path.read_text().replace(before, after))
        self.keys[cell] = after

    def _json(self, name: str, change: Callable[[Any], object]) -> None:
        path = self.folder / name
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))


def _or(changed: Any, values: Any) -> Any:
    return changed if isinstance(changed, np.ndarray) else values
