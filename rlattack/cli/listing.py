"""`rlattack list`: what can be named."""

import json
import sys
from dataclasses import dataclass
from typing import Any, Literal

import tyro

__all__ = ["List"]


@dataclass(frozen=True, kw_only=True)
class List:
    """List games, agents, attacks and defences."""

    kind: tyro.conf.Positional[Literal["games", "agents", "attacks", "defences", "all"]] = "all"
    """What to list."""
    json: bool = False
    """Print a JSON list of objects instead of tables."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        kinds = tuple(_LISTS) if self.kind == "all" else (self.kind,)
        listed = {kind: _LISTS[kind]() for kind in kinds}
        if self.json:
            shown = listed if self.kind == "all" else listed[self.kind]
            sys.stdout.write(json.dumps(shown, indent=1) + "\n")
            return 0
        for kind, rows in listed.items():
            _print(kind, rows)
        return 0


def _games() -> list[dict[str, Any]]:
    from rlattack.games import list_games

    return list_games()


def _agents() -> list[dict[str, Any]]:
    from rlattack.policies.folder import agent_cards

    return [
        {
            "id": name,
            "game": card.game,
            "role": card.role,
            "seat": card.seat,
            "algorithm": card.algorithm,
            "score": card.score.get("mean"),
            "win_rate": card.score.get("win", {}).get("rate"),
            "sha256": card.sha256,
        }
        for name, card in agent_cards()
    ]


def _attacks() -> list[dict[str, Any]]:
    from rlattack.attacks import ATTACKS

    return [
        {
            "id": name,
            "access": kind.access,
            "knowledge": kind.knowledge,
            "reach": list(kind.reaches),
            "size": "given" if kind.sized else "smallest",
            "fitted": "yes" if kind.fitted else "",
            "control": "" if kind.is_control else kind.control().name,
            **_about(kind),
        }
        for name, kind in ((name, ATTACKS.get(name)) for name in ATTACKS)
    ]


def _defences() -> list[dict[str, Any]]:
    from rlattack.defences import FRONTS

    return [{"id": name, **_about(FRONTS.get(name))} for name in FRONTS]


def _about(kind: type[Any]) -> dict[str, Any]:
    """The parameters of a registered class with their defaults, and the first line of its docstring."""
    from rlattack.specs import parameters_of

    return {"parameters": parameters_of(kind), "about": (kind.__doc__ or "").partition("\n")[0]}


_LISTS = {"games": _games, "agents": _agents, "attacks": _attacks, "defences": _defences}


def _print(kind: str, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        Console().print(f"no {kind}")
        return
    table = Table(title=kind, title_justify="left")
    hidden = ("sha256", "parameters", "about", "control", "win_score", "card", "algorithm", "win_rate")
    if kind == "agents":
        rows = [_brief(row) for row in rows]
    columns = [column for column in rows[0] if column not in hidden and any(row[column] for row in rows)]
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("id", "access", "knowledge"))
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console = Console()
    console.print(table)
    if kind == "games":
        console.print(
            "and gymnasium/<env id> for any Gymnasium environment of arrays and discrete actions", highlight=False
        )
        console.print(
            "and pettingzoo/<env id> for any PettingZoo game of two agents, as pettingzoo/connect_four_v3",
            highlight=False,
        )
    if kind == "agents" and any(row["win_rate"] is not None for row in rows):
        console.print("a score in percent is games won, against whom the agent's card names; others are mean returns")
    for row in rows:
        if "about" in row:
            settings = ", ".join(f"{key}={value}" for key, value in row["parameters"].items())
            beside = f" Read beside {row['control']}." if row.get("control") else ""
            takes = f" Takes {settings}." if settings else ""
            console.print(f"{row['id']}: {row['about']}{beside}{takes}", highlight=False, soft_wrap=True, markup=False)


def _brief(agent: dict[str, Any]) -> dict[str, Any]:
    """Without a game that the id says, and with the games won as the score of a player of duels."""
    game = "" if agent["id"].startswith(f"{agent['game']}/") else agent["game"]
    won = agent["win_rate"]
    return agent | {"game": game, "score": agent["score"] if won is None else f"{100 * won:.1f} %"}


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
