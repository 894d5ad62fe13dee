"""The table at the end of an evaluation."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["print_results"]


def print_results(cells: list[dict[str, Any]], folder: Path) -> None:
    """Prints one row a cell: what was done, what it cost the victim, what it took."""
    first = cells[0]
    protocol = (
        f"{first['episodes']} episodes, {first['actions']} actions, sticky {first['sticky']:g}, seed {first['seed']}"
    )
    table = Table(title=f"{first['victim']} in {first['game']}: {protocol}", title_justify="left")
    for name in ("attack", "budget", "return", "win", "drop in return", "drop in win", "action change", "distinct"):
        table.add_column(name, justify="left" if name in ("attack", "budget") else "right")
    for cell in cells:
        table.add_row(*_row(cell), style=None if cell["status"] == "ok" else "red")
    console = Console()
    console.print(table)
    for cell in cells:
        if cell["status"] != "ok":
            console.print(f"{_label(cell)} {cell['eps']:g}: {cell['status']}", highlight=False)
    for line in _notes(cells):
        console.print(line, highlight=False)
    console.print(f"[bold]{folder}/report.html[/bold] shows it all; or: tensorboard --logdir {folder}", highlight=False)


def _row(cell: dict[str, Any]) -> list[str]:
    clean = cell["attack"] == "none"
    budget = "" if clean else f"{cell['norm']} {cell['eps']:g}" + (" pixels" if cell["norm"] == "l0" else "")
    drop = cell["drop"]
    return [
        _label(cell),
        budget,
        _with_interval(cell["return"]["mean"], cell["return"]["ci"]),
        _percent(cell["win"] and cell["win"]["rate"], cell["win"] and cell["win"]["ci"]),
        "" if clean else _with_interval(drop["return"], drop["return_ci"]),
        "" if clean else _percent(drop["win"], drop["win_ci"]),
        "" if clean else f"{100 * cell['action_change']:.0f} %",
        f"{cell['distinct']} of {cell['episodes']}",
    ]


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
        notes.append(
            "some episodes repeat each other, so intervals are too narrow: try --actions sampled or --sticky 0.25"
        )
    for kind in ("stalled", "truncated"):
        if count := sum(cell[kind] for cell in cells):
            notes.append(f"{count} episodes {kind}")
    return notes


def _with_interval(value: float, interval: list[float]) -> str:
    return f"{value:.1f} [{interval[0]:.1f}, {interval[1]:.1f}]"


def _percent(rate: float | None, interval: list[float] | None) -> str:
    return (
        ""
        if rate is None or interval is None
        else f"{100 * rate:.0f} % [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]"
    )
