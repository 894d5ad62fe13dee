"""Grids: which agents meet which attacks in which games, as a TOML file asks for it."""

import dataclasses
import fnmatch
import functools
import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlattack.benchmark.entry import AGENT, Entry, is_entry, read_entry
from rlattack.errors import InvalidInput, UnknownName, nearest, typed
from rlattack.evaluation.study import Study
from rlattack.policies.folder import AgentCard, agent_cards


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
        entry: Digest of the entry that it is; empty for others.
    """

    name: str
    game: str
    group: bool
    studies: Mapping[str, tuple[Study, ...]]
    entry: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """By which something may be stated of it: its own, and those of its agents."""
        return self.name, *self.studies


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A grid as it was read.

    Attributes:
        name: Of the file.
        title: In a few words.
        groups: Agents by the name of their group.
        products: Its tables.
        reported: What is stated of agents elsewhere.
        salt: By which its seeds were drawn after its entries were fixed; empty where they were known before.
        called: Whether its victims are those of a command, of whom some play in none of some tables.
    """

    name: str
    title: str = ""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    products: tuple[Product, ...]
    reported: tuple[Reported, ...] = ()
    salt: str = ""
    called: bool = False

    def with_victims(self, victims: Sequence[str]) -> "Grid":
        """The same for other agents, each as AGENT or as GROUP=AGENT,AGENT,...; the grid's own where none is given.

        They stand in the tables of their games.
        """
        if not victims:
            return self
        groups = dict(self.groups)
        for text in victims:
            name, equals, agents = text.partition("=")
            if equals:
                groups[name] = tuple(agents.split(","))
        names = tuple(text.partition("=")[0] for text in victims)
        products = tuple(dataclasses.replace(one, victims=names) if one.victims else one for one in self.products)
        other = dataclasses.replace(self, groups=groups, products=products, reported=(), called=True)
        known = {name for one in other.contenders for name in one.names}
        return dataclasses.replace(other, reported=tuple(one for one in self.reported if one.agent in known))

    def revealed(self, salt: str) -> "Grid":
        """The same on other seeds: drawn of what all entries are, so that nobody knew them before these were fixed.

        Args:
            salt: What became known after that, as a public draw of numbers; the same gives the same seeds.

        Raises:
            InvalidInput: No victim is an entry.
        """
        if not self.fixed:
            raise InvalidInput("--reveal: expected victims that are entries; `rlattack benchmark --entry` makes one")
        products = tuple(
            dataclasses.replace(one, seeds=drawn_seeds(salt, self.fixed, len(one.seeds))) for one in self.products
        )
        return dataclasses.replace(self, products=products, salt=salt)

    @property
    def fixed(self) -> tuple[str, ...]:
        """Digests of the entries among its victims, in order."""
        return tuple(sorted(entry.digest for entry in self.entries.values()))

    @functools.cached_property
    def entries(self) -> dict[str, Entry]:
        """The entries among its victims and in their groups, by their folders; each is checked as a foreign file.

        Raises:
            RlattackError: One that is damaged, or holds what it may not.
        """
        victims = [text for product in self.products for text in product.victims]
        named = dict.fromkeys(agent for text in victims for agent in self.groups.get(text, (text,)))
        return {text: read_entry(Path(text)) for text in named if is_entry(Path(text))}

    @property
    def contenders(self) -> list[Contender]:
        """Who is compared, each with all that its agents play.

        Raises:
            InvalidInput: An option that does not fit, a table in which nobody plays, two victims of one name, or
                something that is reported of nobody.
        """
        found: dict[tuple[str, str], Contender] = {}
        for number, product in enumerate(self.products, start=1):
            of_product = list(self._of(product, f"grid {self.name}, table {number}"))
            if not of_product and not self.called:
                raise _nobody(f"grid {self.name}, table {number}", product.games, product.victims)
            for one in of_product:
                before = found.get((one.game, one.name))
                found[one.game, one.name] = one if before is None else _joined(before, one, self.name)
        games = list(dict.fromkeys(game for product in self.products for game in product.games))
        for text in self.products[0].victims if self.called else ():
            if not any(self._plays(text, game) for game in games):
                raise _nobody(f"grid {self.name}", games, (text,))
        self._check_reported(list(found.values()))
        return list(found.values())

    def _check_reported(self, contenders: Sequence[Contender]) -> None:
        """Refuses a number that is reported of nobody who plays."""
        known = list(dict.fromkeys(name for one in contenders for name in one.names))
        for number, one in enumerate(self.reported, start=1):
            where = f"grid {self.name}, reported {number}"
            if one.agent not in known:
                raise InvalidInput(
                    f"{where}: agent: nobody is called {one.agent!r}{nearest(one.agent, known)}; there are "
                    f"{', '.join(known)}"
                )
            games = dict.fromkeys(of.game for of in contenders if one.agent in of.names)
            if one.game and one.game not in games:
                raise InvalidInput(f"{where}: game: {one.agent} plays {', '.join(games)}, got {one.game!r}")

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
                entries = [self.entries[agent] for agent in agents if agent in self.entries]
                yield Contender(
                    name=(entries[0].name if entries and name not in self.groups else name) + behind, game=game,
                    group=name in self.groups,
                    studies=dict(self._played(agent, options, where) for agent in agents),
                    entry=_fixed(entries) if len(entries) == len(agents) else "",
                )  # fmt: skip

    def _played(
        self, agent: str, options: Sequence[Mapping[str, Any]], where: str
    ) -> tuple[str, tuple[Study, ...]]:  # fmt: skip
        """An agent with what it plays: one of an entry behind its own fronts, where a table names no others."""
        entry = self.entries.get(agent)
        own = {} if entry is None or options[0]["defence"] else {"defence": entry.defence}
        player = agent if entry is None else str(Path(agent) / AGENT)
        return player, tuple(_study({**one, **own, "players": (player,)}, where) for one in options)

    def _named(self, victims: Sequence[str], game: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Who plays a game: groups, agents, and those that a pattern fits."""
        for text in victims:
            if (self.called or text in self.entries) and not self._plays(text, game):
                continue
            if text in self.groups:
                yield text, self.groups[text]
            elif any(sign in text for sign in "*?["):
                listed = (name for name, card in self._cards if card.game == game and card.role == "victim")
                yield from ((name, (name,)) for name in listed if fnmatch.fnmatch(name, text))
            else:
                yield text, (text,)

    def _plays(self, victim: str, game: str) -> bool:
        """Whether a victim, or each of a group, is of a game, as far as entries and cards of agents tell."""
        return all(self._games.get(agent, game) == game for agent in self.groups.get(victim, (victim,)))

    @functools.cached_property
    def _games(self) -> dict[str, str]:
        """Of agents that can be named, and of entries."""
        of_entries = {name: one.game for name, one in self.entries.items()}
        return {name: card.game for name, card in self._cards} | of_entries

    @functools.cached_property
    def _cards(self) -> list[tuple[str, AgentCard]]:
        return agent_cards()


def _nobody(where: str, games: Sequence[str], victims: Sequence[str]) -> InvalidInput:
    return InvalidInput(
        f"{where}: victims: expected agents of {', '.join(games)}, got {', '.join(victims)}, which none is; `rlattack "
        "list agents` shows all"
    )


def _fixed(entries: Sequence[Entry]) -> str:
    """Digest of one entry, or of all of a group."""
    if len(entries) == 1:
        return entries[0].digest
    return hashlib.sha256("\n".join(entry.digest for entry in entries).encode()).hexdigest()


def drawn_seeds(salt: str, entries: Sequence[str], count: int) -> tuple[int, ...]:
    """Seeds that nobody knew before a salt was known and entries were fixed: of at most nine digits, below tuning ones.

    Args:
        salt: What became known.
        entries: Digests of the entries, in order.
        count: How many.
    """
    drawn = hashlib.sha256("\n".join([salt, *entries]).encode()).digest()
    digests = (hashlib.sha256(drawn + number.to_bytes(4)).digest() for number in range(count))
    return tuple(int.from_bytes(one[:8], "big") % 1_000_000_000 for one in digests)


def _joined(one: Contender, other: Contender, grid: str) -> Contender:
    """A contender of several tables, with what it plays in all of them."""
    if list(one.studies) != list(other.studies):
        agents = f"{', '.join(one.studies)} and {', '.join(other.studies)}"
        raise InvalidInput(f"grid {grid}: two victims are called {one.name}, {agents}: rename one, or leave it out")
    both = {name: tuple(dict.fromkeys((*studies, *other.studies[name]))) for name, studies in one.studies.items()}
    return dataclasses.replace(one, studies=both)


def _study(values: Mapping[str, Any], where: str) -> Study:
    try:
        return Study(**values)
    except (InvalidInput, UnknownName) as error:
        with typed(False):  # a file has keys, and no options
            said = str(error)
        raise InvalidInput(f"{where}: {said}") from error
