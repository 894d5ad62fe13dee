"""Win rate and return against a number, as an inline SVG that takes its colours from the page."""

import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

from rlattack.budget.words import axis, tick
from rlattack.evaluation.results import Mean, Rate, SeatResult
from rlattack.report.lines import BUDGET, Line

COLOURS = 7
"""Colours of attacks; the page defines them as `--line-0` and so on."""
_MOST_TICKS = 8
_FLAT = 1e-9
"""Returns that differ by less are drawn as equal ones."""
_MARKERS = "os^DvPX"
_PANELS: dict[str, Callable[[SeatResult], Rate | Mean | None]] = {
    "Win rate": lambda seat: seat.win,
    "Mean return": lambda seat: seat.returns,
}
# Stand-ins for colours of the page: the drawing is black and white until a style sheet says otherwise.
INK, _RULE, _NOISE = "#010101", "#020202", "#030303"
_PAGE = {INK: "var(--ink)", _RULE: "var(--rule)", _NOISE: "var(--noise)"} | {
    f"#0400{i:02x}": f"var(--line-{i})" for i in range(COLOURS)
}
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), INK),
    "grid.color": _RULE,
}


@dataclass(frozen=True)
class Style:
    """How a line looks, in the curves and in the table.

    Attributes:
        colour: A stand-in that the page's colour takes the place of.
    """

    colour: str
    marker: str
    dashed: bool

    @property
    def variable(self) -> str:
        """The colour as the page names it."""
        return _PAGE[self.colour]


def styles(lines: Iterable[Line]) -> dict[str, Style]:
    """Gives every label a colour and a marker, the same in every drawing; controls are grey and dashed."""
    found: dict[str, Style] = {}
    for line in lines:
        count = sum(style.dashed == line.control for style in found.values())
        colour = _NOISE if line.control else f"#0400{count % COLOURS:02x}"
        marker = _MARKERS[(count + count // COLOURS) % len(_MARKERS)]  # another one when a colour comes again
        found.setdefault(line.label, Style(colour, marker, line.control))
    return found


def draw(lines: Sequence[Line], clean: SeatResult | None, looks: dict[str, Style], name: str) -> str:
    """Draws the lines of one axis, reach and space: what the attacked seat won and earned.

    Args:
        lines: One an attack, at least one.
        clean: The attacked seat in the clean game, drawn as a level with its interval.
        looks: How each line looks, by its label.
        name: Of the drawing in its page: two drawings must not share the names of their parts.

    Returns:
        An `<svg>` element without links, in which text is text; nothing when nothing was measured.
    """
    cells = [cell for line in lines for cell in line.cells]
    panels = [title for title, read in _PANELS.items() if any(read(cell.attacked) for cell in cells)]

    def figure() -> Figure:
        drawn = Figure(figsize=(5.55 * len(panels), 3.9), layout="constrained")
        for axes, title in zip(drawn.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _panel(axes, lines, clean, looks, title)
        handles, labels = drawn.axes[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper left", ncols=4, frameon=False)
        return drawn

    return svg(name, figure)


def svg(name: str, figure: Callable[[], Figure]) -> str:
    """Makes an `<svg>` element that takes its colours from the page.

    Args:
        name: Of the drawing in its page: two drawings must not share the names of their parts.
        figure: Draws.
    """
    file = io.StringIO()
    with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure().savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    text = re.sub(r' id="[A-Za-z][\w.]*_\d+"', "", text[text.index("<svg") :])
    return re.sub("#0[1-4]0[0-3]0[0-9a-f]", lambda match: _PAGE.get(match[0], match[0]), text)


def png(figure: Callable[[], Figure]) -> bytes:
    """Makes a picture for a file and for TensorBoard."""
    file = io.BytesIO()
    with matplotlib.rc_context(_SETTINGS):
        figure().savefig(file, format="png", dpi=110)
    return file.getvalue()


def _panel(axes: Axes, lines: Sequence[Line], clean: SeatResult | None, looks: dict[str, Style], title: str) -> None:
    read, sizes = _PANELS[title], sorted({line.at(cell) for line in lines for cell in line.cells})
    for line, factor in zip(lines, _factors(len(lines), sizes), strict=True):
        points = [(line.at(cell), read(cell.attacked)) for cell in line.cells]
        found = [(factor * x, point) for x, point in points if point is not None]
        _line(axes, found, looks[line.label], line.label)
    if clean is not None and (level := read(clean)) is not None:
        axes.axhline(level.value, color=INK, linewidth=1, linestyle=":", label="clean")
        axes.axhspan(*level.ci, color=INK, alpha=0.07, linewidth=0)
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(axis="y", linewidth=0.8)
    axes.tick_params(length=3)
    if title == "Win rate":
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    elif np.ptp(axes.get_ylim()) < _FLAT:  # all returns are equal
        axes.set_ylim(axes.get_ylim()[0] - 1, axes.get_ylim()[1] + 1)
    _axis(axes, lines[0], sizes)


def _factors(lines: int, sizes: Sequence[float]) -> list[float]:
    """By what each line is moved along the axis: lines of one size alone stand side by side around it."""
    return [1 + 0.8 * ((place + 0.5) / lines - 0.5) if len(sizes) == 1 else 1.0 for place in range(lines)]


def _line(axes: Axes, found: Sequence[tuple[float, Rate | Mean]], look: Style, label: str) -> None:
    x, y = [x for x, _ in found], [point.value for _, point in found]
    low, high = [point.ci[0] for _, point in found], [point.ci[1] for _, point in found]
    dash = (0, (4, 2)) if look.dashed else "-"
    axes.plot(x, y, color=look.colour, marker=look.marker, markersize=5, linewidth=1.8, linestyle=dash, label=label)
    axes.fill_between(x, low, high, color=look.colour, alpha=0.07 if look.dashed else 0.14, linewidth=0)
    axes.vlines(x, low, high, color=look.colour, linewidth=1)


def _axis(axes: Axes, line: Line, sizes: list[float]) -> None:
    """Ticks stand at the sizes that were played."""
    axes.set_xlabel(line.axis.label or axis(line.reach, line.space))
    if sizes[-1] > 5 * sizes[0] > 0:
        axes.set_xscale("log")
    if sizes[-1] == sizes[0]:
        axes.set_xlim(sizes[0] * 0.5, sizes[0] * 1.5)
    axes.xaxis.set_minor_locator(NullLocator())
    marked = sizes if line.axis is BUDGET else [line.at(cell) for cell in line.cells]
    if len(marked) <= _MOST_TICKS:
        axes.set_xticks(
            marked, [tick(x, line.reach, line.space) if line.axis is BUDGET else f"{x:.2g}" for x in marked]
        )
