"""What stands on a leaderboard: who, against what, with which numbers, and how far they can be trusted."""

from dataclasses import dataclass
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
