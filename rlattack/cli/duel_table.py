"""The tables at the end of duels: every cell, who beats whom as a grid, and what attacks on a seat's sight do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from rlattack.evaluation.duels.findings import duel_warnings
from rlattack.evaluation.duels.grid import Grid, grid, opponent_wins, seat_wins, victim_seat
from rlattack.evaluation.duels.minds import minds_warning
from rlattack.evaluation.duels.tables import attack_numbers, attack_table, details, duel_table, numbers
from rlattack.evaluation.series import Record, estimate
from rlattack.evaluation.tables import Group
from rlattack.evaluation.tables import Table as Laid

__all__ = ["print_duels", "print_likelihoods"]

_WIDE = 160
"""Columns where no terminal says how many there are."""
_LABEL = 28
"""Columns of a terminal that who plays may take before numbers give way."""
_NAME = 12
"""Columns that a name has at least in the grid; no square needs more."""


def print_duels(cells: list[dict[str, Any]], folder: Path) -> None:
    """Prints one row a cell, and the grid where there are several players."""
    first = cells[0]
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    title = f"{first['game']}: {first['episodes']} games a row, {first['actions']} actions, seed {first['seed']}"
    shown = duel_table(cells, [*numbers(first), details(first)[2]])
    console.print(_table(console, title, " – ".join(first["seats"]), shown, shown.groups))
    attacks = attack_table(cells, attack_numbers(first)[:-1])
    for group in attacks.groups:
        console.print(_table(console, group.title, "attack", attacks, [group]))
    laid = grid(cells)
    if len(laid.rows) > 1 or len(laid.columns) > 1:
        square = _grid(laid)
        if console.measure(square, options=console.options.update_width(10_000)).minimum > console.width:
            console.print("this terminal is too narrow for the grid of all players; the report has it", highlight=False)
        else:
            console.print(square)
    legend = ["* all values are equal, so the interval is only their point"] if _has_star(shown, attacks) else []
    for line in [*legend, *duel_warnings(cells)]:
        console.print(line, highlight=False, soft_wrap=True)
    console.print(
        f"[bold]{folder}/report.html[/bold] shows it all; or: tensorboard --logdir {folder}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _table(console: Console, title: str, first: str, shown: Laid, groups: Sequence[Group]) -> Table:
    """With as many columns, from the left, as fit whole."""
    unbounded = console.options.update_width(10_000)
    for kept in range(len(shown.columns), 0, -1):
        table = _columns(title, first, shown, groups, kept)
        if console.measure(table, options=unbounded).minimum <= console.width:
            break
    return table


def _columns(title: str, first: str, shown: Laid, groups: Sequence[Group], kept: int) -> Table:
    table = Table(title=title, title_justify="left")
    rows = [row for group in groups for row in group.rows]
    table.add_column(first, overflow="fold", min_width=min(_LABEL, max((len(row.label) for row in rows), default=0)))
    for place, column in enumerate(shown.columns[:kept]):
        texts = [str(row.values[place]) for row in rows if not row.status]
        states = [row.status for row in rows] if place == 0 else []  # stand in the first column of numbers
        wide = max(map(len, [column.title, *texts, *states]))
        justify: Literal["left", "right"] = "left" if column.title == "endings" else "right"
        table.add_column(column.title, justify=justify, no_wrap=True, min_width=wide)
    for group in groups:
        if len(groups) > 1:
            table.add_section()
            table.add_row(group.title, style="dim")
        for row in group.rows:
            table.add_row(row.label, *([row.status] if row.status else [str(value) for value in row.values[:kept]]))
    return table


def _has_star(*tables: Laid) -> bool:
    rows = [row for table in tables for group in table.groups for row in group.rows if not row.status]
    return any(value.interval.endswith("*") for row in rows for value in row.values)


def _grid(laid: Grid) -> Table:
    table = Table(
        title=f"{laid.seats[1]} wins (victim wins, ties), percent: rows are victims ({laid.seats[0]})",
        title_justify="left",
    )
    table.add_column("", overflow="fold", min_width=_NAME)
    for name in laid.columns:
        table.add_column(name, justify="right", overflow="fold", min_width=_NAME)
    for row, name in enumerate(laid.rows):
        table.add_row(name, *(_square(laid.cells.get((row, column))) for column in range(len(laid.columns))))
    return table


def _square(record: Record | None) -> str:
    wins = opponent_wins(record)
    if record is None or wins is None:
        return "–"
    rest = [seat_wins(record, victim_seat(record)), estimate(record, "tie", "rate")]
    return f"{100 * wins.value:.0f} ({', '.join(f'{100 * rate.value:.0f}' for rate in rest if rate is not None)})"


def print_likelihoods(found: dict[str, Any]) -> None:
    """Prints how likely normal play's mixture finds the activations of a seat against each opponent."""
    Console().print(
        f"log-likelihood of the {found['seat']}'s activations, by a mixture fitted to play against {found['normal']}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    table = Table()
    table.add_column("against", overflow="fold")
    table.add_column("nats a step", justify="right", no_wrap=True)
    for name, one in found["log_likelihood"].items():
        who = f"{found['normal']} ({name})" if name in ("train", "validation") else name
        table.add_row(who, f"{one['mean']:.1f} [{one['ci'][0]:.1f}, {one['ci'][1]:.1f}]")
    Console().print(table)
    if (warning := minds_warning(found)) is not None:
        Console().print(warning, highlight=False, soft_wrap=True)
