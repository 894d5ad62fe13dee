"""A cell that a command played, found again by what its run folder keeps: the command, and what came of it."""

import fnmatch
import shlex
from pathlib import Path
from typing import Any

from rlattack.benchmark import plan_grid
from rlattack.cli.attack import Attack
from rlattack.cli.parsing import parsed
from rlattack.errors import InvalidInput, RunConflict
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.plan import Plan, plan
from rlattack.evaluation.results import Result
from rlattack.evaluation.run import shared_store
from rlattack.registry import plug
from rlattack.report.runs import RunRecord, read_run


def cell_of(folder: Path, only: str, grids: type[Any]) -> tuple[Cell, Result, Path]:
    """The one attacked cell of a run that is no control.

    Args:
        folder: Run folder of `rlattack attack`, or one within the folder of a grid.
        only: Part of the attack's name or of the victim's, or a pattern, where there are several; empty for any.
        grids: The command that plays grids.

    Returns:
        The cell, what came of it, and the folder of what its attack learned.

    Raises:
        ContentError: No run folder.
        InvalidInput: Its command is none that plays attacks on one agent, or there is no such cell, or several are.
        RunConflict: Other agents or other code than played it.
    """
    run = read_run(folder)
    planned, fits = _planned(run, grids)
    results = {one.cell: one for one in run.results if not (one.clean or one.control)}
    found = {cell.key: cell for cell in planned.cells if cell.key in results}
    if len(found) < len(results):
        raise RunConflict(f"{folder}: other agents, options or code by now than played it: play its command again")
    fit = {key: cell for key, cell in found.items() if _fits(cell, only)}
    if len(fit) != 1:
        there = "; ".join(_words(cell) for cell in found.values()) or "none"
        raise InvalidInput(f"{folder}: expected one attack, named by --only; there are: {there}")
    ((key, cell),) = fit.items()
    return cell, results[key], fits


def _planned(run: RunRecord, grids: type[Any]) -> tuple[Plan, Path]:
    """What the command of a run plays, and where its attacks learned."""
    words = shlex.split(run.command or "")
    way_out = "play it by `rlattack attack`, whose command is kept"
    if words[:1] != ["rlattack"] or words[1:2] not in (["attack"], ["benchmark"]):
        raise InvalidInput(f"{run.folder}: expected a run of `rlattack attack` or `rlattack benchmark`; {way_out}")
    if words[1] == "attack":
        command = parsed(Attack, words[2:])
        plug(command.plugin)
        return plan(command.study), shared_store(run.folder) / "fits"
    command = parsed(grids, words[2:])
    plug(command.plugin)
    runs = plan_grid(command.grid_asked).runs
    if run.name not in runs:
        raise InvalidInput(f"{run.folder}: expected a run of its grid, {', '.join(runs)}; {way_out}")
    return runs[run.name], shared_store(run.folder.resolve().parent) / "fits"


def _fits(cell: Cell, only: str) -> bool:
    words = (cell.label, cell.players[0].name)
    return any(only in word or fnmatch.fnmatch(word, only) for word in words)


def _words(cell: Cell) -> str:
    return f"{cell.label} on {cell.players[0].name}"
