"""The tables at the end of an evaluation: every cell, who beats whom as a grid, and what weakens the numbers."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rlattack.errors import told
from rlattack.evaluation.results import Result
from rlattack.report.activations import Activations, read_activations
from rlattack.report.certificates import certificates
from rlattack.report.columns import BUDGET, DISTINCT, numbers
from rlattack.report.comparison import Setting, full_name, settings
from rlattack.report.detection import detection
from rlattack.report.findings import finding, win_rule
from rlattack.report.heatmap import Grid, grid, wrapped
from rlattack.report.matrix import LEGEND, Matrix, matrices, notes
from rlattack.report.matrix import written as matrix_written
from rlattack.report.members import member_lines
from rlattack.report.tables import Group, Row, table
from rlattack.report.tables import Table as Laid
from rlattack.report.transfer import Transfer, transfers, written
from rlattack.report.values import mean
from rlattack.report.warnings import equal_returns, warnings

_WIDE = 160
"""Columns where no terminal says how many there are."""
_LABEL = 28
"""Columns of a terminal that who plays may take before numbers give way."""
_NAME = 12
"""Columns that a name has at least in the grid; no square needs more."""


def print_results(results: Sequence[Result], folder: Path, console: Console | None = None) -> None:
    """Prints what came of an evaluation: a row a cell, the grid where several players meet, what to doubt.

    Args:
        results: The cells.
        folder: The run folder, which holds the rest.
        console: Where to; standard output by default.
    """
    console = console or (Console() if Console().is_terminal else Console(width=_WIDE))
    groups = settings(results)
    for setting in groups:
        _print(setting, console)
    for laid in transfers(groups):
        _print_square(_transfer(laid), "matrix of transfer", console)
    for matrix in matrices(groups):
        _print_matrix(matrix, console)
    if (activations := read_activations(folder)) is not None:
        _likelihoods(activations, console)
    _say(console, f"[bold]{folder}/report.html[/bold] shows it all; or: tensorboard --logdir {folder}", markup=True)


def _print(setting: Setting, console: Console) -> None:
    first = setting.first
    columns = [one for one in numbers(setting) if one.title not in ("eps", "grey levels")]
    laid = table(setting, [BUDGET, *columns, DISTINCT])
    shown, left_out = _fitting(laid, partial(_table, setting, laid), console)
    console.print(shown)
    for row in laid.rows:
        if row.status:
            words = [str(value) for value, column in zip(row.values, laid.columns, strict=True) if column.budget]
            _say(console, f"{' '.join([row.label, *words])}: {row.status}")
    square = grid(setting)
    if len(square) > 1:
        _print_square(_grid(square), "grid of all players", console)
    if (seen := detection(setting)) is not None:
        for group in seen.groups:
            left_out += _print_fitting(seen, partial(_alarms, group, seen), f"alarms of {group.what}", console)
    _say(console, finding(setting).sentence)
    if (certain := certificates(setting)) is not None:
        left_out += _print_fitting(certain, partial(_certificates, certain), "table of certificates", console)
    for line in member_lines(setting):
        _say(console, line)
    explained = bool(equal_returns(setting))  # by a warning
    notes = ["* all values are equal, so the interval is only their point"] if laid.starred and not explained else []
    missing = ", ".join(dict.fromkeys(left_out))
    notes += [f"no room for {missing}: a wider terminal, or the report, shows all"] if missing else []
    notes += [win_rule(first)] if setting.alone else []
    if first.actions == "sampled" and any(column.title == "actions changed" for column in laid.columns):
        notes.append("actions changed compares the most likely actions; sampled ones can change without it")
    for line in [*notes, *warnings(setting)]:
        _say(console, line)


def _fitting(laid: Laid, draw: Callable[[int], Table], console: Console) -> tuple[Table, list[str]]:
    """A table with as many columns, from the left, as fit whole, and the titles of those that do not."""
    for kept in range(len(laid.columns), 0, -1):
        shown = draw(kept)
        if _width(console, shown) <= console.width:
            break
    return shown, [column.title for column in laid.columns[kept:]]


def _print_fitting(laid: Laid, draw: Callable[[int], Table], what: str, console: Console) -> list[str]:
    """Prints as many columns as fit, and returns the titles of those that do not."""
    shown, left_out = _fitting(laid, draw, console)
    _print_square(shown, what, console)
    return left_out


def _table(setting: Setting, laid: Laid, kept: int) -> Table:
    first = setting.first
    sticky = f"sticky {first.sticky:g}, " if first.sticky else ""
    protocol = f"{first.episodes} episodes, {first.actions} actions, {sticky}seed {first.seed}"
    about = f"{full_name(first, 0)} in {first.game}" if setting.alone else setting.title
    shown = Table(title=f"{about}: {protocol}", title_justify="left")
    longest = max((len(_label(row)) for row in laid.rows), default=0)
    heading = "attack" if setting.alone else " – ".join(seat.name for seat in first.seats)
    shown.add_column(heading, overflow="fold", min_width=min(_LABEL, longest))
    texts = [_cells(row, laid)[:kept] for row in laid.rows]
    for column, words in zip(laid.columns, zip(*texts, strict=True), strict=False):
        wide = max(map(len, (column.title, *words)))
        left = column.title in ("budget", "endings")
        shown.add_column(column.title, justify="left" if left else "right", no_wrap=True, min_width=wide)
    rest = iter(texts)
    for group in laid.groups:
        shown.add_section()
        if group.who:
            shown.add_row(group.who, style="dim")
        for row in group.rows:
            shown.add_row(_label(row), *next(rest), style="red" if row.status else None)
    return shown


def _label(row: Row) -> str:
    return f"{row.label} (control)" if row.control else row.label


def _cells(row: Row, laid: Laid) -> list[str]:
    """The numbers of a row; of a failed one the budget alone."""
    if not row.status:
        return [str(value) for value in row.values]
    told = [str(value) if column.budget else "" for value, column in zip(row.values, laid.columns, strict=True)]
    first = next((place for place, text in enumerate(told) if not text), None)
    return ["failed" if place == first else text for place, text in enumerate(told)]


def _grid(laid: Grid) -> Table:
    setting = laid.setting
    title = f"{setting.opponents} wins (victim wins, ties), percent: rows are victims ({setting.victim})"
    shown = Table(title=title, title_justify="left")
    shown.add_column("", overflow="fold", min_width=_NAME)
    for name in laid.columns:
        shown.add_column(name, justify="right", overflow="fold", min_width=_NAME)
    for row, name in enumerate(laid.rows):
        shown.add_row(name, *(_square(laid.cells.get((row, column))) for column in range(len(laid.columns))))
    return shown


def _transfer(laid: Transfer) -> Table:
    title = f"{laid.title}, what is left (and the fall): rows are victims, columns what it was crafted on"
    shown = Table(title=title, title_justify="left")
    shown.add_column("", overflow="fold", min_width=_NAME)
    for name in laid.columns:
        shown.add_column(wrapped(name), justify="right", overflow="fold", min_width=_NAME)
    for name, squares in zip(laid.rows, written(laid), strict=True):
        shown.add_row(wrapped(name), *squares)
    return shown


def _print_matrix(laid: Matrix, console: Console) -> None:
    """Prints it with victims as rows or, where there is no room for that, as columns."""
    lines = matrix_written(laid)
    across = _matrix(f"{laid.title} What is left: rows are victims", lines)
    down = _matrix(f"{laid.title} What is left: columns are victims", [list(one) for one in zip(*lines, strict=True)])
    fits = _width(console, across) <= console.width
    _print_square(across if fits else down, "matrix of what victims stand", console)
    for line in [*([LEGEND] if laid.defended else []), *notes(laid)]:
        _say(console, line)


def _matrix(title: str, lines: Sequence[Sequence[str]]) -> Table:
    shown = Table(title=title, title_justify="left")
    for number, column in enumerate(zip(*lines, strict=True)):
        wide = max(len(line) for text in column for line in wrapped(text).splitlines())
        shown.add_column(wrapped(column[0]), justify="right" if number else "left", overflow="fold", min_width=wide)
    for name, *texts in lines[1:]:
        shown.add_row(wrapped(name), *map(wrapped, texts))
    return shown


def _certificates(laid: Laid, kept: int) -> Table:
    shown = Table(title="what is certain of greedy actions, beside the best attack of that size", title_justify="left")
    shown.add_column("size", no_wrap=True, min_width=max(len(row.label) for row in laid.rows))
    for column in laid.columns[:kept]:
        shown.add_column(column.title, justify="left" if column.title == "best attack" else "right", overflow="fold")
    for row in laid.rows:
        shown.add_row(row.label, *(value.text for value in row.values[:kept]))  # intervals are in the page
    return shown


def _alarms(group: Group, laid: Laid, kept: int) -> Table:
    """What a detector made of each cell."""
    shown = Table(title=f"{group.what}: alarms, of attacked steps", title_justify="left")
    shown.add_column("", overflow="fold", min_width=_LABEL)
    for place, column in enumerate(laid.columns[:kept]):
        wide = max(map(len, (column.title, *(str(row.values[place]) for row in group.rows))))
        shown.add_column(column.title, justify="right", no_wrap=True, min_width=wide)
    for row in group.rows:
        shown.add_row(_label(row), *map(str, row.values[:kept]))
    return shown


def _print_square(drawn: Table, what: str, console: Console) -> None:
    if _width(console, drawn) > console.width:
        _say(console, f"this terminal is too narrow for the {what}; the report has it")
    else:
        console.print(drawn)


def _square(cell: Result | None) -> str:
    if cell is None or cell.victim_seat.loss is None:
        return "–"
    victim = cell.victim_seat
    wins, *rest = (f"{100 * rate.rate:.0f}" for rate in (victim.loss, victim.win, victim.tie) if rate is not None)
    return f"{wins} ({', '.join(rest)})"


def _likelihoods(found: Activations, console: Console) -> None:
    """Prints how likely normal play's mixture finds the activations of a seat against each opponent."""
    what = f"log-likelihood of the {found.seat}'s activations"
    _say(console, f"{what}, by a mixture fitted to play against {found.normal}")
    shown = Table()
    shown.add_column("against", overflow="fold")
    shown.add_column("nats a step", justify="right", no_wrap=True)
    for name, one in found.log_likelihood.items():
        who = f"{found.normal} ({name})" if name in ("train", "validation") else name
        shown.add_row(who, str(mean(one, 1)))
    console.print(shown)
    if found.warning is not None:
        _say(console, found.warning)


def _width(console: Console, shown: Table) -> int:
    return console.measure(shown, options=console.options.update_width(10_000)).minimum


def _say(console: Console, line: str, *, markup: bool = False) -> None:
    console.print(line if markup else told(line), highlight=False, soft_wrap=True, markup=markup)
