"""What attacks left an agent of a leaderboard, of the grid's own attacks and of counterexamples that others sent."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rlattack.arrays import FloatArray
from rlattack.benchmark.board import Challenge, Compared
from rlattack.benchmark.estimates import Estimate, over_seeds
from rlattack.benchmark.standing import Shown, Threat
from rlattack.evaluation.results import Result
from rlattack.report.comparison import attack_label

_PROOFS = ("gwc", "awc")
"""Not what an attacker does, but what is left open at worst: no row is ranked by them."""
_VOID = "certificate is wrong"
_EPISODES = 10
"""Fewest episodes of a counterexample that counts."""


@dataclass(frozen=True)
class Scored:
    """What came of a cell.

    Attributes:
        result: In numbers.
        returns: Of the victim, an episode each, shape (episodes,).
        wins: 1 for each that it won, else 0; empty where nothing says who wins.
        seconds: Spent by all workers together.
        date: When the last of it was played, as 2026-11-27.
    """

    result: Result
    returns: FloatArray
    wins: FloatArray
    seconds: float = 0.0
    date: str = ""


@dataclass(frozen=True)
class Tried:
    """What came of a counterexample.

    Attributes:
        challenge: Whom it is about, and what is stated.
        attacked: Under it, a cell each run seed.
        clean: The same episodes without an attack.
        replayed: Whether its ledgers were verified, and nothing failed; None where nobody verified them.
    """

    challenge: Challenge
    attacked: tuple[Scored, ...]
    clean: tuple[Scored, ...]
    replayed: bool | None = None


@dataclass(frozen=True)
class Hit:
    """One attack of a threat on one agent, on all run seeds.

    Attributes:
        label: What is done.
        played: Its cells.
        chosen: Whether its episodes are on seeds that the authors of a counterexample chose.
    """

    label: str
    played: tuple[Scored, ...]
    chosen: bool = False

    @functools.cached_property
    def returns(self) -> FloatArray:
        """Of the victim, an episode each."""
        return np.concatenate([one.returns for one in self.played])

    @property
    def name(self) -> str:
        """The attack's, without its parameters."""
        attack = self.played[0].result.attack
        assert attack is not None, "it is under attack"
        return attack.name

    @property
    def seeds(self) -> list[int]:
        """Run seeds of its episodes."""
        return [one.result.seed for one in self.played]


@dataclass(frozen=True)
class AgentRecord:
    """An agent with all that was played of it.

    Attributes:
        about: Who it is.
        played: Cells of the grid.
        tried: Counterexamples about it, in the order in which they were given.
        warnings: What weakens the numbers of the grid's own cells.
        command: Plays a cell again, by its key.
        reported: What is stated elsewhere of how it does under a threat: fields of a row.
    """

    about: Compared
    played: tuple[Scored, ...]
    tried: tuple[Tried, ...] = ()
    warnings: tuple[str, ...] = ()
    command: Callable[[str], str] = lambda key: ""
    reported: Callable[[Threat], Mapping[str, object]] = lambda threat: {}

    @property
    def clean(self) -> tuple[Scored, ...]:
        """Its cells without an attack."""
        return tuple(one for one in self.played if one.result.clean)

    @functools.cached_property
    def clean_returns(self) -> FloatArray:
        """Of its episodes without an attack."""
        return np.concatenate([one.returns for one in self.clean])

    def met(self, threat: Threat) -> set[str]:
        """Labels of the grid's attacks of a threat that were played on all its run seeds."""
        seeds = {one.result.seed for one in self.clean}
        return {hit.label for hit in self.hits(threat) if {*hit.seeds} == seeds}

    def hits(self, threat: Threat, *, control: bool = False) -> list[Hit]:
        """The grid's attacks of a threat that kept their reach, or its controls; by label."""
        return self._hits.get((threat, control), [])

    @functools.cached_property
    def _hits(self) -> dict[tuple[Threat | None, bool], list[Hit]]:
        found: dict[tuple[Threat | None, bool, str], list[Scored]] = {}
        for one in self.played:
            if kept_reach(one.result):
                key = threat_of(one.result), one.result.control, attack_label(one.result)
                found.setdefault(key, []).append(one)
        hits: dict[tuple[Threat | None, bool], list[Hit]] = {}
        for (threat, control, label), of in found.items():
            hits.setdefault((threat, control), []).append(Hit(label, tuple(of)))
        return hits

    def strongest(self, threat: Threat) -> Hit | None:
        """What left it least: an attack of the grid, or a counterexample that counts."""
        return self._known(threat)[0]

    def shown(self, threat: Threat) -> tuple[Shown, ...]:
        """The counterexamples that are within a threat, each with whether it counts, and why not."""
        return self._known(threat)[1]

    def _known(self, threat: Threat) -> tuple[Hit | None, tuple[Shown, ...]]:
        best = min(self.hits(threat), key=lambda hit: (hit.returns.mean(), hit.label), default=None)
        shown = []
        for one in self.tried if best is not None else ():
            if not _within(one, threat):
                continue
            assert best is not None, "seen just now"
            found = _shown(one, float(best.returns.mean()), over_seeds([self.clean_returns]))
            shown.append(found)
            best = Hit(found.words, one.attacked, found.recorded) if found.counted else best
        return best, tuple(shown)


def won(outcomes: Sequence[str | None]) -> FloatArray:
    """1 for each episode that was won, else 0; empty where nothing says who wins."""
    return np.asarray([one == "win" for one in outcomes], dtype=np.float64) if any(outcomes) else np.empty(0)


def voids(result: Result) -> bool:
    """Whether an attack did what was said to be proven impossible."""
    return _VOID in result.status


def kept_reach(result: Result) -> bool:
    """Whether an attack did no more than it may; it is not its fault where a certificate is wrong."""
    return result.ok or voids(result)


def threat_of(result: Result) -> Threat | None:
    """What the attack of a cell may do; None of a clean cell, and of what is no attack but a proof."""
    attack = result.attack
    if attack is None or attack.name in _PROOFS:
        return None
    if attack.eps is None:
        return Threat(attack.access, "", "", 0.0)
    return Threat(attack.access, attack.reach or "", attack.space or "", attack.eps)


def _within(tried: Tried, threat: Threat) -> bool:
    """Whether a counterexample does no more than a threat allows: what a small size shows, holds of larger ones."""
    own = threat_of(tried.attacked[0].result)
    return own is not None and own.kind == threat.kind and own.eps <= threat.eps


def _shown(tried: Tried, best: float, clean: Estimate) -> Shown:
    """A counterexample beside the least that was known before, and the clean score on the grid's own seeds."""
    told, value, own = tried.challenge, _over(tried.attacked), _over(tried.clean)
    why = _against(tried, value, own, best, clean)
    return Shown(
        attack=told.attack, agent=told.agent, authors=told.authors, source=told.source, eps=told.eps,
        stated=told.stated, value=value, clean=own, counted=not why, why=why, recorded=told.recorded,
    )  # fmt: skip


def _over(played: Sequence[Scored]) -> Estimate:
    return over_seeds([np.concatenate([one.returns for one in played])])


def _against(tried: Tried, value: Estimate, own: Estimate, best: float, clean: Estimate) -> str:
    """Why a counterexample does not count; empty where it does."""
    failed = [one.result.status for one in (*tried.attacked, *tried.clean) if not kept_reach(one.result)]
    if failed:
        return failed[0]
    if tried.replayed is False:
        return "its ledger was replayed, and something else came of it"
    if value.episodes < _EPISODES:
        return f"{value.episodes} episodes, and at least {_EPISODES} count"
    if tried.challenge.recorded and own.mean < clean.ci[0]:
        return (
            f"its seeds are hard without an attack: {own.mean:.4g} there, below the {clean.mean:.4g} "
            f"[{clean.ci[0]:.4g}, {clean.ci[1]:.4g}] of the grid's own"
        )
    if value.ci[1] >= best:
        return f"not below the {best:.4g} that is known by more than its interval"
    return ""
