"""The table of what was checked of a run."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rlattack.benchmark.verify.checks import Verdict

_COLOURS = {"ok": "green", "failed": "bold red", "not checked": "yellow"}


def show(verdict: Verdict, run: Path, console: Console | None = None) -> None:
    """Prints the table, and what came of it in a sentence."""
    console = console or Console()
    shown = Table(title=f"{run}: what was checked", title_justify="left")
    for name in ("check", "cells", "what is so, what is wrong, why it was not checked"):
        shown.add_column(name, overflow="fold")
    for name, count, said in verdict.lines():
        colour = next(colour for status, colour in _COLOURS.items() if count.endswith(status))
        shown.add_row(name, f"[{colour}]{count}[/]", escape(said))
    console.print(shown)
    left = sorted({check.name for check in verdict.checks if check.status == "not checked"})
    failed = len(verdict.failed)
    outcome = "nothing failed" if verdict.ok else f"{failed} check{'s' * (failed > 1)} failed"
    console.print(f"{outcome}; not, or not wholly, checked: {', '.join(left) or 'nothing'}", markup=False)
