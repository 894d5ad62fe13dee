"""What attacks left of a contender, as one number, and of each of its agents with the commands that play it again."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from rlattack.benchmark.estimates import over_seeds
from rlattack.benchmark.hits import AgentRecord, Hit
from rlattack.benchmark.standing import AgentScore, Score, Threat
from rlattack.evaluation.results import Rate
from rlattack.evaluation.statistics import wilson

STANDARD = "autoattack"


def standard_hit(agent: AgentRecord, threat: Threat) -> Hit | None:
    """What `autoattack` left an agent; of several the least."""
    found = [hit for hit in agent.hits(threat) if hit.name == STANDARD]
    return min(found, key=lambda hit: (hit.returns.mean(), hit.label), default=None)


def score(hits: Sequence[Hit]) -> Score:
    """The attack of each agent as one number."""
    names = Counter(hit.label for hit in hits)
    wins = [one.wins for hit in hits for one in hit.played]
    won, total = int(sum(one.sum() for one in wins)), sum(map(len, wins))
    seats = [one.result.attacked for hit in hits for one in hit.played]
    return Score(
        attack=min(names, key=lambda name: (-names[name], name)),
        value=over_seeds([hit.returns for hit in hits]),
        win=Rate(won / total, wilson(won, total)) if total else None,
        queries=float(np.mean([seat.queries for seat in seats])),
        gradients=float(np.mean([seat.gradients for seat in seats])),
        own_seeds=any(hit.chosen for hit in hits),
    )


def agent_score(agent: AgentRecord, hit: Hit, standard: Hit | None) -> AgentScore:
    """One agent of a contender, under what leaves it least and under `autoattack`."""
    return AgentScore(
        agent=agent.about.agent,
        identity=agent.about.identity,
        clean=float(agent.clean_returns.mean()),
        best=float(hit.returns.mean()),
        attack=hit.label,
        command=_commands(agent, hit),
        date=max(one.date for one in hit.played),
        standard=None if standard is None else float(standard.returns.mean()),
        standard_command="" if standard is None else _commands(agent, standard),
    )


def _commands(agent: AgentRecord, hit: Hit) -> str:
    """What plays an attack on an agent again, a line a run seed."""
    return "\n".join(agent.command(one.result.cell) for one in hit.played)
