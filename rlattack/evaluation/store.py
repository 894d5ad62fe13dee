"""Cells by key: what was played is kept whole or not at all, and is found again by whichever run needs it."""

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from rlattack.errors import RunConflict, Unwritable
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.episode import Episode
from rlattack.files import write_whole

STORE_SCHEMA = "rlattack/store/1"
CELL_SCHEMA = "rlattack/cell/2"


@dataclass(frozen=True)
class Kept:
    """The episodes of a cell, in order from 0, and the seconds that all workers together spent on them."""

    episodes: list[Episode]
    seconds: float


class Store:
    """Keeps finished cells in a folder; runs that need the same cell share it.

    Args:
        folder: Made when it is not there.

    Raises:
        RunConflict: A store of another version.
        Unwritable: The folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / "store.json"
        way_out = "remove the folder, or choose another --run"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))["schema"]
        except FileNotFoundError:
            write_whole(path, json.dumps({"schema": STORE_SCHEMA}).encode())
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunConflict(f"{path}: not a store that can be read ({error}); {way_out}") from error
        if found != STORE_SCHEMA:
            raise RunConflict(f"{path}: expected schema {STORE_SCHEMA!r}, got {found!r}; {way_out}")

    @property
    def fits(self) -> Path:
        """Folder of what attacks learned."""
        return self.folder / "fits"

    def read(self, cell: Cell) -> Kept | None:
        """What is kept of a cell, of as many episodes as there are; None where nothing is, or it was damaged.

        A file with other content than was written is none of a cell: it is played again.
        """
        try:
            kept = json.loads(self._path(cell).read_text(encoding="utf-8"), parse_constant=_refuse)
            if kept["schema"] != CELL_SCHEMA or kept["key"] != cell.key or kept["checksum"] != _checksum(kept):
                return None
            episodes = _adapter().validate_python(kept["episodes"])
            seconds = float(kept["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        in_order = all(one.episode == number and one.cell == cell.key for number, one in enumerate(episodes))
        measured = set(cell.observers) <= set(kept.get("observers", ()))
        return Kept(episodes, seconds) if episodes and in_order and measured else None

    def keep(self, cell: Cell, kept: Kept) -> None:
        """Keeps a cell.

        Raises:
            Unwritable: The folder cannot be written.
        """
        content: dict[str, Any] = {
            "schema": CELL_SCHEMA,
            "key": cell.key,
            "seconds": kept.seconds,
            "observers": list(cell.observers),
            "episodes": _adapter().dump_python(kept.episodes, mode="json"),
        }
        content["checksum"] = _checksum(content)
        try:
            write_whole(self._path(cell), json.dumps(content, allow_nan=False).encode())
        except Unwritable as error:
            raise Unwritable(f"{self.folder}: cannot be written ({error.strerror}); finished cells are kept") from error

    def _path(self, cell: Cell) -> Path:
        return self.folder / "cells" / f"{cell.key}.json"


def _checksum(content: dict[str, Any]) -> str:
    """Of all that was written but the checksum itself."""
    text = json.dumps({name: value for name, value in content.items() if name != "checksum"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


@functools.cache
def _adapter() -> TypeAdapter[list[Episode]]:
    return TypeAdapter(list[Episode])
