"""Results of schema 1 as those of schema 2: attacks on games of one seat, and duels of two, which had a form each."""

from collections.abc import Mapping
from typing import Any

from rlattack.games.game import PLAYER

SCHEMA = "rlattack/results/1"
_KNOWLEDGE = {"query": "scores"}
_SHARED = (
    "cell", "status", "game", "actions", "seed", "episodes", "distinct", "truncated", "steps", "steps_per_second",
)  # fmt: skip

Cell = Mapping[str, Any]
"""An object of JSON; of schema 1 or of schema 2."""


def convert(cell: Cell) -> Cell:
    """Makes a cell of schema 2 of one of schema 1.

    Raises:
        KeyError: A field is missing.
        TypeError: A value is of another type.
    """
    clean = cell.get("attack") in (None, "none")
    return {
        **{name: cell[name] for name in _SHARED},
        **(_of_two(cell) if cell.get("players") else _of_one(cell, clean)),
        "attacks": [] if clean else [_attack(cell)],
    }


def _of_one(cell: Cell, clean: bool) -> Cell:
    """What a game of one seat tells in its own way."""
    win, steps = cell["win"], cell["steps"] / cell["episodes"]
    seat = {
        "name": PLAYER, "player": cell["victim"], "role": "victim", "return": cell["return"],
        **{kind: _rate(cell[kind]) for kind in ("win", "tie", "loss")}, **({} if clean else _attacked(cell)),
    }  # fmt: skip
    return {
        "victim": 0, "seats": [seat], "defence": cell["defence"], "sticky": cell["sticky"], "stalled": cell["stalled"],
        "win_rule": win and {"rule": win["rule"], "threshold": win.get("threshold")},
        "length": {"mean": steps, "ci": [steps, steps]},
    }  # fmt: skip


def _of_two(cell: Cell) -> Cell:
    """What a duel tells in its own way: win and loss are those of seat 0."""
    victim = cell["seats"].index(cell["victim_seat"])
    own = [{"win": "win", "tie": "tie", "loss": "loss"}, {"win": "loss", "tie": "tie", "loss": "win"}]
    seats = [
        {
            "name": name, "player": cell["players"][number], "role": "victim" if number == victim else "opponent",
            "return": cell["return"][number], **{kind: _rate(cell[of]) for kind, of in own[number].items()},
            **(_attacked(cell) if cell.get("attacked_seat") == name else {}),
        }
        for number, name in enumerate(cell["seats"])
    ]  # fmt: skip
    return {
        "victim": victim, "seats": seats, "mask": cell["mask"], "win_rule": {"rule": "game"},
        "length": cell["length"], "endings": cell["endings"], "unstable": cell["unstable"],
    }  # fmt: skip


def _attacked(cell: Cell) -> Cell:
    """What was measured of the seat that was attacked."""
    if drop := cell["drop"]:
        win = None if drop["win"] is None else {"rate": drop["win"], "ci": drop["win_ci"]}
        returns = {"mean": drop["return"], "ci": drop["return_ci"], "degenerate": drop["return_degenerate"]}
        drop = {"return": returns, "win": win}
    shared = {name: cell[name] for name in ("attacked", "action_change", "queries", "gradients")}
    return {"drop": drop, "sizes": cell["size"], **shared}


def _attack(cell: Cell) -> Cell:
    return {
        "name": cell["attack"], "seat": cell.get("attacked_seat", PLAYER), "access": "observation",
        "knowledge": _KNOWLEDGE.get(cell["knowledge"], cell["knowledge"]), "control": cell["attack"] == "noise",
        "parameters": cell["parameters"], "reach": cell["norm"], "model": cell.get("model", "stack"),
        **{name: cell[name] for name in ("eps", "radius", "space")}, "grid": cell.get("grid", False),
        "surrogate": cell.get("surrogate"),
    }  # fmt: skip


def _rate(rate: Cell | None) -> Cell | None:
    return rate and {"rate": rate["rate"], "ci": rate["ci"]}
