"""Who beats whom (Gleave et al. 2019, figure of win rates): rows are victims, columns are opponents."""

import textwrap
from dataclasses import dataclass

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from rlattack.evaluation.results import Result
from rlattack.report.comparison import Setting, opponents, player
from rlattack.report.curves import INK

_COLOURS = LinearSegmentedColormap.from_list("wins", colormaps["YlOrRd"]([0.02, 0.25, 0.45, 0.65, 0.82, 0.95]))
_CROWDED = 7
"""Columns from which on a square has room for the largest number alone."""
_LABEL = 22
"""Characters of a name a line."""


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
    rows, columns = len(laid.rows), len(laid.columns)
    crowded = columns >= _CROWDED
    width, height = (0.75, 0.55) if crowded else (1.75, 0.95)
    figure = Figure(figsize=(max(4.6, width * columns + 3.0), max(2.4, height * rows + 1.4)), layout="constrained")
    axes = figure.subplots()
    shown = [[float("nan")] * columns for _ in range(rows)]
    for (row, column), cell in laid.cells.items():
        if (wins := cell.victim_seat.loss) is not None:
            shown[row][column] = wins.rate
            _write(axes, (column, row), wins.rate, cell, crowded)
    image = axes.imshow(shown, cmap=_COLOURS, vmin=0, vmax=1, aspect="auto")
    bar = figure.colorbar(image, ax=axes, format=PercentFormatter(1), label=f"opponent ({laid.setting.opponents}) wins")
    bar.outline.set_visible(False)
    _label(axes, laid, crowded)
    return figure


def _sighted(cell: Result, seat: int) -> str:
    """Who holds a seat and whether it is blind; never the mask's mode alone, which can be a player's name as well."""
    blind = cell.mask is not None and cell.mask.seat == cell.seats[seat].name
    return player(cell, seat) + (f", blind (mask {cell.mask.mode})" if blind and cell.mask else "")


def _write(axes: Axes, place: tuple[int, int], wins: float, cell: Result, crowded: bool) -> None:
    """Writes the rates into a square: the opponent's large, the victim's and the ties small."""
    victim = cell.victim_seat
    ink = "#ffffff" if wins > 0.6 else "#1a1f26"
    text = f"{100 * wins:.0f} %"
    rest = [f"{name} {100 * rate.rate:.0f}" for name, rate in (("victim", victim.win), ("tie", victim.tie)) if rate]
    lines = [(text, 0, 9)] if crowded else [(text, 8, 14), (" · ".join(rest), -12, 9)]
    for words, above, size in lines:
        axes.annotate(
            words, place, (0, above), textcoords="offset points", color=ink, ha="center", va="center",
            fontsize=size, weight="bold" if above > 0 else "normal",
        )  # fmt: skip


def _label(axes: Axes, laid: Grid, crowded: bool) -> None:
    victims, opponents = (
        ["\n".join(textwrap.wrap(name, _LABEL, break_on_hyphens=False) or [name]) for name in names]
        for names in (laid.rows, laid.columns)
    )
    turn, side = (40, "right") if crowded else (0, "center")
    axes.set_xticks(range(len(opponents)), opponents, rotation=turn, ha=side)
    axes.set_yticks(range(len(victims)), victims)
    axes.set_xlabel(f"opponent ({laid.setting.opponents})")
    axes.set_ylabel(f"victim ({laid.setting.victim})")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for gaps, line in ((range(1, len(opponents)), axes.axvline), (range(1, len(victims)), axes.axhline)):
        for gap in gaps:
            line(gap - 0.5, color=INK, linewidth=0.6, alpha=0.35)
