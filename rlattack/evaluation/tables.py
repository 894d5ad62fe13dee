"""Cells as rows of text: every number with its interval, a dash where nothing was measured."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby

from rlattack.evaluation.curves import Style
from rlattack.evaluation.series import (
    Estimate,
    Record,
    estimate,
    is_clean,
    is_control,
    is_ok,
    label,
    number,
)

__all__ = [
    "DETAILS",
    "NUMBERS",
    "Column",
    "Group",
    "Read",
    "Row",
    "Table",
    "Value",
    "decimals",
    "fixed",
    "mean_return",
    "percent",
    "plain",
    "starred",
    "table",
    "win_rate",
    "with_interval",
]

_NORMS = {
    "linf": "L∞: eps is the largest entry",
    "l2": "L2: eps is the root mean square of the entries",
    "l1": "L1: eps is the mean of the entries",
    "l0": "L0: eps is the number of pixels",
}
_SPACES = {
    "unit": "1 is black to white",
    "raw": "in the game's own units",
    "sigma": "in standard deviations of each entry",
}


@dataclass(frozen=True)
class Value:
    """A number as text."""

    text: str = "–"
    interval: str = ""
    order: float | None = None
    """What a column is sorted by."""

    def __str__(self) -> str:
        """The number and its interval."""
        return f"{self.text} {self.interval}".strip()


Read = Callable[[Record, int], Value]
"""Takes a cell and the decimals of a return."""


@dataclass(frozen=True)
class Column:
    """What one column shows of a cell."""

    title: str
    hint: str
    read: Read


@dataclass(frozen=True)
class Row:
    """One cell of the run."""

    label: str
    style: Style | None
    control: bool
    status: str
    """Empty when the cell is good; a failed one shows no numbers."""
    values: list[Value]


@dataclass(frozen=True)
class Group:
    """Cells of one norm."""

    title: str
    rows: list[Row]


@dataclass(frozen=True)
class Table:
    """Columns in which something was measured, and their rows by norm."""

    columns: list[Column]
    widths: list[int]
    """Characters of the longest interval in each column, to set values below each other."""
    groups: list[Group]


def table(records: list[Record], columns: list[Column], looks: dict[str, Style]) -> Table:
    """Lays cells out: the clean one first, then by norm, attacks before noise, small budgets before large ones."""
    places = decimals(records)
    norms = list(_NORMS)

    def group(record: Record) -> tuple[int, str]:
        norm = str(record.get("norm"))
        return (-1, "") if is_clean(record) else (norms.index(norm) if norm in norms else 9, str(record.get("space")))

    def order(record: Record) -> tuple[object, ...]:
        return (*group(record), is_control(record), label(record), number(record, "eps") or 0.0)

    ordered = sorted(records, key=order)
    shown = [column for column in columns if any(column.read(record, places) != Value() for record in records)]
    groups = [
        Group(_heading(cells[0]), [_row(cell, shown, looks, places) for cell in cells])
        for _, members in groupby(ordered, key=group)
        if (cells := list(members))
    ]
    rows = [row for group in groups for row in group.rows]
    widths = [max(len(row.values[i].interval) for row in rows) for i in range(len(shown))]
    return Table(shown, widths, groups)


def win_rate(record: Record) -> Value:
    """The share of episodes won."""
    return _rate("win")(record, 0)


def mean_return(record: Record, places: int) -> Value:
    """The mean undiscounted return; its interval has a star where all returns are equal."""
    value = with_interval(estimate(record, "return", "mean"), places)
    return starred(value, record.get("return"), "degenerate")


def _row(record: Record, columns: list[Column], looks: dict[str, Style], places: int) -> Row:
    status = "" if is_ok(record) else str(record.get("status") or "no status")
    values = [column.read(record, places) for column in columns]
    name = "clean" if is_clean(record) else label(record)
    return Row(name, looks.get(label(record)), is_control(record), status, values)


def _heading(record: Record) -> str:
    if is_clean(record):
        return "No attack"
    norm, space = str(record.get("norm")), str(record.get("space"))
    return _NORMS.get(norm, norm) + ("" if norm == "l0" else f"; {_SPACES.get(space, space)}")


def decimals(records: list[Record]) -> int:
    """How many decimals the returns of one setting are shown with."""
    largest = max((abs(number(record, "return", "mean") or 0.0) for record in records), default=0.0)
    return 0 if largest >= 1000 else 1 if largest > 1 else 2


def fixed(value: float, places: int) -> str:
    """A number with so many decimals."""
    return f"{round(value, places) + 0.0:.{places}f}"  # adding 0.0 turns -0.0 into 0.0


def with_interval(point: Estimate | None, places: int, *, bare: bool = False) -> Value:
    """A number with its interval, unless `bare`."""
    if point is None:
        return Value()
    low, high = fixed(point.low, places), fixed(point.high, places)
    return Value(fixed(point.value, places), "" if bare else f"[{low}, {high}]", point.value)


def percent(point: Estimate | None, places: int = 0) -> Value:
    """A share as a percentage with its interval."""
    if point is None:
        return Value()
    percent = with_interval(Estimate(100 * point.value, 100 * point.low, 100 * point.high), places)
    return Value(f"{percent.text} %", percent.interval, percent.order)


def _rate(key: str) -> Read:
    return lambda record, _: percent(estimate(record, key, "rate"))


def _grey_levels(record: Record, places: int) -> Value:
    eps = number(record, "eps")
    if eps is None or record.get("space") != "unit" or record.get("norm") == "l0":
        return Value()
    return Value(f"{eps * 255:.3g}", "", eps)


def _largest_size(record: Record, places: int) -> Value:
    return plain("size", str(record.get("norm")))(record, places)


def plain(*path: str) -> Read:
    """Reads the number at a path of keys."""

    def read(record: Record, places: int) -> Value:
        value = number(record, *path)
        return Value() if value is None else Value(f"{value:.6g}", "", value)

    return read


def _share(key: str) -> Read:
    def read(record: Record, places: int) -> Value:
        value = number(record, key)
        return Value() if value is None else Value(f"{fixed(100 * value, 1)} %", "", value)

    return read


def _fall_of_wins(record: Record, places: int) -> Value:
    return Value() if _is_clean(record) else percent(estimate(record, "drop", "win", "win_ci"))


def _fall_of_return(record: Record, places: int) -> Value:
    if _is_clean(record):
        return Value()
    fall = with_interval(estimate(record, "drop", "return", "return_ci"), places)
    return starred(fall, record.get("drop"), "return_degenerate")


def _is_clean(record: Record) -> bool:
    return record.get("attack") == "none"


def starred(value: Value, part: Record | None, flag: str) -> Value:
    """The value with a star at its interval where the flag says that all values were equal."""
    equal = bool((part or {}).get(flag)) and value.interval
    return replace(value, interval=f"{value.interval}*") if equal else value


def _middle_mean(record: Record, places: int) -> Value:
    return with_interval(estimate(record, "return", "iqm", ""), places, bare=True)


def _name(record: Record, places: int) -> Value:
    return Value(str(record.get("cell") or "–"))


_RATE, _MEAN = "with its 95 % Wilson interval", "with its 95 % BCa interval"
NUMBERS = [
    Column("eps", "size of the perturbation per entry", plain("eps")),
    Column("grey levels", "eps × 255", _grey_levels),
    Column("win rate", _RATE, _rate("win")),
    Column("mean return", _MEAN, mean_return),
    Column("fall of win rate", "clean minus attacked, same episodes, in percentage points", _fall_of_wins),
    Column("fall of return", "clean minus attacked, same episodes", _fall_of_return),
    Column("actions changed", "steps in which the victim's most likely action is another one", _share("action_change")),
]
"""What most readers want."""
DETAILS = [
    Column("eps", "size of the perturbation per entry", plain("eps")),
    Column("tie", _RATE, _rate("tie")),
    Column("loss", _RATE, _rate("loss")),
    Column("IQM", "interquartile mean of the returns", _middle_mean),
    Column("attacked", "steps in which the victim saw something else than the game showed", _share("attacked")),
    Column("radius", "what the budget allows, in its norm", plain("radius")),
    Column("largest", "largest norm that the judge measured", _largest_size),
    Column("queries", "victim outputs asked for, per step", plain("queries")),
    Column("gradients", "backward passes, per step", plain("gradients")),
    Column("distinct", "different trajectories", plain("distinct")),
    Column("stalled", "episodes stopped for lack of reward", plain("stalled")),
    Column("truncated", "episodes cut by the time limit", plain("truncated")),
    Column("steps", "agent steps, all episodes", plain("steps")),
    Column("steps/s", "agent steps a second", plain("steps_per_second")),
    Column("cell", "its name in results.json and episodes.csv", _name),
]
"""What the judge measured."""
