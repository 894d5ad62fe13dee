"""Cells of duels as rows of text, for the page and the terminal."""

from typing import Any

from rlattack.evaluation.duels.grid import masked, player, seat_wins, seats
from rlattack.evaluation.series import Estimate, Record, estimate, number
from rlattack.evaluation.tables import Column, Group, Read, Row, Table, Value, percent, plain, starred, with_interval

__all__ = ["details", "duel_table", "mask_words", "numbers"]

_RATE, _MEAN = "with its 95 % Wilson interval", "with its 95 % BCa interval"


def duel_table(records: list[Record], columns: list[Column]) -> Table:
    """Lays cells out in the order in which they were asked for, by what is hidden from whom."""
    shown = [column for column in columns if any(column.read(record, 1) != Value() for record in records)]
    by_mask: dict[str, list[Record]] = {}
    for record in records:
        by_mask.setdefault(mask_words(record), []).append(record)
    groups = [Group(words, [_row(record, shown) for record in members]) for words, members in by_mask.items()]
    rows = [row for group in groups for row in group.rows]
    return Table(shown, [max(len(row.values[i].interval) for row in rows) for i in range(len(shown))], groups)


def numbers(record: Record) -> list[Column]:
    """What most readers want."""
    return [
        *(Column(f"{seat} wins", _RATE, _wins(number)) for number, seat in enumerate(seats(record))),
        Column("tie", _RATE, lambda r, _: percent(estimate(r, "tie", "rate"))),
        Column("length", f"mean steps of a game {_MEAN}", _mean("length")),
        Column("endings", "how many games ended how", _endings),
    ]


def details(record: Record) -> list[Column]:
    """The rest."""
    return [
        *(
            Column(f"return of {seat}", f"mean sum of the game's own rewards {_MEAN}", _mean("return", number))
            for number, seat in enumerate(seats(record))
        ),
        Column("distinct", "games that went differently", plain("distinct")),
        Column("truncated", "games cut by the time limit or by an unstable simulation", plain("truncated")),
        Column("unstable", "games in which the simulation broke down", plain("unstable")),
        Column("steps", "of all games", plain("steps")),
        Column("steps/s", "steps a second of a worker", plain("steps_per_second")),
        Column("cell", "its name in results.json and episodes.csv", lambda r, _: Value(str(r.get("cell") or "–"))),
    ]


def mask_words(record: Record) -> str:
    """Says what is hidden from whom."""
    mask = masked(record)
    if mask is None:
        return "Nothing is hidden"
    return f"Hidden from the {seats(record)[mask[0]]}: the other player ({mask[1]})"


def _row(record: Record, columns: list[Column]) -> Row:
    name = f"{player(record, 0)} – {player(record, 1)}"
    status = "" if record.get("status") == "ok" else str(record.get("status") or "no status")
    return Row(name, None, False, status, [column.read(record, 1) for column in columns])


def _wins(seat: int) -> Read:
    return lambda record, _: percent(seat_wins(record, seat))


def _mean(*path: str | int) -> Read:
    def read(record: Record, places: int) -> Value:
        middle = number(record, *path, "mean")
        if middle is None:
            return Value()
        low, high = number(record, *path, "ci", 0), number(record, *path, "ci", 1)
        point = Estimate(middle, middle if low is None else low, middle if high is None else high)
        part: Any = record
        for key in path:
            part = part[key]
        return starred(with_interval(point, 0 if abs(middle) >= 1000 else places), part, "degenerate")

    return read


def _endings(record: Record, places: int) -> Value:
    counts = record.get("endings") or {}
    words = [f"{name or '?'} {count}" for name, count in sorted(counts.items(), key=lambda item: -item[1])]
    return Value(", ".join(words) or "–")
