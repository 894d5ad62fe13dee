"""Grids as TOML files: found by name, and read strictly."""

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlattack.benchmark.grid import Grid, Product, Reported
from rlattack.content import find_card, iterate_cards, read_card
from rlattack.errors import ContentError, UnknownName, nearest
from rlattack.evaluation.study import Options
from rlattack.games.table import parse_table

SCHEMA = "rlattack/grid/1"
_FOLDER = "benchmarks"
_OWN = ("game", "defence", "seed", "plugin", "trust")
"""Options of a study that a table has otherwise, as lists, or not at all."""
_WORDS = {str: "a text", dict: "a table", list: "a list of tables"}


def list_grids() -> list[tuple[str, str]]:
    """Names and titles of the grids that ship, and of those under `envs/benchmarks`."""
    cards = ((name, card) for name, _, card in iterate_cards("envs", "*.toml", SCHEMA))
    return [(name.removeprefix(f"{_FOLDER}/"), str(card.get("title", ""))) for name, card in cards]


def read_grid(grid: str) -> Grid:
    """Reads a grid by the name of one that ships, or its file.

    Raises:
        UnknownName: There is none.
        ContentError: It is damaged, or holds a key that a grid has not, or a value of another type.
    """
    path, table = _found(grid)
    kinds = {"schema": str, "title": str, "groups": dict, "reported": list, "defaults": dict, "tables": list}
    _expect_keys(table, list(kinds), str(path))
    given = {name: table.get(name, kind()) for name, kind in kinds.items()}
    for name, kind in kinds.items():
        if type(given[name]) is not kind:
            raise ContentError(f"{path}: {name}: expected {_WORDS[kind]}, got {given[name]!r}")
    if not given["tables"]:
        raise ContentError(f"{path}: expected at least one [[tables]], which say who plays what")
    tables, stated = enumerate(given["tables"], start=1), enumerate(given["reported"], start=1)
    return Grid(
        name=path.stem,
        title=given["title"],
        groups={name: _group(agents, f"{path}: groups.{name}") for name, agents in given["groups"].items()},
        products=tuple(_product(one, given["defaults"], f"{path}, table {number}") for number, one in tables),
        reported=tuple(parse_table(Reported, one, f"{path}, reported {number}") for number, one in stated),
    )


def _group(agents: object, where: str) -> tuple[str, ...]:
    if not isinstance(agents, list) or not agents or not all(isinstance(one, str) for one in agents):
        raise ContentError(f"{where}: expected a list of agents, got {agents!r}")
    if len(set(agents)) < len(agents):
        raise ContentError(f"{where}: expected each agent once, got {agents!r}")
    return tuple(agents)


def _found(grid: str) -> tuple[Path, Mapping[str, Any]]:
    if (path := Path(grid)).suffix == ".toml":
        if not path.is_file():
            raise ContentError(f"{path}: expected a grid, there is no such file; {_shipped()}")
        try:
            tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ContentError(f"{path}: not a readable grid ({error})") from error
        table = read_card(path, SCHEMA)
        if table is None:
            raise ContentError(f"{path}: expected schema = {SCHEMA!r}")
        return path, table
    found = find_card("envs", "*.toml", SCHEMA, f"{_FOLDER}/{grid}")
    if found is None:
        raise UnknownName(f"no grid {grid!r}{nearest(grid, [name for name, _ in list_grids()])}; {_shipped()}")
    return found


def _shipped() -> str:
    return f"a file, or one of {', '.join(name for name, _ in list_grids())}"


def _product(values: object, defaults: Mapping[str, Any], where: str) -> Product:
    """A table, with what is no key of its own as an option of its studies."""
    if not isinstance(values, dict):
        raise ContentError(f"{where}: expected a table, got {values!r}")
    own = [one.name for one in dataclasses.fields(Product) if one.name != "options"]
    options = [one.name for one in dataclasses.fields(Options) if one.name not in _OWN]
    _expect_keys({**defaults, **values}, (*own, *options), where)
    given: dict[str, Any] = {"options": {}}
    for name, value in {**defaults, **values}.items():
        (given if name in own else given["options"])[name] = value
    product = parse_table(Product, given, where)
    for name in ("games", "defences", "seeds"):
        if not getattr(product, name):
            raise ContentError(f"{where}: {name}: expected at least one, got none")
    if bool(product.victims) == bool(product.players):
        raise ContentError(f"{where}: expected victims, or the players of a game of several seats, and not both")
    return product


def _expect_keys(values: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for name in values:
        if name not in known:
            raise ContentError(f"{where}: no key {name!r}{nearest(name, known)}; there are {', '.join(sorted(known))}")
