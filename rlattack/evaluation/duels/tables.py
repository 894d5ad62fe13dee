"""Cells of duels as rows of text, for the page and the terminal."""

from collections.abc import Callable
from typing import Any

from rlattack.evaluation.duels.grid import attacked_pairs, attacked_seat, masked, player, seat_wins, seats
from rlattack.evaluation.series import Estimate, Record, estimate, is_clean, is_control, is_ok, label, number
from rlattack.evaluation.tables import Column, Group, Read, Row, Table, Value, percent, plain, starred, with_interval

__all__ = ["attack_numbers", "attack_table", "details", "duel_table", "mask_words", "numbers"]

_UNITS = {"sigma": "a standard deviation", "raw": "the game", "unit": "the range of a pixel"}
_RATE, _MEAN = "with its 95 % Wilson interval", "with its 95 % BCa interval"


def duel_table(records: list[Record], columns: list[Column]) -> Table:
    """Lays cells without an attack out in the order in which they were asked for, by what is hidden from whom."""
    by_mask: dict[str, list[Record]] = {}
    for record in records:
        if is_clean(record):
            by_mask.setdefault(mask_words(record), []).append(record)
    return _laid(list(by_mask.items()), columns, _pair)


def attack_table(records: list[Record], columns: list[Column]) -> Table:
    """Lays attacks on what a seat sees out below the clean games of the same pair."""
    pairs = [(_attack_heading(group[-1]), group) for group in attacked_pairs(records)]
    return _laid(pairs, columns, _attack_row)


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


def attack_numbers(record: Record) -> list[Column]:
    """What is measured of an attack on what a seat sees."""
    return [
        Column("attacked wins", f"of the attacked seat, {_RATE}", lambda r, _: percent(seat_wins(r, attacked_seat(r)))),
        Column("tie", _RATE, lambda r, _: percent(estimate(r, "tie", "rate"))),
        Column(
            "drop", "clean minus attacked share of wins, the same games, with its paired 95 % interval",
            lambda r, _: percent(estimate(r, "drop", "win", "win_ci")),
        ),
        Column("length", f"mean steps of a game {_MEAN}", _mean("length")),
        Column("action change", "steps in which its greedy action was another", _share("action_change")),
        Column("attacked steps", "steps in which it received something else than the game showed", _share("attacked")),
        Column("largest size", "the largest true size of a step, in the norm of the budget", _largest),
        Column("queries", "output calls of the attack a step", plain("queries")),
        Column("gradients", "backward passes of the attack a step", plain("gradients")),
        Column("cell", "its name in results.json and episodes.csv", lambda r, _: Value(str(r.get("cell") or "–"))),
    ]  # fmt: skip


def mask_words(record: Record) -> str:
    """Says what is hidden from whom."""
    mask = masked(record)
    if mask is None:
        return "Nothing is hidden"
    return f"Hidden from the {seats(record)[mask[0]]}: the other player (mask {mask[1]})"


def _laid(parts: list[tuple[str, list[Record]]], columns: list[Column], name: Callable[[Record], str]) -> Table:
    """Rows by heading, in the columns in which something was measured."""
    every = [record for _, members in parts for record in members]
    shown = [column for column in columns if any(column.read(record, 1) != Value() for record in every)]
    groups = [Group(words, [_row(record, name(record), shown) for record in members]) for words, members in parts]
    rows = [row for group in groups for row in group.rows]
    widths = [max((len(row.values[i].interval) for row in rows), default=0) for i in range(len(shown))]
    return Table(shown, widths, groups)


def _row(record: Record, name: str, columns: list[Column]) -> Row:
    status = "" if is_ok(record) else str(record.get("status") or "no status")
    return Row(name, None, is_control(record), status, [column.read(record, 1) for column in columns])


def _pair(record: Record) -> str:
    return f"{player(record, 0)} – {player(record, 1)}"


def _attack_row(record: Record) -> str:
    return "clean" if is_clean(record) else f"{label(record)} {number(record, 'eps') or 0.0:g}"


def _attack_heading(record: Record) -> str:
    hidden = "" if masked(record) is None else f"; {mask_words(record)}"
    norm, unit = record.get("norm"), _UNITS.get(str(record.get("space")), "1")
    measure = "pixels" if norm == "l0" else f"{norm} in units of {unit}"
    return f"{_pair(record)}: what the {seats(record)[attacked_seat(record)]} sees is perturbed, {measure}{hidden}"


def _share(key: str) -> Read:
    def read(record: Record, places: int) -> Value:
        value = number(record, key)
        return Value() if value is None else Value(f"{100 * value:.1f} %", "", value)

    return read


def _largest(record: Record, places: int) -> Value:
    return plain("size", str(record.get("norm")))(record, places)


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
