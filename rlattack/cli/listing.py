"""`rlattack list`: what can be named."""

import json
import sys
from dataclasses import dataclass
from typing import Any, Literal

import tyro

__all__ = ["List"]


@dataclass(frozen=True, kw_only=True)
class List:
    """List games, agents and attacks."""

    kind: tyro.conf.Positional[Literal["games", "agents", "attacks", "all"]] = "all"
    """What to list."""
    json: bool = False
    """Print a JSON list of objects instead of tables."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        kinds = ("games", "agents", "attacks") if self.kind == "all" else (self.kind,)
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

    rows = []
    for name in ATTACKS:
        kind = ATTACKS.get(name)
        config = kind.config_type()
        rows.append(
            {
                "id": name,
                "norms": list(kind.norms),
                "knowledge": kind.knowledge,
                "parameters": dict(vars(config)),
                "about": (kind.__doc__ or "").splitlines()[0],
            }
        )
    return rows


_LISTS = {"games": _games, "agents": _agents, "attacks": _attacks}


def _print(kind: str, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        Console().print(f"no {kind}")
        return
    table = Table(title=kind, title_justify="left")
    hidden = ("sha256", "parameters", "win_score", "card", "algorithm", "win_rate")
    if kind == "agents":
        rows = [_brief(row) for row in rows]
    columns = [column for column in rows[0] if column not in hidden and any(row[column] for row in rows)]
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "id")
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
    if kind == "attacks":
        for row in rows:
            if row["parameters"]:
                settings = ", ".join(f"{key}={value}" for key, value in row["parameters"].items())
                console.print(f"{row['id']} takes {settings}", highlight=False, soft_wrap=True)


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
