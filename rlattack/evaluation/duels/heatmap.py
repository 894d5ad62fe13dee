"""The heat map of a grid of duels: the opponent's win rate as colour, all three rates as numbers."""

import io
import textwrap
from pathlib import Path

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from rlattack.evaluation.curves import INK, drawing, svg
from rlattack.evaluation.duels.grid import Grid, grid, opponent_wins, seat_wins, victim_seat
from rlattack.evaluation.series import Record, estimate
from rlattack.files import write_whole

__all__ = ["heat_map_png", "heat_map_svg", "write_heat_map"]

_COLOURS = LinearSegmentedColormap.from_list("wins", colormaps["YlOrRd"]([0.02, 0.25, 0.45, 0.65, 0.82, 0.95]))
_CROWDED = 7
"""Columns from which on a square has room for the largest number alone."""
_LABEL = 22
"""Characters of a name a line."""


def heat_map_svg(laid: Grid, name: str) -> str:
    """Draws for the page: an `<svg>` element that takes its colours from there; see `curves.draw`."""
    with drawing(name):
        return svg(_figure(laid))


def heat_map_png(laid: Grid) -> bytes:
    """Draws for a file and for TensorBoard."""
    with drawing("heat map"):
        file = io.BytesIO()
        _figure(laid).savefig(file, format="png", dpi=110)
    return file.getvalue()


def write_heat_map(folder: Path, cells: list[Record]) -> None:
    """Writes `heatmap.png` of the cells of a run, where there are several.

    Raises:
        Unwritable: The folder cannot be written.
    """
    laid = grid(cells)
    if len(laid.cells) > 1:
        write_whole(folder / "heatmap.png", heat_map_png(laid))


def _figure(laid: Grid) -> Figure:
    rows, columns = len(laid.rows), len(laid.columns)
    crowded = columns >= _CROWDED
    width, height = (0.75, 0.55) if crowded else (1.75, 0.95)
    figure = Figure(figsize=(max(4.6, width * columns + 3.0), max(2.4, height * rows + 1.4)), layout="constrained")
    axes = figure.subplots()
    shown = [[float("nan")] * columns for _ in range(rows)]
    for (row, column), record in laid.cells.items():
        if (wins := opponent_wins(record)) is not None:
            shown[row][column] = wins.value
            _write(axes, row, column, record, crowded)
    image = axes.imshow(shown, cmap=_COLOURS, vmin=0, vmax=1, aspect="auto")
    bar = figure.colorbar(image, ax=axes, format=PercentFormatter(1), label=f"opponent ({laid.seats[1]}) wins")
    bar.outline.set_visible(False)
    _label(axes, laid, crowded)
    return figure


def _write(axes: Axes, row: int, column: int, record: Record, crowded: bool) -> None:
    """Writes the rates into a square: the opponent's large, the victim's and the ties small."""
    wins, victim = opponent_wins(record), seat_wins(record, victim_seat(record))
    ties = estimate(record, "tie", "rate")
    assert wins is not None
    ink = "#ffffff" if wins.value > 0.6 else "#1a1f26"
    text = f"{100 * wins.value:.0f} %"
    rest = [f"{name} {100 * rate.value:.0f}" for name, rate in (("victim", victim), ("tie", ties)) if rate is not None]
    lines = [(text, 0, 9)] if crowded else [(text, 8, 14), (" · ".join(rest), -12, 9)]
    for words, above, size in lines:
        axes.annotate(
            words, (column, row), (0, above), textcoords="offset points", color=ink, ha="center", va="center",
            fontsize=size, weight="bold" if above > 0 else "normal",
        )  # fmt: skip


def _label(axes: Axes, laid: Grid, crowded: bool) -> None:
    victims, opponents = (
        ["\n".join(textwrap.wrap(name, _LABEL, break_on_hyphens=False) or [name]) for name in names]
        for names in (laid.rows, laid.columns)
    )
    axes.set_xticks(
        range(len(opponents)), opponents, rotation=40 if crowded else 0, ha="right" if crowded else "center"
    )
    axes.set_yticks(range(len(victims)), victims)
    axes.set_xlabel(f"opponent ({laid.seats[1]})")
    axes.set_ylabel(f"victim ({laid.seats[0]})")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for gaps, line in ((range(1, len(opponents)), axes.axvline), (range(1, len(victims)), axes.axhline)):
        for gap in gaps:
            line(gap - 0.5, color=INK, linewidth=0.6, alpha=0.35)
