"""Run folders as they lie on the disk: results of this and of the first schema, and how they came about."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from rlattack.errors import ContentError, one_line
from rlattack.evaluation.results import SCHEMA, Result, from_json
from rlattack.evaluation.run import CONFIG_SCHEMA
from rlattack.report.first_schema import SCHEMA as FIRST
from rlattack.report.first_schema import convert

_FIRST_CONFIG = "rlattack/config/1"


@dataclass(frozen=True)
class RunRecord:
    """What a run folder holds.

    Attributes:
        folder: With `clips/`, `videos/` and pictures, where the run has them.
        results: Its cells, in order.
        config: The object of `config.json`; empty without one.
    """

    folder: Path
    results: tuple[Result, ...]
    config: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.resolve().name

    @property
    def planned(self) -> int | None:
        """How many cells there will be; None where the configuration does not tell."""
        cells = self.config.get("cells")
        return len(cells) if isinstance(cells, list) else None

    @property
    def command(self) -> str | None:
        """The command line that made it."""
        command = self.config.get("command")
        return command if isinstance(command, str) else None

    @property
    def facts(self) -> dict[str, str | int | float]:
        """Seeds, hashes and other single values of the configuration."""
        return {k: v for k, v in self.config.items() if k != "command" and isinstance(v, str | int | float)}

    @property
    def versions(self) -> dict[str, str]:
        """Versions of packages, by name."""
        found = self.config.get("versions")
        return {name: str(version) for name, version in found.items()} if isinstance(found, dict) else {}

    def action_names(self, game: str) -> list[str] | None:
        """A name an action of a game: a list for the run, or a table of lists by game."""
        names = self.config.get("action_names")
        if isinstance(names, dict):
            names = names.get(game)
        return [str(name) for name in names] if isinstance(names, list) else None


def read_run(folder: Path) -> RunRecord:
    """Reads a run folder.

    Raises:
        ContentError: A folder without results, or with results that are damaged or of a schema that nobody reads.
    """
    if folder.is_file():
        raise ContentError(f"{folder}: expected a run folder, as `rlattack attack` or `rlattack duel` makes one")
    found = RunRecord(folder, tuple(_read_results(folder / "results.json")), read_config(folder))
    if not found.results and not found.planned:
        raise ContentError(f"{folder}: holds no results and no plan of any: nothing was played here")
    return found


def read_config(folder: Path) -> Mapping[str, Any]:
    """Reads `config.json` of a run folder; empty where there is none.

    Raises:
        ContentError: It is damaged, or of a schema that nobody reads.
    """
    content = _read_json(path := folder / "config.json")
    if not isinstance(content, dict):
        return {}
    if (schema := content.get("schema", CONFIG_SCHEMA)) not in (_FIRST_CONFIG, CONFIG_SCHEMA):
        raise ContentError(f"{path}: expected schema {CONFIG_SCHEMA!r} or {_FIRST_CONFIG!r}, got {schema!r}")
    return content


def _read_results(path: Path) -> list[Result]:
    content = _read_json(path)
    if content is None:
        raise ContentError(
            f"{path.parent}: expected a run folder with results.json; `rlattack attack` or `rlattack duel` makes one"
        )
    schema = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(content, dict) or schema not in (FIRST, SCHEMA):
        raise ContentError(f"{path}: expected schema {SCHEMA!r} or {FIRST!r}, got {schema!r}")
    cells = content.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise ContentError(f"{path}: expected a list of cells")
    try:
        return from_json(cells if schema == SCHEMA else [convert(cell) for cell in cells])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ContentError(f"{path}: damaged: cell {where}: {one_line(Exception(first['msg']))}") from error
    except KeyError as error:
        raise ContentError(f"{path}: damaged: expected {error.args[0]!r} in every cell") from error
    except (TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise ContentError(f"{path}: damaged: {one_line(error)}") from error


def _read_json(path: Path) -> object:
    """Reads JSON whose numbers are finite: others must not be shown; None when there is no file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_float=_finite, parse_constant=_refuse)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ContentError(f"{path}: cannot be read ({one_line(error)})") from error


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no finite number")
