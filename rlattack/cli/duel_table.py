"""The tables at the end of duels: every cell, and who beats whom as a grid."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rlattack.evaluation.duels.findings import duel_warnings
from rlattack.evaluation.duels.grid import Grid, grid, opponent_wins, seat_wins, victim_seat
from rlattack.evaluation.duels.tables import details, duel_table, numbers
from rlattack.evaluation.series import Record, estimate

__all__ = ["print_duels"]

_WIDE = 160
"""Columns where no terminal says how many there are."""


def print_duels(cells: list[dict[str, Any]], folder: Path) -> None:
    """Prints one row a cell, and the grid where there are several players."""
    first = cells[0]
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    shown = duel_table(cells, [*numbers(first), details(first)[2]])
    table = Table(
        title=f"{first['game']}: {first['episodes']} games a row, {first['actions']} actions, seed {first['seed']}",
        title_justify="left",
    )
    table.add_column(" – ".join(first["seats"]))
    for column in shown.columns:
        table.add_column(column.title, justify="left" if column.title == "endings" else "right")
    for group in shown.groups:
        if len(shown.groups) > 1:
            table.add_section()
            table.add_row(group.title, style="dim")
        for row in group.rows:
            table.add_row(row.label, *(f"{value.text} {value.interval}".strip() for value in row.values))
    console.print(table)
    laid = grid(cells)
    if len(laid.rows) > 1 or len(laid.columns) > 1:
        console.print(_grid(laid))
    for line in duel_warnings(cells):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(
        f"[bold]{folder}/report.html[/bold] shows it all; or: tensorboard --logdir {folder}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _grid(laid: Grid) -> Table:
    table = Table(
        title=f"{laid.seats[1]} wins (victim wins, ties), percent: rows are victims ({laid.seats[0]})",
        title_justify="left",
    )
    table.add_column("")
    for name in laid.columns:
        table.add_column(name, justify="right")
    for row, name in enumerate(laid.rows):
        table.add_row(name, *(_square(laid.cells.get((row, column))) for column in range(len(laid.columns))))
    return table


def _square(record: Record | None) -> str:
    wins = opponent_wins(record)
    if record is None or wins is None:
        return "–"
    rest = [seat_wins(record, victim_seat(record)), estimate(record, "tie", "rate")]
    return f"{100 * wins.value:.0f} ({', '.join(f'{100 * rate.value:.0f}' for rate in rest if rate is not None)})"
