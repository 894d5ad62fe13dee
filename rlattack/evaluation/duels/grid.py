"""Duels as a grid (Gleave et al. 2019, figure of win rates): rows are victims, columns are opponents."""

import json
from dataclasses import dataclass

from rlattack.evaluation.series import Estimate, Record, estimate, is_clean

__all__ = [
    "Grid",
    "attacked_pairs",
    "attacked_seat",
    "duel_settings",
    "fair",
    "grid",
    "masked",
    "opponent_wins",
    "player",
    "seat_wins",
    "seats",
    "short_name",
    "victim_seat",
]

_SETTING = ("game", "seats", "victim_seat", "actions", "episodes", "seed")


@dataclass(frozen=True)
class Grid:
    """Cells by who is the victim and who the opponent; a player that does not see the other one is another player."""

    rows: list[str]
    columns: list[str]
    cells: dict[tuple[int, int], Record]
    """By row and column; a pair that was not played is missing."""
    seats: tuple[str, str]
    """Names of the victim's seat and the opponent's."""


def duel_settings(records: list[Record]) -> list[list[Record]]:
    """Groups cells by game and protocol: only within a group are they compared."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(json.dumps([record.get(key) for key in _SETTING]), []).append(record)
    return list(groups.values())


def grid(records: list[Record]) -> Grid:
    """Lays out the cells of one setting without an attack, in the order in which players first come."""
    victim = victim_seat(records[0])
    clean = [record for record in records if is_clean(record)]
    places = [(_sighted(record, victim), _sighted(record, 1 - victim)) for record in clean]
    rows, columns = (list(dict.fromkeys(place[axis] for place in places)) for axis in (0, 1))
    cells = {(rows.index(row), columns.index(column)): r for (row, column), r in zip(places, clean, strict=True)}
    names = seats(records[0])
    return Grid(rows, columns, cells, (names[victim], names[1 - victim]))


def seats(record: Record) -> tuple[str, str]:
    """Names of seat 0 and seat 1."""
    return _two(record.get("seats"), "seat 0", "seat 1")


def victim_seat(record: Record) -> int:
    """Number of the seat whose players are the rows."""
    names = seats(record)
    return names.index(record["victim_seat"]) if record.get("victim_seat") in names else 1


def player(record: Record, seat: int) -> str:
    """Names who holds a seat, as `short_name` does."""
    return short_name(_two(record.get("players"), "?", "?")[seat], str(record.get("game")))


def short_name(player: str, game: str) -> str:
    """Who plays, without the id of the game before it."""
    return player.removeprefix(f"{game}/")


def masked(record: Record) -> tuple[int, str] | None:
    """The seat from which the other player is hidden, and how."""
    mask = record.get("mask")
    names = seats(record)
    if not isinstance(mask, dict) or mask.get("seat") not in names:
        return None
    return names.index(mask["seat"]), str(mask.get("mode"))


def seat_wins(record: Record | None, seat: int) -> Estimate | None:
    """The share of games that a seat won, with its interval."""
    return estimate(record, "win" if seat == 0 else "loss", "rate")


def opponent_wins(record: Record | None) -> Estimate | None:
    """The share of games that the victim's opponent won."""
    return None if record is None else seat_wins(record, 1 - victim_seat(record))


def attacked_seat(record: Record) -> int:
    """Number of the seat whose observations an attack perturbs; the victim's where none does."""
    names = seats(record)
    return names.index(record["attacked_seat"]) if record.get("attacked_seat") in names else victim_seat(record)


def attacked_pairs(records: list[Record]) -> list[list[Record]]:
    """Groups the cells of one setting by who plays, what is hidden and whose sight is attacked, clean ones first.

    Pairs that are not attacked are left out.
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        if not is_clean(record):
            key = json.dumps([record.get("players"), record.get("mask"), attacked_seat(record)])
            groups.setdefault(key, []).append(record)
    return [
        [r for r in records if is_clean(r) and all(r.get(key) == group[0].get(key) for key in ("players", "mask"))][:1]
        + group
        for group in groups.values()
    ]


def fair(record: Record) -> bool:
    """Whether both players see each other."""
    return masked(record) is None


def _sighted(record: Record, seat: int) -> str:
    """Who holds a seat and whether it is blind; never the mask's mode alone, which can be a player's name as well."""
    mask = masked(record)
    return player(record, seat) + (f", blind (mask {mask[1]})" if mask is not None and mask[0] == seat else "")


def _two(names: object, *otherwise: str) -> tuple[str, str]:
    first, second = names if isinstance(names, list) and len(names) == 2 else otherwise
    return str(first), str(second)
