"""Cells by key: what was played is kept whole or not at all, and is found again by whichever run needs it.

Episodes in which observers looked on lie beside those without, under a name of their own: neither takes the other's
place, and both only grow.
"""

import datetime
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from rlattack.errors import RunConflict, Unwritable
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.keys import digest
from rlattack.evaluation.lock import locked
from rlattack.evaluation.observers import code_of_observer
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
        say: Told in a line, once each, of files that are damaged.

    Attributes:
        fits: Folder of what attacks learned.
        clips: Folder of recordings of attacked cells, by key.
        ledgers: Folder of ledgers, by key.

    Raises:
        RunConflict: A store of another version.
        Unwritable: The folder cannot be written.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] = lambda line: None) -> None:
        self.folder, self.fits, self.clips, self.ledgers = folder, folder / "fits", folder / "clips", folder / "ledgers"
        self._sources: dict[str, str] = {}
        self._listed: tuple[int, dict[str, list[Path]]] = 0, {}
        self._say = functools.cache(say)
        self._parsed = functools.lru_cache(maxsize=4)(_parsed)
        path = folder / "store.json"
        way_out = "remove the folder, or choose a --run in another one"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))["schema"]
        except FileNotFoundError:
            write_whole(path, json.dumps({"schema": STORE_SCHEMA}).encode())
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunConflict(f"{path}: not a store that can be read ({error}); {way_out}") from error
        if found != STORE_SCHEMA:
            raise RunConflict(f"{path}: expected schema {STORE_SCHEMA!r}, got {found!r}; {way_out}")

    def read(self, cell: Cell) -> Kept | None:
        """What is kept of a cell, of as many episodes as there are; None where nothing is, or it was damaged.

        What observers measured must be there where the cell asks for some; more than that does no harm. A file with
        other content than was written is none of a cell: it is played again, which is said.
        """
        return self._most(cell, self._files(cell))

    def date(self, cell: Cell) -> str:
        """The day on which the last of a cell was kept, as 2026-11-27; empty where nothing is."""
        times = [path.stat().st_mtime for path in self._files(cell)]
        return datetime.datetime.fromtimestamp(max(times), datetime.UTC).date().isoformat() if times else ""

    def keep(self, cell: Cell, kept: Kept) -> None:
        """Adds episodes to those that are kept of a cell, whoever played them meanwhile; never keeps fewer.

        Raises:
            Unwritable: The folder cannot be written.
        """
        try:
            with locked(self.folder):
                own, listed = self._own(cell), self._listed[1].get(cell.key, [])
                there = [own] if own not in listed and own.exists() else []  # of whoever else wrote meanwhile
                before = self._most(cell, [*listed, *there]) or Kept([], 0.0)
                merged = {one.episode: one for one in (*before.episodes, *kept.episodes)}
                self._write(cell, Kept([merged[number] for number in sorted(merged)], before.seconds + kept.seconds))
                # listed here, for to list thousands of files anew after each one takes longer than to write it
                self._listed[1][cell.key] = sorted({own, *listed}, reverse=True)
                self._listed = self._stamp, self._listed[1]
        except OSError as error:
            raise Unwritable(f"{self.folder}: cannot be written ({error.strerror}); finished cells are kept") from error

    def _files(self, cell: Cell) -> list[Path]:
        """Files of a cell, those without observers first; the folder is listed anew only when it has changed."""
        if self._listed[0] != self._stamp:
            by_key: dict[str, list[Path]] = {}
            stamp = self._stamp
            for path in sorted((self.folder / "cells").glob("*.json"), reverse=True):
                by_key.setdefault(path.name[: len(cell.key)], []).append(path)
            self._listed = stamp, by_key
        return self._listed[1].get(cell.key, [])

    @property
    def _stamp(self) -> int:
        """When the folder of cells was last changed."""
        cells = self.folder / "cells"
        return cells.stat().st_mtime_ns if cells.is_dir() else 0

    def _own(self, cell: Cell) -> Path:
        """Where a cell with its observers lies."""
        observers = self._observers(cell)
        return self.folder / "cells" / (f"{cell.key}-{digest(observers)}.json" if observers else f"{cell.key}.json")

    def _most(self, cell: Cell, files: Sequence[Path]) -> Kept | None:
        """What the file of most episodes keeps of a cell."""
        found = [kept for path in files if (kept := self._read(cell, path)) is not None]
        return max(found, key=lambda kept: len(kept.episodes), default=None)

    def _read(self, cell: Cell, path: Path) -> Kept | None:
        """What a file keeps of a cell, as it is now: the last few files that did not change are not read again."""
        try:
            about = path.stat()
            kept, observers = self._parsed(path, cell.key, (about.st_ino, about.st_mtime_ns, about.st_size))
        except (OSError, ValueError, KeyError, TypeError):
            self._say(f"{path}: damaged, or edited: its episodes are played again")
            return None
        measured = all(observers.get(name) == about for name, about in self._observers(cell).items())
        return kept if measured else None

    def _write(self, cell: Cell, kept: Kept) -> None:
        content: dict[str, Any] = {
            "schema": CELL_SCHEMA,
            "key": cell.key,
            "seconds": kept.seconds,
            "observers": self._observers(cell),
            "episodes": _adapter().dump_python(kept.episodes, mode="json"),
        }
        content["checksum"] = _checksum(content)
        write_whole(self._own(cell), json.dumps(content, allow_nan=False).encode())

    def _observers(self, cell: Cell) -> dict[str, list[object]]:
        """By the names of a cell's observers, the seat that they look at and the digest of code that is not ours.

        Their code is what it was when this store was opened: an edit meanwhile plays no part.
        """
        for name in cell.observers:
            if name not in self._sources:
                self._sources[name] = code_of_observer(name)
        detectors = {f"detect {ref.spec}": [ref.seat, ref.fit, ref.code] for ref in cell.detectors}
        return {name: [cell.victim, self._sources[name]] for name in sorted(cell.observers)} | detectors


def _parsed(path: Path, key: str, state: tuple[int, ...]) -> tuple[Kept, dict[str, Any]]:
    """What a file in a state keeps of the cell of a key, and what observers there were.

    Raises:
        OSError, ValueError, KeyError, TypeError: It is damaged, or of another cell.
    """
    kept = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    if kept["schema"] != CELL_SCHEMA or kept["key"] != key or kept["checksum"] != _checksum(kept):
        raise ValueError("of another key, schema or checksum")
    episodes = _adapter().validate_python(kept["episodes"])
    if not episodes or any((one.episode, one.cell) != (n, key) for n, one in enumerate(episodes)):
        raise ValueError("episodes that are not those of the cell")
    return Kept(episodes, float(kept["seconds"])), dict(kept["observers"])


def _checksum(content: dict[str, Any]) -> str:
    """Of all that was written but the checksum itself."""
    text = json.dumps({name: value for name, value in content.items() if name != "checksum"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


@functools.cache
def _adapter() -> TypeAdapter[list[Episode]]:
    return TypeAdapter(list[Episode])
