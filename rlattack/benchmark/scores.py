"""What attacks left of a contender, as one number, and of each of its agents with the commands that play it again."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from rlattack.benchmark.estimates import over_seeds
from rlattack.benchmark.hits import AgentRecord, Hit
from rlattack.benchmark.standing import AgentScore, Score, Threat
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.commands import command_of
from rlattack.evaluation.results import Rate
from rlattack.evaluation.statistics import wilson
from rlattack.evaluation.study import Study

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
    )


def agent_score(agent: AgentRecord, hit: Hit, standard: Hit | None) -> AgentScore:
    """One agent of a contender, under what leaves it least and under `autoattack`."""
    return AgentScore(
        agent=agent.name,
        identity=hit.played[0].cell.players[hit.played[0].cell.victim].identity,
        clean=float(agent.clean_returns.mean()),
        best=float(hit.returns.mean()),
        attack=hit.label,
        command=_command(agent, hit),
        date=max(one.date for one in hit.played),
        standard=None if standard is None else float(standard.returns.mean()),
        standard_command="" if standard is None else _command(agent, standard),
    )


def _command(agent: AgentRecord, hit: Hit) -> str:
    """What plays an attack on an agent again, a line a run seed."""
    return "\n".join(_command_of(agent, one.cell) for one in hit.played)


def _command_of(agent: AgentRecord, cell: Cell) -> str:
    ref = cell.attacks[0]
    studies = agent.entrant.contender.studies[agent.name]
    study = max(studies, key=lambda one: _likeness(one, cell))
    names = "+".join(str(one.spec) for one in cell.attacks)
    own = {
        "attack": (names,), "eps": () if ref.budget.eps is None else (ref.budget.eps,), "norm": ref.budget.norm,
        "when": (ref.schedule,), "seed": cell.seed, "episodes": cell.episodes, "envs": cell.envs, "observe": (),
        "detect": (),
    }  # fmt: skip
    if ref.budget.norm not in ("linf", "l2", "l1", "l0"):
        own["norm"] = study.norm
    return command_of(dataclasses.replace(study, **own))  # type: ignore[arg-type]  # fields of a study


def _likeness(study: Study, cell: Cell) -> int:
    """How much of the attack of a cell a study asks for: each table of a grid has options of its own."""
    ref = cell.attacks[0]
    asked: tuple[str, ...] = tuple(study.attack)  # type: ignore[arg-type]  # names, whatever was given
    return sum((
        ref.spec.name in {text.partition(":")[0] for text in asked}, ref.budget.eps in study.sizes,
        study.space == ref.budget.space, study.model == ref.model, study.grid == ref.budget.grid,
        bool(study.crafted_on) == (ref.surrogate is not None),
    ))  # fmt: skip
