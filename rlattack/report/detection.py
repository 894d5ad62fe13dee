"""What detectors made of each cell: a table, curves of what is detected against false alarms, and what to doubt."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from rlattack.attacks.natural import NATURAL
from rlattack.evaluation.results import Detection, Mean, Rate, Result, RocPoint
from rlattack.report.columns import Column
from rlattack.report.comparison import Setting, attack_label, names, size
from rlattack.report.curves import COLOURS, INK
from rlattack.report.tables import Group, Row, Table
from rlattack.report.values import Value, mean, percent, some

_AT = 0.01
"""Rate of false alarms that the table tells."""
_MOST = 4
"""Detectors that are named in a warning, and panels of a row."""
_LEAST = 0.001
"""Rate of false alarms at which curves begin."""

_OF_THE_PAGE = [f"#0400{number:02x}" for number in range(COLOURS)]
"""Stand-ins for the colours of the page."""
PALETTE = [f"C{number}" for number in range(10)]
"""Colours of pictures that stand in no page."""


@dataclass(frozen=True)
class Curve:
    """One curve: of a detector, in a cell."""

    detector: str
    cell: str
    points: tuple[RocPoint, ...]


def detection(setting: Setting) -> Table | None:
    """Lays out what each detector made of each cell; None where none looked on."""
    found = detectors(setting)
    if not found:
        return None
    columns = [Column(title, hint, _unread) for title, hint, _ in _COLUMNS]
    groups = [Group("", name, [_row(setting, *one) for one in of]) for name, of in found.items()]
    rows = [row for group in groups for row in group.rows]
    widths = [max(len(row.values[place].interval) for row in rows) for place in range(len(columns))]
    return Table(columns, widths, groups)


def detectors(setting: Setting) -> dict[str, list[tuple[Result, Detection]]]:
    """What each detector made of the cells that kept their budget, clean play first, then natural changes."""
    found: dict[str, list[tuple[Result, Detection]]] = {}
    for cell in sorted(setting.good, key=lambda cell: (bool(cell.attacks), not cell.control, not is_natural(cell))):
        for name, one in cell.attacked.detection.items():
            found.setdefault(name, []).append((cell, one))
    return found


def curves(setting: Setting) -> list[Curve]:
    """The curves of all attacks and natural changes; controls are in the table alone."""
    found = detectors(setting).items()
    return [
        Curve(name, _called(setting, cell), one.roc)
        for name, of in found
        for cell, one in of
        if one.roc and not cell.control
    ]


def roc_map(drawn: Sequence[Curve], palette: Sequence[str] = _OF_THE_PAGE) -> Figure:
    """Draws a panel a cell, with a line a detector, for `rlattack.report.curves.svg`; for `png` in colours of its own.

    Args:
        drawn: At least one curve.
        palette: Colours of detectors, in turn.
    """
    cells = list(dict.fromkeys(one.cell for one in drawn))
    colours = dict(zip(dict.fromkeys(one.detector for one in drawn), itertools.cycle(palette), strict=False))
    across = min(len(cells), _MOST - 1)
    down = -(-len(cells) // across)
    figure = Figure(figsize=(3.6 * across, 3.1 * down + 0.4), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).flatten()
    for axes, cell in zip(panels, cells, strict=False):
        _panel(axes, cell, [(one, colours[one.detector]) for one in drawn if one.cell == cell])
    for axes in panels[len(cells) :]:
        axes.set_visible(False)
    handles = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside upper left", ncols=4, frameon=False)
    figure.supxlabel("false alarms, of clean steps", fontsize=10)
    figure.supylabel("alarms, of attacked steps", fontsize=10)
    return figure


def doubtful_alarms(setting: Setting) -> Iterator[str]:
    """Says which detectors raise more alarms than they should, in clean play and where nobody attacks."""
    false, natural = [], []
    for name, of in detectors(setting).items():
        for cell, one in of:
            if one.steps is None:
                continue
            asked = _rate(name)
            if not cell.attacks and asked is not None and one.steps.ci[0] > asked:
                false.append(f"{name} {_share(one.steps)} for {100 * asked:g} %")
            if is_natural(cell) and one.auc is not None and one.auc.ci[0] > 0.5 and one.steps.ci[0] > 2 * _AT:
                natural.append(f"{name} {_share(one.steps)} under {_called(setting, cell)}")
    if false:
        yield f"More false alarms in clean play than were asked for: {some(false, _MOST)}. episodes= sets it better."
    if natural:
        yield f"Alarms where nothing attacks, but the picture changed: {some(natural, _MOST)}."


def is_natural(cell: Result) -> bool:
    """Whether nobody attacks in a cell, but what is seen or done changes as it may by itself."""
    return bool(cell.attacks) and all(attack.name in NATURAL for attack in cell.attacks)


def scalars(cell: Result) -> dict[str, Rate | Mean]:
    """The numbers of each detector in a cell, by name."""
    found: dict[str, Rate | Mean] = {}
    for name, one in cell.attacked.detection.items():
        told = {"auc": one.auc, "alarms": one.steps, "episodes": one.episodes, "delay": one.delay}
        found |= {f"{what} {name}": value for what, value in told.items() if value is not None}
    return found


def _panel(axes: Axes, cell: str, drawn: Sequence[tuple[Curve, str]]) -> None:
    chance = np.geomspace(_LEAST, 1)
    axes.plot(chance, chance, color=INK, linewidth=0.8, linestyle=":")
    for one, colour in drawn:
        points = [point for point in one.points if point.false >= _LEAST]
        x = [point.false for point in points]
        axes.plot(x, [point.detected for point in points], color=colour, linewidth=1.6, label=one.detector)
        low, high = ([getattr(point, end) for point in points] for end in ("low", "high"))
        axes.fill_between(x, low, high, color=colour, alpha=0.14, linewidth=0)
    axes.set_xscale("log")
    axes.set_xlim(_LEAST, 1)
    axes.set_ylim(-0.03, 1.03)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{100 * rate:g} %"))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(axis="y", linewidth=0.8)
    axes.set_title(cell, loc="left", fontsize=9, wrap=True)


def _row(setting: Setting, cell: Result, one: Detection) -> Row:
    values = [read(one) for _, _, read in _COLUMNS]
    return Row(_called(setting, cell), attack_label(cell), cell.control, "", values)


def _called(setting: Setting, cell: Result) -> str:
    """`pgd steps=10 at eps 0.004`; of a natural change with that word."""
    if not cell.attacks:
        return "clean: false alarms" if setting.alone else f"{names(cell)}: false alarms"
    who = "" if setting.alone else f"{names(cell)}: "
    sized = f" at {size(cell)}" if size(cell) else ""
    return f"{who}{attack_label(cell)}{sized}" + " (natural)" * is_natural(cell)


def _rate(name: str) -> float | None:
    """The rate of false alarms a step that a detector was asked for; None of one that was asked for episodes."""
    parameters = dict(part.partition("=")[::2] for part in name.partition(":")[2].split(","))
    return None if parameters.get("per") == "episode" else float(parameters.get("rate", _AT))


def _share(one: Mean) -> str:
    return f"{100 * one.mean:.3g} %"


def _alarms(one: Detection) -> Value:
    return percent(None if one.steps is None else Rate(one.steps.mean, one.steps.ci), 1)


def _at_rate(one: Detection) -> Value:
    found = next((point for point in one.roc if point.false >= _AT), None)
    return percent(None if found is None else Rate(found.detected, (found.low, found.high)), 1)


_COLUMNS: list[tuple[str, str, Callable[[Detection], Value]]] = [
    ("AUC", "area under the curve, beside clean play: 1 tells every attacked step, 0.5 is chance, below it the attack "
     "looks more usual than clean play; by bootstrap over episodes", lambda one: mean(one.auc, 3)),
    ("alarms", "steps with an alarm, of those that were attacked, or of all in clean play, where all are false; at the "
     "threshold that was found on clean tuning episodes", _alarms),
    ("at 1 %", "attacked steps that would be detected at that threshold of which 1 % of these clean steps are above",
     _at_rate),
    ("episodes", "episodes with an alarm, once they were attacked", lambda one: percent(one.episodes)),
    ("delay", "steps from the first attacked one to the first alarm, if any", lambda one: mean(one.delay, 1)),
]  # fmt: skip


def _unread(cells: Sequence[Result]) -> list[Value]:
    raise AssertionError("the values of detectors are laid out already")
