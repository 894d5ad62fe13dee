"""Duels on the page of a run: the finding, the heat map, all numbers, films."""

import base64
from pathlib import Path
from typing import Any

from markupsafe import Markup

from rlattack.evaluation.duels.film import find_film
from rlattack.evaluation.duels.findings import duel_finding, duel_warnings
from rlattack.evaluation.duels.grid import attacked_seat, fair, grid, masked, opponent_wins, player, seats, victim_seat
from rlattack.evaluation.duels.heatmap import heat_map_svg
from rlattack.evaluation.duels.minds import PICTURE, minds_warning, read_minds
from rlattack.evaluation.duels.staircase import read_staircase, staircase_svg
from rlattack.evaluation.duels.tables import attack_numbers, attack_table, details, duel_table, numbers
from rlattack.evaluation.series import Record, is_clean, label, size
from rlattack.evaluation.tables import percent

__all__ = ["duel_section"]

_MOST_FILMS = 6


def duel_section(records: list[Record], run: Path, anchor: str) -> dict[str, Any]:
    """What the page shows of the duels of one setting.

    Args:
        records: The cells.
        run: The run folder, for films and activations where it has them.
        anchor: Name of the section in its page.
    """
    found, laid, minds = duel_finding(records), grid(records), read_minds(run)
    care = None if minds is None else minds_warning(minds)
    first = records[0]
    return {
        "kind": "duel",
        "game": first.get("game"),
        "anchor": anchor,
        "title": f"{first.get('game')}: {laid.seats[1]} against {laid.seats[0]}",
        "protocol": {
            "victims": laid.seats[0],
            "opponents": laid.seats[1],
            **{key: first.get(key) for key in ("actions", "episodes", "seed")},
        },
        "finding": found.sentence,
        "tiles": [{"name": _pairing(cell), "win": percent(opponent_wins(cell))} for cell in found.cells],
        "opponent": laid.seats[1],
        "warnings": [*duel_warnings(records), *([care] if care else [])],
        "heat_map": Markup(heat_map_svg(laid, anchor)) if len(laid.cells) > 1 else "",
        "staircase": Markup(staircase_svg(stairs, f"{anchor}-stairs")) if (stairs := read_staircase(run)) else "",
        "tables": [duel_table(records, columns(first)) for columns in (numbers, details)],
        "attacks": attack_table(records, attack_numbers(first)),
        "films": _films(records, run / "videos"),
        "minds": None if minds is None else _minds(minds, run),
    }


def _minds(found: dict[str, Any], run: Path) -> dict[str, Any]:
    raw = base64.b64encode((run / PICTURE).read_bytes()).decode()
    return {
        "src": f"data:image/png;base64,{raw}",
        **{key: found[key] for key in ("seat", "normal", "components")},
    }


def _films(records: list[Record], videos: Path) -> list[dict[str, Any]]:
    """Episode 0 of the cells, those with the strongest opponents first."""
    shown: list[dict[str, Any]] = []
    for record in sorted(records, key=_strength, reverse=True):
        path = find_film(videos, str(record.get("cell")))
        if path is not None and len(shown) < _MOST_FILMS:
            moves = path.suffix == ".mp4"
            raw = base64.b64encode(path.read_bytes()).decode()
            src = f"data:{'video/mp4' if moves else 'image/gif'};base64,{raw}"
            shown.append({"title": _pairing(record), "moves": moves, "src": src})
    return shown


def _strength(record: Record) -> tuple[bool, float]:
    wins = opponent_wins(record)
    return fair(record), -1.0 if wins is None else wins.value


def _pairing(record: Record) -> str:
    """`zero against runner`, what is hidden, and what is perturbed."""
    victim, mask = victim_seat(record), masked(record)
    hidden = "" if mask is None else f"; hidden from the {seats(record)[mask[0]]} (mask {mask[1]})"
    sight = seats(record)[attacked_seat(record)]
    attacked = "" if is_clean(record) else f"; {label(record)}, {size(record)}, on what the {sight} sees"
    return f"{player(record, 1 - victim)} against {player(record, victim)}{hidden}{attacked}"
