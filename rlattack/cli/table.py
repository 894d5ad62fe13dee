"""The table at the end of an evaluation."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rlattack.evaluation.series import Estimate
from rlattack.evaluation.tables import percent

__all__ = ["print_results"]

_WIDE = 160
"""Columns where no terminal says how many there are."""


def print_results(cells: list[dict[str, Any]], folder: Path) -> None:
    """Prints one row a cell: what was done, what it cost the victim, what it took."""
    first = cells[0]
    protocol = (
        f"{first['episodes']} episodes, {first['actions']} actions, sticky {first['sticky']:g}, seed {first['seed']}"
    )
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    rows = [_row(cell) for cell in cells]
    table = Table(title=f"{first['victim']} in {first['game']}: {protocol}", title_justify="left")
    shown = _fitting(rows, console.width)
    for name in shown:
        table.add_column(name, justify="left" if name in ("attack", "budget") else "right", no_wrap=True)
    for cell, row in zip(cells, rows, strict=True):
        table.add_row(*(row[name] for name in shown), style=None if cell["status"] == "ok" else "red")
    console.print(table)
    for cell in cells:
        if cell["status"] != "ok":
            console.print(f"{_label(cell)} {cell['eps']:g}: {cell['status']}", highlight=False, soft_wrap=True)
    notes = _notes(cells)
    if left_out := [name for name in rows[0] if name not in shown]:
        notes.append(f"no room for {', '.join(left_out)}: a wider terminal, or the report, shows all")
    for line in notes:
        console.print(line, highlight=False, soft_wrap=True)
    console.print(
        f"[bold]{folder}/report.html[/bold] shows it all; or: tensorboard --logdir {folder}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _fitting(rows: list[dict[str, str]], width: int) -> list[str]:
    """The columns that fit side by side; those that follow from others go first."""
    shown = list(rows[0])
    for name in ("drop in win", "distinct", "action change", "drop in return"):
        if sum(max(len(row[column]) for row in [*rows, {c: c for c in shown}]) + 3 for column in shown) < width:
            break
        shown.remove(name)
    return shown


def _row(cell: dict[str, Any]) -> dict[str, str]:
    clean = cell["attack"] == "none"
    budget = "" if clean else f"{cell['norm']} {cell['eps']:g}" + (" pixels" if cell["norm"] == "l0" else "")
    drop = cell["drop"]
    return {
        "attack": _label(cell),
        "budget": budget,
        "return": _with_interval(cell["return"]["mean"], cell["return"]["ci"]),
        "win": _percent(cell["win"] and cell["win"]["rate"], cell["win"] and cell["win"]["ci"]),
        "drop in return": "" if clean else _with_interval(drop["return"], drop["return_ci"]),
        "drop in win": "" if clean else _percent(drop["win"], drop["win_ci"]),
        "action change": "" if clean else f"{100 * cell['action_change']:.0f} %",
        "distinct": f"{cell['distinct']} of {cell['episodes']}",
    }


def _label(cell: dict[str, Any]) -> str:
    parameters = ",".join(f"{key}={value}" for key, value in cell["parameters"].items())
    name = {"none": "clean", "noise": "noise (control)"}.get(cell["attack"], cell["attack"])
    extra = [cell["model"]] * (cell["model"] != "stack") + ["grid"] * cell["grid"]
    extra += [f"from {cell['surrogate']}"] * bool(cell["surrogate"])
    return " ".join([name + (f":{parameters}" if parameters else ""), *extra])


def _notes(cells: list[dict[str, Any]]) -> list[str]:
    notes = []
    win = cells[0]["win"]
    if win is None:
        notes.append("this game has no card with a win rule, so there is no win rate")
    elif win["rule"] == "threshold":
        notes.append(f"a win is a return of at least {win['threshold']:g}, a threshold from the game's card")
    if any(cell["distinct"] < cell["episodes"] for cell in cells):
        ways = ["--actions sampled"] * (cells[0]["actions"] == "greedy")
        ways += ["--sticky 0.25"] * cells[0]["game"].startswith("atari/")
        way = f": try {' or '.join(ways)}" if ways else ""
        notes.append(f"some episodes repeat each other, so intervals are too narrow{way}")
    if len(cells) > 1 and cells[0]["actions"] == "sampled":
        notes.append("action change compares the most likely actions; sampled ones can change without it")
    for kind in ("stalled", "truncated"):
        if count := sum(cell[kind] for cell in cells):
            notes.append(f"{count} episodes {kind}")
    return notes


def _with_interval(value: float, interval: list[float]) -> str:
    return f"{value:.1f} [{interval[0]:.1f}, {interval[1]:.1f}]"


def _percent(rate: float | None, interval: list[float] | None) -> str:
    return "" if rate is None or interval is None else str(percent(Estimate(rate, *interval)))
