"""From the program of a grid and what was played of it to a leaderboard."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from rlattack.benchmark.board import Compared, Leaderboard
from rlattack.benchmark.grid import Grid
from rlattack.benchmark.hits import AgentRecord, Tried
from rlattack.benchmark.leaderboard import game_boards
from rlattack.benchmark.play import Played
from rlattack.benchmark.program import Entrant, Program
from rlattack.benchmark.standing import Threat
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.commands import command_of
from rlattack.evaluation.study import Study
from rlattack.report.comparison import settings
from rlattack.report.warnings import warnings


def rank(
    program: Program, played: Mapping[str, Played], verified: Collection[str] = (), tried: Sequence[Tried] = ()
) -> Leaderboard:
    """Ranks all contenders.

    Args:
        program: Who plays what.
        played: What was played of it, by the key of the cell; what is missing is left out and counted.
        verified: Keys of the cells that `rlattack verify` has nothing against.
        tried: Counterexamples that were replayed, in the order in which they may count.
    """
    grid = program.grid
    agents = [_record(program, one, name, played, tried) for one in program.entrants for name in one.cells]
    versions = {name: text for one in program.runs.values() for name, text in one.circumstances["versions"].items()}
    return Leaderboard(
        grid=grid.name,
        title=grid.title,
        boards=game_boards([agent for agent in agents if agent.played], verified, grid.salt),
        impossible=tuple((one.agent, one.attack, one.why) for one in program.impossible),
        missing=len({cell.key for cell in program.cells} - played.keys()),
        failed=sum(not one.result.ok for one in played.values()),
        salt=grid.salt,
        entries=grid.fixed,
        runs=tuple(name for name, one in program.runs.items() if any(cell.key in played for cell in one.cells)),
        compared=tuple(agent.about for agent in agents),
        challenges=tuple(one.challenge for one in tried),
        versions=versions,
    )


def _record(
    program: Program, entrant: Entrant, name: str, played: Mapping[str, Played], tried: Sequence[Tried]
) -> AgentRecord:  # fmt: skip
    """An agent of a contender, with what was played of it."""
    contender, cells = entrant.contender, entrant.cells[name]
    there = tuple(played[cell.key] for cell in cells if cell.key in played)
    about = Compared(
        game=contender.game, contender=contender.name, group=contender.group, agents=len(contender.studies),
        entry=contender.entry, agent=name, identity=cells[0].players[cells[0].victim].identity,
        cells=tuple(one.cell.key for one in there),
    )  # fmt: skip
    own = tuple(one for one in tried if one.challenge.about == (about.game, about.contender, name))
    every = (*there, *(one for of in own for one in of.attacked if isinstance(one, Played)))
    return AgentRecord(
        about, there, own, tuple(line for one in settings([one.result for one in there]) for line in warnings(one)),
        partial(_command, contender.studies[name], {one.cell.key: one.cell for one in every}),
        partial(_reported, program.grid, about, cells[0]),
    )  # fmt: skip


def _reported(grid: Grid, about: Compared, cell: Cell, threat: Threat) -> dict[str, object]:
    """What is stated elsewhere: by the grid, else by the agent's own card."""
    for entry in grid.entries.values():
        claim = entry.claim
        same = threat.access == "observation" and (claim.norm, claim.space, claim.eps) == threat.size
        if entry.digest == about.entry and same:
            return {"reported": claim.attacked, "reported_clean": claim.clean, "source": entry.source or "its entry"}
    for one in grid.reported:
        of_it = one.agent in (about.contender, about.agent) and one.game in ("", about.game)
        if of_it and one.eps in (None, threat.eps):
            return {"reported": one.attacked, "reported_clean": one.clean, "source": one.source}
    published = cell.players[cell.victim].published
    if published is None or about.group:
        return {}
    return {"reported_clean": published.mean, "source": published.source}


def _command(studies: Sequence[Study], cells: Mapping[str, Cell], key: str) -> str:
    """What plays a cell again, by the study of a grid that is most like it."""
    cell = cells[key]
    ref, study = cell.attacks[0], max(studies, key=lambda one: _likeness(one, cell))
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
