"""Who beats whom (Gleave et al. 2019, figure of win rates): rows are victims, columns are opponents."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, PercentFormatter

from rlattack.evaluation.results import Result
from rlattack.report.comparison import Setting, opponents, player
from rlattack.report.curves import INK

_COLOURS = LinearSegmentedColormap.from_list("wins", colormaps["YlOrRd"]([0.02, 0.25, 0.45, 0.65, 0.82, 0.95]))
_CROWDED = 7
"""Columns from which on a square has room for the largest number alone."""
_LABEL, _LINES = 22, 4
"""Characters of a name a line, and lines of it at most."""


@dataclass(frozen=True)
class Grid:
    """Cells by who is the victim and who are its opponents; a player that does not see the others is another player.

    Attributes:
        cells: By row and column; a meeting that was not played is missing.
    """

    rows: list[str]
    columns: list[str]
    cells: dict[tuple[int, int], Result]
    setting: Setting

    def __len__(self) -> int:
        return len(self.cells)


def grid(setting: Setting) -> Grid:
    """Lays out the cells of one setting without an attack, in the order in which players first come."""
    places = [
        (_sighted(cell, cell.victim), " and ".join(_sighted(cell, seat) for seat in opponents(cell)))
        for cell in setting.clean
    ]
    rows, columns = (list(dict.fromkeys(place[axis] for place in places)) for axis in (0, 1))
    cells = {(rows.index(r), columns.index(c)): cell for (r, c), cell in zip(places, setting.clean, strict=True)}
    return Grid(rows, columns, cells, setting)


def heat_map(laid: Grid) -> Figure:
    """Draws the grid, for `rlattack.report.curves.svg` or `png`."""
    squares = {}
    for place, cell in laid.cells.items():
        victim = cell.victim_seat
        if victim.loss is not None:
            rest = [
                f"{name} {100 * rate.rate:.0f}" for name, rate in (("victim", victim.win), ("tie", victim.tie)) if rate
            ]
            squares[place] = Square(victim.loss.rate, f"{100 * victim.loss.rate:.0f} %", " · ".join(rest))
    opponents, victim_seat = laid.setting.opponents, laid.setting.victim
    names = (f"victim ({victim_seat})", f"opponent ({opponents})", f"opponent ({opponents}) wins")
    return draw_squares(laid.rows, laid.columns, squares, names, formatter=PercentFormatter(1))


@dataclass(frozen=True)
class Square:
    """What a square of a picture shows.

    Attributes:
        value: By which it is coloured.
        text: Its number.
        rest: What is written small below, where there is room.
    """

    value: float
    text: str
    rest: str


def draw_squares(
    rows: list[str], columns: list[str], squares: Mapping[tuple[int, int], Square], names: tuple[str, str, str], *,
    most: float = 1.0, formatter: Formatter | None = None,
) -> Figure:  # fmt: skip
    """Draws squares by row and column; one that was not played is empty.

    Args:
        rows: Who they are.
        columns: Who they are.
        squares: What is written where.
        names: Of the rows, the columns and the colours.
        most: The value of the darkest colour; 0 is the lightest.
        formatter: Of the values beside the colours.
    """
    crowded = len(columns) >= _CROWDED
    width, height = (0.75, 0.55) if crowded else (1.75, 0.95)
    size = (max(4.6, width * len(columns) + 3.0), max(2.4, height * len(rows) + 1.4))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    shown = [[float("nan")] * len(columns) for _ in rows]
    for (row, column), square in squares.items():
        shown[row][column] = square.value
        _write(axes, (column, row), square, "#ffffff" if square.value > 0.6 * most else "#1a1f26", crowded)
    image = axes.imshow(shown, cmap=_COLOURS, vmin=0, vmax=most, aspect="auto")
    bar = figure.colorbar(image, ax=axes, format=formatter, label=names[2])
    bar.outline.set_visible(False)
    _label(axes, rows, columns, names, crowded)
    return figure


def _sighted(cell: Result, seat: int) -> str:
    """Who holds a seat and whether it is blind; never the mask's mode alone, which can be a player's name as well."""
    blind = cell.mask is not None and cell.mask.seat == cell.seats[seat].name
    return player(cell, seat) + (f", blind (mask {cell.mask.mode})" if blind and cell.mask else "")


def _write(axes: Axes, place: tuple[int, int], square: Square, ink: str, crowded: bool) -> None:
    """Writes into a square: its number large, the rest small."""
    lines = [(square.text, 0, 9)] if crowded else [(square.text, 8, 14), (square.rest, -12, 9)]
    for words, above, size in lines:
        axes.annotate(
            words, place, (0, above), textcoords="offset points", color=ink, ha="center", va="center",
            fontsize=size, weight="bold" if above > 0 else "normal",
        )  # fmt: skip


def _label(axes: Axes, rows: list[str], columns: list[str], names: tuple[str, str, str], crowded: bool) -> None:
    down, across = ([wrapped(name) for name in of] for of in (rows, columns))
    turn, side = (40, "right") if crowded else (0, "center")
    axes.set_xticks(range(len(across)), across, rotation=turn, ha=side)
    axes.set_yticks(range(len(down)), down)
    axes.set_xlabel(names[1])
    axes.set_ylabel(names[0])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for gaps, line in ((range(1, len(across)), axes.axvline), (range(1, len(down)), axes.axhline)):
        for gap in gaps:
            line(gap - 0.5, color=INK, linewidth=0.6, alpha=0.35)


def wrapped(name: str) -> str:
    """A name in a few short lines; of a longer one the beginning and the end."""
    lines = textwrap.wrap(name, _LABEL, break_on_hyphens=False) or [name]
    return "\n".join(lines if len(lines) <= _LINES else [*lines[: _LINES - 2], "...", lines[-1]])
