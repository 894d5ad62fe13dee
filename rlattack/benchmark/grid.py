"""Grids: which agents meet which attacks in which games, as a TOML file asks for it."""

import dataclasses
import fnmatch
import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlattack.content import find_card, iterate_cards, read_card
from rlattack.errors import ContentError, InvalidInput, UnknownName, nearest, typed
from rlattack.evaluation.study import Options, Study
from rlattack.games.table import parse_table
from rlattack.policies.folder import agent_cards

SCHEMA = "rlattack/grid/1"
_FOLDER = "benchmarks"
_OWN = ("game", "defence", "seed", "plugin", "trust")
"""Options of a study that a table has otherwise, as lists, or not at all."""
_WORDS = {str: "a text", dict: "a table", list: "a list of tables"}


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What is stated of an agent by those who trained it, to stand beside what is measured.

    Attributes:
        agent: The agent, or a group.
        source: Where it is stated.
        game: Of the number; any by default.
        eps: The size that the attacked score is at; that of all tables by default.
    """

    agent: str
    source: str
    clean: float | None = None
    attacked: float | None = None
    game: str = ""
    eps: float | None = None


@dataclass(frozen=True, kw_only=True)
class Product:
    """One table of a grid: every game with every victim, behind every row of fronts, on every seed.

    Attributes:
        games: Ids.
        victims: Agents, groups, or patterns over the ids of agents that are listed, as `*`; each that is of the game.
        defences: Rows of fronts; the bare victim is the empty row.
        seeds: Of the episodes.
        players: Of a game of several seats, in place of victims: who may take each seat.
        victim: Then the seat under study.
        attacked: Then the seat that attacks work on.
        options: All other options of a study, as attack, eps and episodes.
    """

    games: tuple[str, ...]
    victims: tuple[str, ...] = ()
    defences: tuple[tuple[str, ...], ...] = ((),)
    seeds: tuple[int, ...] = (0,)
    players: tuple[tuple[str, ...], ...] = ()
    victim: str = ""
    attacked: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Who stands on the leaderboard of a game: an agent, or a group of training seeds of one method.

    Attributes:
        name: Of the agent, or of the group, behind its fronts.
        game: Its game.
        group: Whether it is a group.
        studies: What its agents play, by agent; several of one on several seeds.
    """

    name: str
    game: str
    group: bool
    studies: Mapping[str, tuple[Study, ...]]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A grid as it was read.

    Attributes:
        name: Of the file.
        title: In a few words.
        groups: Agents by the name of their group.
        products: Its tables.
        reported: What is stated of agents elsewhere.
    """

    name: str
    title: str = ""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    products: tuple[Product, ...]
    reported: tuple[Reported, ...] = ()

    def with_victims(self, victims: Sequence[str]) -> "Grid":
        """The same for other agents, each as AGENT or as GROUP=AGENT,AGENT,...; the grid's own where none is given."""
        if not victims:
            return self
        groups = dict(self.groups)
        for text in victims:
            name, equals, agents = text.partition("=")
            if equals:
                groups[name] = tuple(agents.split(","))
        names = tuple(text.partition("=")[0] for text in victims)
        products = tuple(dataclasses.replace(one, victims=names) if one.victims else one for one in self.products)
        return dataclasses.replace(self, groups=groups, products=products)

    @property
    def contenders(self) -> list[Contender]:
        """Who is compared, each with all that its agents play.

        Raises:
            InvalidInput: An option that does not fit, or a table in which nobody plays.
        """
        found: dict[tuple[str, str], Contender] = {}
        for number, product in enumerate(self.products, start=1):
            of_product = list(self._of(product, f"grid {self.name}, table {number}"))
            if not of_product:
                raise InvalidInput(
                    f"grid {self.name}, table {number}: victims: expected agents of {', '.join(product.games)}, got "
                    f"{', '.join(product.victims)}, which none is; `rlattack list agents` shows all"
                )
            for one in of_product:
                before = found.get((one.game, one.name))
                found[one.game, one.name] = one if before is None else _joined(before, one)
        return list(found.values())

    def _of(self, product: Product, where: str) -> Iterator[Contender]:
        for game, fronts in itertools.product(product.games, product.defences):
            options = [{"game": game, "defence": fronts, "seed": seed, **product.options} for seed in product.seeds]
            behind = f" behind {' + '.join(fronts)}" if fronts else ""
            if product.players:
                more = {"players": product.players, "victim": product.victim, "attacked": product.attacked}
                name = " - ".join(",".join(of) for of in product.players)
                studies = tuple(_study(one | more, where) for one in options)
                yield Contender(name=name + behind, game=game, group=False, studies={name: studies})
            for name, agents in self._named(product.victims, game):
                yield Contender(
                    name=name + behind, game=game, group=name in self.groups,
                    studies={
                        agent: tuple(_study(one | {"players": (agent,)}, where) for one in options) for agent in agents
                    },
                )  # fmt: skip

    def _named(self, victims: Sequence[str], game: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Who plays a game: groups, agents, and those that a pattern fits."""
        for text in victims:
            if text in self.groups:
                yield text, self.groups[text]
            elif any(sign in text for sign in "*?["):
                listed = (name for name, card in agent_cards() if card.game == game and card.role == "victim")
                yield from ((name, (name,)) for name in listed if fnmatch.fnmatch(name, text))
            else:
                yield text, (text,)


def _joined(one: Contender, other: Contender) -> Contender:
    """A contender of several tables, with what it plays in all of them."""
    agents = dict.fromkeys([*one.studies, *other.studies])
    both = {name: tuple(dict.fromkeys((*one.studies.get(name, ()), *other.studies.get(name, ())))) for name in agents}
    return dataclasses.replace(one, studies=both)


def _study(values: Mapping[str, Any], where: str) -> Study:
    try:
        return Study(**values)
    except (InvalidInput, UnknownName) as error:
        with typed(False):  # a file has keys, and no options
            said = str(error)
        raise InvalidInput(f"{where}: {said}") from error


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
    if bool(product.victims) == bool(product.players):
        raise ContentError(f"{where}: expected victims, or the players of a game of several seats, and not both")
    return product


def _expect_keys(values: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for name in values:
        if name not in known:
            raise ContentError(f"{where}: no key {name!r}{nearest(name, known)}; there are {', '.join(sorted(known))}")
