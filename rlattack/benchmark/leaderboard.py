"""From what was played of agents to rows: three numbers a claim, ranks with ties, differences, attackers."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from rlattack.benchmark.board import Attacker, Difference, GameBoard, Ranking
from rlattack.benchmark.estimates import area, half_size, over_seeds, p_value, worst_decile
from rlattack.benchmark.hits import AgentRecord, Hit, threat_of, voids
from rlattack.benchmark.scores import agent_score, score, standard_hit
from rlattack.benchmark.standing import OWN_SEEDS, Certificate, Score, Standing, Threat
from rlattack.benchmark.tiers import tier
from rlattack.evaluation.measured import CERTIFIED, Measured
from rlattack.evaluation.results import Mean, Result
from rlattack.evaluation.statistics import holm

_SEEDS = 5
"""Training seeds from which on a bootstrap over them says something."""


def game_boards(agents: Sequence[AgentRecord], verified: Collection[str] = (), salt: str = "") -> tuple[GameBoard, ...]:
    """Ranks agents, game by game.

    Args:
        agents: With what was played of each, in the order of the grid.
        verified: Keys of the cells that `rlattack verify` has nothing against.
        salt: By which seeds were drawn after entries were fixed.
    """
    boards: dict[str, list[AgentRecord]] = {}
    for agent in agents:
        boards.setdefault(agent.about.game, []).append(agent)
    return tuple(_board(game, of, verified, salt) for game, of in boards.items())


def _board(game: str, agents: Sequence[AgentRecord], verified: Collection[str], salt: str) -> GameBoard:
    found = {threat_of(one.result) for agent in agents for one in agent.played}
    kinds = sorted(threat for threat in found if threat is not None)
    threats = {threat: set().union(*(agent.met(threat) for agent in agents)) for threat in kinds}
    rankings = []
    for threat in threats:
        found_rows = (_standing(of, threat, threats, verified, salt) for of in _contenders(agents))
        rows = [row for row in found_rows if row is not None]
        if rows:
            ranked = _ranked(rows)
            rankings.append(Ranking(threat, ranked, _differences(agents, ranked, threat)))
    results = [one.result for agent in agents for one in agent.played]
    protocol = {name: _shared(name, results) for name in ("actions", "sticky", "episodes", "device")}
    return GameBoard(game, protocol, tuple(rankings), _attackers(agents, threats))


def _shared(name: str, results: Sequence[Result]) -> object:
    """What all cells have of a protocol; in words where they differ, as agents choose actions in their own way."""
    values = list(dict.fromkeys(getattr(one, name) for one in results))
    return values[0] if len(values) == 1 else " and ".join(map(str, values))


def _contenders(agents: Sequence[AgentRecord]) -> Iterator[list[AgentRecord]]:
    groups: dict[str, list[AgentRecord]] = {}
    for agent in agents:
        groups.setdefault(agent.about.contender, []).append(agent)
    yield from groups.values()


def _standing(
    agents: Sequence[AgentRecord], threat: Threat, threats: Mapping[Threat, Collection[str]],
    verified: Collection[str], salt: str,
) -> Standing | None:  # fmt: skip
    """A row of a contender; None where none of its agents met the threat. Threats have the attacks that others met."""
    pairs = [(agent, hit) for agent in agents if (hit := agent.strongest(threat)) is not None]
    if not pairs:
        return None
    agents, hits = [agent for agent, _ in pairs], [hit for _, hit in pairs]
    about, results = agents[0].about, [one.result for agent in agents for one in agent.played]
    controls = [found[0].returns for agent in agents if (found := agent.hits(threat, control=True))]
    standard = [hit for agent in agents if (hit := standard_hit(agent, threat)) is not None]
    clean = over_seeds([agent.clean_returns for agent in agents])
    curve = [(0.0, clean.mean), *_curve(agents, threat, threats)]
    claim, stated = agents[0].clean[0].result.claim, agents[0].reported(threat)
    row = Standing(
        name=about.contender,
        group=about.group,
        defence="" if claim is None else claim.words,
        clean=clean,
        control=over_seeds(controls) if len(controls) == len(agents) else None,
        standard=score(standard) if len(standard) == len(agents) else None,
        best=(best := score(hits)),
        certificate=_certificate(agents, threat),
        area=area(curve) if len(curve) > len([one for one in threats if one.kind == threat.kind]) else None,
        half=half_size(curve),
        worst=worst_decile(np.concatenate([hit.returns for hit in hits])),
        warnings=_warnings(agents, best),
        agents=tuple(agent_score(agent, hit, standard_hit(agent, threat)) for agent, hit in pairs),
        counterexamples=tuple(one for agent in agents for one in agent.shown(threat)),
        seeds=tuple(dict.fromkeys(one.seed for one in results)),
        seconds=sum(one.seconds for agent in agents for one in agent.played),
        **stated,  # type: ignore[arg-type]  # fields of the row
    )
    fresh = bool(salt and about.entry)
    gaps = _gaps(agents, threat, threats[threat])
    level, reasons = tier(row, results, gaps, replayed=all(one.cell in verified for one in results), fresh=fresh)
    return dataclasses.replace(row, tier=level, reasons=reasons)


def _warnings(agents: Sequence[AgentRecord], best: Score) -> tuple[str, ...]:
    """What weakens the numbers of a row."""
    chosen = f"Its best known is {OWN_SEEDS}: it shows how low it can be brought there, beside no mean of other seeds."
    few = f"Intervals over {len(agents)} training seeds mean little, and are too narrow: compare {_SEEDS} or more."
    own = dict.fromkeys(line for agent in agents for line in agent.warnings)
    return (*([few] if 1 < len(agents) < _SEEDS else []), *([chosen] if best.own_seeds else []), *own)


def _gaps(agents: Sequence[AgentRecord], threat: Threat, attacks: Collection[str]) -> tuple[str, ...]:
    """What a row did not meet of what others met: whoever meets less stands higher for it."""
    met = [agent.met(threat) for agent in agents]
    unmet = sorted({*attacks} - met[0].intersection(*met))
    absent = agents[0].about.agents - len(agents)
    return (
        *[f"not all attacks of this table were played on it: {', '.join(unmet)}"] * bool(unmet),
        *[f"{absent} of its agents met none of them"] * bool(absent),
    )


def _curve(agents: Sequence[AgentRecord], threat: Threat, threats: Iterable[Threat]) -> Iterator[tuple[float, float]]:
    """What is left at each size of the kind of a threat, where all agents met it."""
    for other in threats:
        if dataclasses.replace(other, eps=threat.eps) == threat and other.eps > 0:
            hits = [agent.strongest(other) for agent in agents]
            if all(hit is not None for hit in hits):
                yield other.eps, float(np.mean([hit.returns.mean() for hit in hits if hit is not None]))


def _certificate(agents: Sequence[AgentRecord], threat: Threat) -> Certificate | None:
    """The share that is proven, by the best bounds, the mean over agents; None where nothing was looked at."""
    shares = []
    for agent in agents:
        told = agent.clean[0].result.victim_seat.observed
        at_size = [
            mean
            for name, mean in told.items()
            if (about := Measured.read(name)) and about.what == CERTIFIED and about.fits(threat.reach, threat.eps)
        ]
        shares += [max(at_size, key=lambda one: one.mean)] if at_size else []
    attacked = [one for agent in agents for one in (*agent.played, *(at for of in agent.tried for at in of.attacked))]
    voided = any(voids(one.result) for one in attacked)
    if len(shares) < len(agents):
        return Certificate(voided=True) if voided else None
    low, high = (float(np.mean([one.ci[end] for one in shares])) for end in (0, 1))
    return Certificate(share=Mean(float(np.mean([one.mean for one in shares])), (low, high)), voided=voided)


def _ranked(rows: Sequence[Standing]) -> tuple[Standing, ...]:
    """The best first; who is no worse beyond doubt than those above shares their rank."""
    ordered = sorted(rows, key=lambda row: (-row.best.value.mean, row.name))
    ranks = [1 + sum(other.best.value.ci[0] > row.best.value.ci[1] for other in ordered) for row in ordered]
    return tuple(dataclasses.replace(row, rank=rank) for row, rank in zip(ordered, ranks, strict=True))


def _differences(agents: Sequence[AgentRecord], rows: Sequence[Standing], threat: Threat) -> tuple[Difference, ...]:
    hits = {
        of[0].about.contender: [hit for agent in of if (hit := agent.strongest(threat)) is not None]
        for of in _contenders(agents)
    }
    pairs = list(itertools.combinations(rows, 2))
    found = [_p_value(hits[one.name], hits[other.name]) for one, other in pairs]
    corrected = iter(holm([p for p in found if p is not None]))
    return tuple(
        Difference(
            one.name, other.name, one.best.value.mean - other.best.value.mean, None if p is None else next(corrected)
        )
        for (one, other), p in zip(pairs, found, strict=True)
    )


def _p_value(first: Sequence[Hit], second: Sequence[Hit]) -> float | None:
    """The p-value of two contenders; of one agent each only where both played the same episodes."""
    if len(first) == len(second) == 1 and first[0].seeds != second[0].seeds:
        return None
    return p_value([hit.returns for hit in first], [hit.returns for hit in second])


def _attackers(agents: Sequence[AgentRecord], threats: Iterable[Threat]) -> tuple[Attacker, ...]:
    """How often each attack leaves an agent least, and by how much."""
    met: Counter[str] = Counter()
    margins: dict[str, list[float]] = {}
    for agent, threat in itertools.product(agents, threats):
        hits = sorted(agent.hits(threat), key=lambda hit: (hit.returns.mean(), hit.label))
        met.update({hit.label for hit in hits})
        if len(hits) > 1 and hits[1].returns.mean() > hits[0].returns.mean():  # of equal ones none is the strongest
            margins.setdefault(hits[0].label, []).append(float(hits[1].returns.mean() - hits[0].returns.mean()))
    found = [
        Attacker(name, count, len(margins.get(name, [])), float(np.mean(margins[name])) if name in margins else None)
        for name, count in met.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.strongest / one.met, one.name)))
