"""Return and win rate against the budget, as an inline SVG that takes its colours from the page."""

import io
import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

from rlattack.evaluation.series import Line, Record, estimate

__all__ = ["COLOURS", "INK", "Style", "draw", "drawing", "styles", "svg"]

COLOURS = 7
"""Colours of attacks; the page defines them as `--line-0` and so on."""
_MOST_TICKS = 8
_MARKERS = "os^DvPX"
_PANELS = {"Win rate": ("win", "rate"), "Mean return": ("return", "mean")}
_UNITS = {"unit": " (grey levels)", "raw": ", the game's own units", "sigma": ", standard deviations"}
_SIZES = {"linf": "L∞ eps: largest entry", "l2": "L2 eps: root mean square", "l1": "L1 eps: mean", "l0": "L0: pixels"}
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
    """How a line looks, in the curves and in the table."""

    colour: str
    """A stand-in that `draw` replaces."""
    marker: str
    dashed: bool

    @property
    def variable(self) -> str:
        """The colour as the page names it."""
        return _PAGE[self.colour]


def styles(lines: Iterable[Line]) -> dict[str, Style]:
    """Gives every label a colour and a marker, the same in every norm; controls are grey and dashed."""
    found: dict[str, Style] = {}
    for line in lines:
        count = sum(style.dashed == line.control for style in found.values())
        colour = _NOISE if line.control else f"#0400{count % COLOURS:02x}"
        found.setdefault(line.label, Style(colour, _MARKERS[count % len(_MARKERS)], line.control))
    return found


def draw(lines: Sequence[Line], clean: Record | None, looks: dict[str, Style], name: str) -> str:
    """Draws the lines of one norm and space.

    Args:
        lines: One an attack.
        clean: Drawn as a level with its interval.
        looks: From `styles`.
        name: Of the drawing in its page: two drawings must not share the names of their parts.

    Returns:
        An `<svg>` element without links, in which text is text; nothing when nothing was measured.
    """
    cells = [cell for line in lines for cell in line.cells]
    panels = [title for title, path in _PANELS.items() if any(estimate(cell, *path) for cell in cells)]
    if not panels:
        return ""
    with drawing(name):
        figure = Figure(figsize=(5.55 * len(panels), 3.9), layout="constrained")
        for axes, title in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _panel(axes, lines, clean, looks, title)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4, frameon=False)
        return svg(figure)


def drawing(name: str) -> AbstractContextManager[None]:
    """Settings for a drawing of that name."""
    context: AbstractContextManager[None] = matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": name})
    return context


def svg(figure: Figure) -> str:
    """Makes an `<svg>` element of a figure; within `drawing`, see `draw`."""
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = file.getvalue()
    text = re.sub(r' id="[A-Za-z][\w.]*_\d+"', "", text[text.index("<svg") :])
    return re.sub("#0[1-4]0[0-3]0[0-9a-f]", lambda match: _PAGE.get(match[0], match[0]), text)


def _panel(axes: Axes, lines: Sequence[Line], clean: Record | None, looks: dict[str, Style], title: str) -> None:
    key, value = _PANELS[title]
    for line in lines:
        look = looks[line.label]
        found = [
            (float(cell["eps"]), point) for cell in line.cells if (point := estimate(cell, key, value)) is not None
        ]
        x, y = [eps for eps, _ in found], [point.value for _, point in found]
        low, high = [point.low for _, point in found], [point.high for _, point in found]
        dash = (0, (4, 2)) if look.dashed else "-"
        axes.plot(
            x, y, color=look.colour, marker=look.marker, markersize=5, linewidth=1.8, linestyle=dash, label=line.label
        )
        axes.fill_between(x, low, high, color=look.colour, alpha=0.07 if look.dashed else 0.14, linewidth=0)
        axes.vlines(x, low, high, color=look.colour, linewidth=1)
    if (level := estimate(clean, key, value)) is not None:
        axes.axhline(level.value, color=INK, linewidth=1, linestyle=":", label="clean")
        axes.axhspan(level.low, level.high, color=INK, alpha=0.07, linewidth=0)
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(axis="y", linewidth=0.8)
    axes.tick_params(length=3)
    if title == "Win rate":
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    _budget_axis(axes, lines[0], sorted({float(cell["eps"]) for line in lines for cell in line.cells}))


def _budget_axis(axes: Axes, line: Line, sizes: list[float]) -> None:
    """Ticks stand at the sizes that were played, with the grey levels where eps has them."""
    levels = line.norm != "l0" and line.space == "unit"
    axes.set_xlabel(_SIZES.get(line.norm, line.norm) + ("" if line.norm == "l0" else _UNITS.get(line.space, "")))
    if sizes[-1] > 5 * sizes[0]:
        axes.set_xscale("log")
    if sizes[-1] == sizes[0]:
        axes.set_xlim(sizes[0] * 0.5, sizes[0] * 1.5)
    axes.xaxis.set_minor_locator(NullLocator())
    if len(sizes) <= _MOST_TICKS:
        axes.set_xticks(sizes, [f"{eps:g}\n({eps * 255:.2g})" if levels else f"{eps:g}" for eps in sizes])
