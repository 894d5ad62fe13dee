"""Paired differences of two runs as a table: for the terminal, for Markdown and for the page."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from rlattack.errors import told
from rlattack.evaluation.estimates import Mean, Rate
from rlattack.report.markdown import escape, lines
from rlattack.report.paired import Change, Difference, Paired
from rlattack.report.values import decimals, mean, percent

LEGEND = (
    "In brackets: paired 95 % intervals, each for itself (returns BCa, wins Newcombe). p is that of random sign flips "
    "(of wins, McNemar's exact test), by Holm over all comparisons of the table; differs: p of at most 0.05."
)
_WIDE = 160


def laid(found: Paired) -> list[list[str]]:
    """The table as text, its headings first; columns of wins only where there are any."""
    wins = any(one.win is not None for one in found.found)
    heads = ["", *(f"return, {name}" for name in found.names), "change", "p"]
    heads += [*(f"wins, {name}" for name in found.names), "change of wins", "p of wins"] * wins
    places = decimals([value for one in found.found for value in (one.returns.first, one.returns.second)])
    rows = [_row(one, places, wins=wins) for one in found.found]
    named = [one.what if found.who else f"{one.who}: {one.what}" for one in found.found]
    return [[*heads, "differs", "episodes"], *([name, *row] for name, row in zip(named, rows, strict=True))]


def differences_markdown(found: Paired) -> str:
    """The table for a comment on a pull request."""
    head, *rows = laid(found)
    notes = [f"- {escape(note)}" for note in found.notes]
    parts = [
        f"### {escape(f'{found.names[0]} and {found.names[1]}')}", escape(found.sentence),
        *([lines(head, rows), escape(LEGEND)] if rows else []), *(["\n".join(notes)] if notes else []),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def print_differences(found: Paired, console: Console | None = None) -> None:
    """Prints the table and what is not in it.

    Args:
        found: Two runs.
        console: Where to; standard output by default.
    """
    console = console or (Console() if Console().is_terminal else Console(width=_WIDE))
    head, *rows = laid(found)
    if rows:
        shown = Table(title=found.sentence, title_justify="left")
        for number, name in enumerate(head):
            shown.add_column(name, justify="right" if number else "left", overflow="fold")
        for row in rows:
            shown.add_row(*row)
        console.print(shown)
    for line in [*([LEGEND] if rows else [found.sentence]), *found.notes]:
        console.print(told(line), highlight=False, soft_wrap=True, markup=False)


def _row(one: Difference, places: int, *, wins: bool) -> list[str]:
    kinds = zip(("return", "wins"), (one.returns, one.win), strict=True)
    differs = [what for what, change in kinds if change is not None and change.differs]
    of_wins = _wins(one.win) if wins else []
    return [*_returns(one.returns, places), *of_wins, ", ".join(differs) or "–", str(one.episodes)]


def _returns(change: Change[Mean], places: int) -> Sequence[str]:
    values = [f"{value:.{places}f}" for value in (change.first, change.second)]
    return [*values, str(mean(change.apart, places)), _p(change)]


def _wins(change: Change[Rate] | None) -> list[str]:
    if change is None:
        return ["–"] * 4
    return [f"{100 * change.first:.0f} %", f"{100 * change.second:.0f} %", str(percent(change.apart)), _p(change)]


def _p(change: Change[Mean] | Change[Rate]) -> str:
    return f"{change.p:.3f}" if change.p >= 0.001 else "<0.001"
