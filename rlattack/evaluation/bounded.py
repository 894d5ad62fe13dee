"""Returns under attack beside the absolute worst case of the same episodes, which none may undercut."""

import dataclasses
from collections.abc import Callable, Sequence

from rlattack.attacks import ATTACKS
from rlattack.evaluation.cell import AttackRef, Cell
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.results import Result
from rlattack.specs import full_parameters

BOUND = "awc"
"""The attack whose return is the least that there is, in episodes no longer than its horizon."""
_ROUNDING = 1e-9
Read = Callable[[Cell], Sequence[Episode]]
"""Gives the episodes of a cell that was played."""


def held(cells: Sequence[Cell], results: Sequence[Result], read: Read) -> list[Result]:
    """Results of cells, of which those failed that an attack left below the worst case of its size.

    Args:
        cells: What was played, in the order of the results.
        results: What came of it.
        read: Gives their episodes.
    """
    bounds = [cell for cell in cells if cell.attacks and cell.attacks[0].spec.name == BOUND]
    found = list(results)
    for place, cell in enumerate(cells):
        for bound in bounds:
            if found[place].ok and _below(bound, cell) and (said := _undercut(bound, cell, read)):
                found[place] = dataclasses.replace(found[place], status=said)
    return found


def _below(bound: Cell, cell: Cell) -> bool:
    """Whether a bound is one of what a cell plays: greedy, under one attack of that size on what is seen."""
    if len(cell.attacks) != 1 or cell.clean.key != bound.clean.key or cell.actions[cell.victim] != "greedy":
        return False
    ref, own = cell.attacks[0], bound.attacks[0]
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


def _horizon(ref: AttackRef) -> int:
    return int(full_parameters(ATTACKS.get(BOUND), ref.spec.parameters)["horizon"])
