"""Returns under attack beside what is certain of them, which none may undercut.

That is the absolute worst case of the same episodes, and bounds of what a victim behind noise earns.
"""

import dataclasses
from collections.abc import Callable, Sequence

from rlattack.attacks import ATTACKS
from rlattack.defences import FRONTS
from rlattack.evaluation.cell import AttackRef, Cell
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.observers import configs_of
from rlattack.evaluation.results import Result
from rlattack.evaluation.return_bound import ReturnBound, undercut
from rlattack.evaluation.study import EVERY
from rlattack.specs import full_parameters, make

BOUND = "awc"
"""The attack whose return is the least that there is, in episodes no longer than its horizon."""
_ROUNDING = 1e-9
Read = Callable[[Cell], Sequence[Episode]]
"""Gives the episodes of a cell that was played."""


def held(cells: Sequence[Cell], results: Sequence[Result], read: Read) -> list[Result]:
    """Results of cells, of which those failed that an attack left below what is certain at its size.

    Args:
        cells: What was played, in the order of the results.
        results: What came of it.
        read: Gives their episodes.
    """
    worst = [cell for cell in cells if cell.attacks and cell.attacks[0].spec.name == BOUND]
    clean = {cell.key: result for cell, result in zip(cells, results, strict=True) if not cell.attacks}
    found = list(results)
    for place, (cell, result) in enumerate(zip(cells, results, strict=True)):
        if not result.ok or len(cell.attacks) != 1:
            continue
        said = [_undercut(bound, cell, read) for bound in worst if _below(bound, cell)]
        if (bare := clean.get(cell.clean.key)) is not None:
            said.append(_short(bare, cell, result, read))
        if first := next(filter(None, said), ""):
            found[place] = dataclasses.replace(result, status=first)
    return found


def _below(bound: Cell, cell: Cell) -> bool:
    """Whether a bound is one of what a cell plays: greedy, under an attack of that size on what is seen at any time."""
    ref, own = cell.attacks[0], bound.attacks[0]
    if cell.clean.key != bound.clean.key or cell.actions[cell.victim] != "greedy" or own.schedule != EVERY:
        return False
    same = ref.seat == own.seat and ref.budget.norm == own.budget.norm and ref.budget.space == own.budget.space
    size, most = ref.budget.eps, own.budget.eps
    within = size is not None and most is not None and size <= most
    return same and within and ref.access == "observation"


def _undercut(bound: Cell, cell: Cell, read: Read) -> str:
    """What is said of an episode that an attack left below the worst case; empty where it left none there."""
    horizon = _horizon(bound.attacks[0])
    for least, one in zip(read(bound), read(cell), strict=False):
        worst, left = least.seats[cell.victim].score, one.seats[cell.victim].score
        if max(least.length, one.length) <= horizon and left < worst - _ROUNDING * max(1.0, abs(worst)):
            return (
                f"failed: episode {one.episode} is left {left:g}, below {worst:g}, its absolute worst case: the "
                "certificate is wrong"
            )
    return ""


def _short(clean: Result, cell: Cell, result: Result, read: Read) -> str:
    """What is said of an attack that leaves a victim behind noise less than a bound; empty where there is none."""
    ref = cell.attacks[0]
    if ref.seat != cell.victim or ref.access != "observation" or ref.budget.norm != "l2" or ref.budget.eps is None:
        return ""
    bounds = [one for one in configs_of(cell.observers, ReturnBound) if ref.budget.eps <= one.eps]
    fronts = cell.players[cell.victim].fronts if bounds else ()  # none of a victim that has its noise in itself
    space = make("defence", FRONTS, fronts[0]).config.space if fronts else None
    if not (ref.budget.space == space if space else ref.budget.space != "raw"):
        return ""
    for config in bounds:
        episodes = read(cell)
        own = [one.seats[cell.victim] for one in episodes]
        within = max(one.length for one in episodes) <= config.steps
        if within and (said := undercut(config, clean.victim_seat, result.victim_seat, own)):
            return said
    return ""


def _horizon(ref: AttackRef) -> int:
    return int(full_parameters(ATTACKS.get(BOUND), ref.spec.parameters)["horizon"])
