"""What stands on a leaderboard: who, against what, with which numbers, and how far they can be trusted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rlattack.benchmark.estimates import Estimate
from rlattack.budget.words import size_words
from rlattack.evaluation.estimates import Mean, Rate

Tier = Literal["smoke", "tuned", "verified"]
OWN_SEEDS = "on seeds of its own"
"""Of what is left in episodes that the authors of a counterexample chose."""


@dataclass(frozen=True, order=True)
class Threat:
    """What attacks of one table may do: only within it are contenders ranked.

    Attributes:
        access: What they work on, as `observation`.
        reach: What a size counts, as `linf`; empty without a size.
        space: In which units.
        eps: The size; 0 without one.
    """

    access: str
    reach: str
    space: str
    eps: float

    @property
    def size(self) -> tuple[str, str, float]:
        """What a claim of the same size says: norm, space, eps."""
        return self.reach, self.space, self.eps

    @property
    def kind(self) -> tuple[str, str, str]:
        """The same without the size."""
        return self.access, self.reach, self.space

    @property
    def words(self) -> str:
        """The whole as a heading."""
        return f"{self.access}, {size_words(self.eps, self.reach, self.space)}" if self.reach else self.access


@dataclass(frozen=True, kw_only=True)
class Score:
    """What is left to a contender under one attack, or one attack of each of its agents.

    Attributes:
        attack: The attack; of a group the one that is the strongest most often.
        value: The return.
        win: Share of won episodes; None where nothing says who wins.
        queries: Outputs of the victim that were asked for, a step.
        gradients: Backward passes, a step.
        own_seeds: Whether it is, at least of one agent, of episodes on seeds that the authors of a counterexample
            chose: what is left there is no mean over the seeds of other rows.
    """

    attack: str
    value: Estimate
    win: Rate | None = None
    queries: float = 0.0
    gradients: float = 0.0
    own_seeds: bool = False


@dataclass(frozen=True, kw_only=True)
class AgentScore:
    """One agent of a contender.

    Attributes:
        agent: As it was named.
        identity: Digest of all that its play depends on.
        clean: Mean return without an attack.
        best: Under the attack that leaves it least.
        attack: That attack.
        command: Plays it again, a line a run seed.
        date: When the last of it was played.
        standard: Mean return under `autoattack`; None where it was not played.
        standard_command: Plays that again.
    """

    agent: str
    identity: str
    clean: float
    best: float
    attack: str
    command: str
    date: str = ""
    standard: float | None = None
    standard_command: str = ""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A counterexample that was replayed.

    Attributes:
        attack: In words.
        agent: Whom it is about.
        authors: Who found it.
        source: Where it is described.
        eps: Its size.
        stated: What it left, as its authors state it.
        value: What it left when it was replayed.
        clean: The same episodes without an attack.
        counted: Whether it lowers what is known.
        why: Why it does not; empty where it does.
        recorded: Whether it is of recorded perturbations, on seeds that its authors chose: it shows that the victim can
            be brought so low there, and of seeds that are drawn perhaps less.
    """

    attack: str
    agent: str
    authors: str
    source: str
    eps: float
    stated: float
    value: Estimate
    clean: Estimate
    counted: bool
    why: str
    recorded: bool = False

    @property
    def words(self) -> str:
        """The attack and who showed it."""
        by = f" by {self.authors}" if self.authors else ""
        return f"{self.attack}, a counterexample{by}{f' {OWN_SEEDS}' if self.recorded else ''}"


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


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What is proven of a contender at the size of a table.

    Attributes:
        share: Of the states of clean play in which no attack changes the action.
        voided: An attack broke what was said to be proven.
    """

    share: Mean | None = None
    voided: bool = False


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One row of a table.

    Attributes:
        rank: 1 for the best; rows share a rank with those whose interval overlaps that of its first.
        name: The contender.
        group: Whether it is a group of training seeds.
        defence: What its card says that it learned to stand.
        clean: Without an attack.
        control: Under noise of the same size.
        reported: What its authors state of it under attack; None where they do not.
        reported_clean: The same without an attack.
        source: Where they state it.
        standard: Under `autoattack`.
        best: The least that anybody has shown.
        certificate: What is proven.
        area: Mean return over all sizes from 0 to the largest; None of fewer than two sizes.
        half: The size at which half the clean score is left.
        worst: Mean of the worst decile of episodes under the strongest attack.
        tier: How far the row can be trusted.
        reasons: Why it is no higher.
        warnings: What weakens it.
        agents: One by one.
        counterexamples: What others sent to lower it, whether it does or not.
        seeds: Run seeds of the episodes.
        seconds: Spent on its cells.
    """

    rank: int = 0
    name: str
    group: bool
    defence: str
    clean: Estimate
    control: Estimate | None
    reported: float | None = None
    reported_clean: float | None = None
    source: str = ""
    standard: Score | None
    best: Score
    certificate: Certificate | None
    area: float | None = None
    half: float | None = None
    worst: float
    tier: Tier = "smoke"
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    agents: tuple[AgentScore, ...] = ()
    counterexamples: tuple[Shown, ...] = ()
    seeds: tuple[int, ...] = ()
    seconds: float = 0.0


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
