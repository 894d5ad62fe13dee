"""A leaderboard: its tables of rows, and who is compared by which cells."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rlattack.benchmark.standing import Standing, Threat


@dataclass(frozen=True, kw_only=True)
class Compared:
    """An agent that is compared, and all that its row is made of.

    Attributes:
        game: Its game.
        contender: Of its row.
        group: Whether that is a group of training seeds.
        agents: How many agents that has.
        entry: Digest of the entry that it is; empty for others.
        agent: As it was named.
        identity: Digest of all that its play depends on.
        cells: Keys of the cells that were played of it.
    """

    game: str
    contender: str
    group: bool
    agents: int
    entry: str
    agent: str
    identity: str
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """A counterexample that was replayed, and what its numbers are made of.

    Attributes:
        game: Of whom it is about.
        contender: Of whose row.
        agent: Whom it is about.
        attack: In words.
        authors: Who found it.
        source: Where it is described.
        eps: Its size.
        stated: What it left, as its authors state it.
        recorded: Whether it is of recorded perturbations, on seeds that its authors chose.
        attacked: Keys of its cells.
        clean: Keys of the cells without it.
        runs: Run folders that they lie in.
    """

    game: str
    contender: str
    agent: str
    attack: str
    authors: str
    source: str
    eps: float
    stated: float
    recorded: bool
    attacked: tuple[str, ...]
    clean: tuple[str, ...]
    runs: tuple[str, ...]

    @property
    def about(self) -> tuple[str, str, str]:
        """Game, contender and agent."""
        return self.game, self.contender, self.agent


@dataclass(frozen=True)
class Difference:
    """Two contenders of a table beside each other.

    Attributes:
        first: The one that stands higher.
        second: The other.
        apart: By how much the first is better under its strongest attack.
        p: Two-sided, corrected for all comparisons of the table (Holm 1979); None where it cannot be said.
    """

    first: str
    second: str
    apart: float
    p: float | None


@dataclass(frozen=True)
class Attacker:
    """How an attack did against all contenders.

    Attributes:
        name: The attack.
        met: Agents and sizes that it was played on.
        strongest: On how many of them it left less than all others.
        margin: By how much it left less than the second there, the mean; None where it never was.
    """

    name: str
    met: int
    strongest: int
    margin: float | None


@dataclass(frozen=True)
class Ranking:
    """Contenders of one game under attacks of one kind and size.

    Attributes:
        threat: What attacks may do.
        rows: The best first.
        differences: Between all pairs.
    """

    threat: Threat
    rows: tuple[Standing, ...]
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class GameBoard:
    """All rankings of a game, as it is played in one protocol.

    Attributes:
        game: Its id.
        protocol: What all its cells share, by name; in words where they have several.
        rankings: Of small sizes first.
        attackers: The most successful first.
    """

    game: str
    protocol: Mapping[str, object]
    rankings: tuple[Ranking, ...]
    attackers: tuple[Attacker, ...]


@dataclass(frozen=True)
class Leaderboard:
    """What came of a grid.

    Attributes:
        grid: Its name.
        title: In a few words.
        boards: A game each.
        impossible: Pairs that were not played: agent, attack, why.
        missing: Cells that are not there yet.
        failed: Cells that failed, as where an attack left its reach; they stand in no row.
        salt: By which seeds were drawn after entries were fixed; empty where they were known before.
        entries: Digests of the entries of which they were drawn too.
        runs: Run folders that it is made of.
        compared: Who is compared, by which cells.
        challenges: Counterexamples, in the order in which they may count.
    """

    grid: str
    title: str
    boards: tuple[GameBoard, ...]
    impossible: tuple[tuple[str, str, str], ...] = ()
    missing: int = 0
    failed: int = 0
    salt: str = ""
    entries: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    compared: tuple[Compared, ...] = ()
    challenges: tuple[Challenge, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of all that played."""
