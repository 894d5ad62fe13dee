"""Records of `results.json` as lines against the budget: what belongs together, what it is called, how big it is."""

import json
import math
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Estimate",
    "Line",
    "Record",
    "clean_of",
    "distinctions",
    "estimate",
    "is_ok",
    "label",
    "lines",
    "noise_beside",
    "number",
    "settings",
    "size",
]

Record = dict[str, Any]
"""One cell of `results.json`, as DESIGN.md describes it; any key may be missing."""

_SETTING = ("game", "victim", "players", "defence", "actions", "sticky", "episodes", "seed")
_NORMS = ("linf", "l2", "l1", "l0")
_LEVELS = {
    0.125: "an eighth of a grey level",
    0.25: "a quarter of a grey level",
    0.5: "half a grey level",
    1.0: "one grey level",
    2.0: "two grey levels",
}
_MEASURES = {"l2": ", root mean square", "l1": ", mean"}


@dataclass(frozen=True)
class Line:
    """Cells that differ in nothing but the size of the budget."""

    label: str
    norm: str
    space: str
    control: bool
    """Noise, beside which an attack is read."""
    cells: tuple[Record, ...]
    """From the smallest budget to the largest."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; the interval is the point where there is none."""

    value: float
    low: float
    high: float


def settings(records: list[Record]) -> list[list[Record]]:
    """Groups cells by game, victim, defence and protocol: only within a group are they compared."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(json.dumps([record.get(key) for key in _SETTING]), []).append(record)
    return list(groups.values())


def distinctions(groups: list[list[Record]]) -> list[str]:
    """Says of each setting what no other shares: empty when there is only one."""
    apart = [key for key in _SETTING if len({json.dumps(group[0].get(key)) for group in groups}) > 1]
    return [" ".join(f"{key}={group[0].get(key)}" for key in apart) for group in groups]


def lines(records: list[Record]) -> list[Line]:
    """Returns the lines of one setting by norm, attacks before controls; failed cells and the clean one are on none."""
    found: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        if is_ok(record) and not is_clean(record) and number(record, "eps") is not None:
            key = (label(record), str(record.get("norm")), str(record.get("space") or "unit"))
            found.setdefault(key, []).append(record)
    all_lines = [
        Line(
            name, norm, space, cells[0]["attack"] == "noise", tuple(sorted(cells, key=lambda cell: float(cell["eps"])))
        )
        for (name, norm, space), cells in found.items()
    ]
    order = {norm: place for place, norm in enumerate(_NORMS)}
    return sorted(all_lines, key=lambda line: (order.get(line.norm, len(order)), line.space, line.control))


def label(record: Record) -> str:
    """Names a line, apart from its norm: `pgd steps=10 frame grid from atari/pong/a2c`."""
    parameters = record.get("parameters") or {}
    words = [str(record.get("attack") or "none"), *(f"{key}={value}" for key, value in sorted(parameters.items()))]
    if record.get("model") == "frame":
        words.append("frame")
    if record.get("grid"):
        words.append("grid")
    if record.get("surrogate"):
        words.append(f"from {record['surrogate']}")
    return " ".join(words)


def is_ok(record: Record) -> bool:
    """Whether a cell was measured and kept its budget."""
    return record.get("status") == "ok"


def is_clean(record: Record) -> bool:
    """Whether a cell is the game without an attack."""
    return record.get("attack") in (None, "none")


def is_control(record: Record) -> bool:
    """Whether a cell is noise, beside which attacks are read."""
    return record.get("attack") == "noise"


def clean_of(records: list[Record]) -> Record | None:
    """Returns the clean cell of one setting."""
    return next((record for record in records if is_clean(record) and is_ok(record)), None)


def noise_beside(cell: Record, records: list[Record]) -> Record | None:
    """Returns the control of a cell: noise of its norm and size, of its own model and grid where there is one."""
    same = [
        record
        for record in records
        if is_control(record)
        and is_ok(record)
        and all(record.get(key) == cell.get(key) for key in ("norm", "eps", "space"))
    ]
    return max(same, key=lambda r: sum(r.get(key) == cell.get(key) for key in ("model", "grid")), default=None)


def number(record: Record | None, *path: str | int) -> float | None:
    """Returns the finite number at a path of keys, or None."""
    value: Any = record
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def estimate(record: Record | None, key: str, value: str, interval: str = "ci") -> Estimate | None:
    """Returns `record[key][value]` with its interval, or None where it was not measured."""
    middle = number(record, key, value)
    if middle is None:
        return None
    low, high = number(record, key, interval, 0), number(record, key, interval, 1)
    return Estimate(middle, middle if low is None else low, middle if high is None else high)


def size(record: Record) -> str:
    """Says a budget in words: `eps 0.001 (a quarter of a grey level)`, `2 pixels`."""
    eps, norm, space = number(record, "eps") or 0.0, str(record.get("norm")), record.get("space")
    if norm == "l0":
        return f"{eps:g} pixel{'' if eps == 1 else 's'}"
    levels = eps * 255
    if space != "unit":
        return f"eps {eps:g}" + (" standard deviations" if space == "sigma" else "") + _MEASURES.get(norm, "")
    words = next(
        (words for near, words in _LEVELS.items() if abs(levels / near - 1) < 0.03), f"{levels:.3g} grey levels"
    )
    return f"eps {eps:g} ({words}{_MEASURES.get(norm, '')})"
