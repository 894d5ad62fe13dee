"""`rlattack list`: what can be named."""

import json
import math
import sys
from dataclasses import dataclass
from typing import Any, Literal, get_args

import tyro

from rlattack.evaluation.options import Plugins
from rlattack.registry import Registry
from rlattack.report.progress import say

Kind = Literal[
    "games", "agents", "attacks", "schedules", "defences", "poisons", "detectors", "observers", "grids", "all"
]


@dataclass(frozen=True, kw_only=True)
class List(Plugins):
    """List games, agents, attacks with their schedules, defences, poisons, detectors, observers and grids."""

    kind: tyro.conf.Positional[Kind] = "all"
    """What to list."""
    json: bool = False
    """Print a JSON list of objects instead of tables."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        kinds = get_args(Kind)[:-1] if self.kind == "all" else (self.kind,)
        listed = {kind: _rows(kind) for kind in kinds}
        if self.json:
            shown = listed if self.kind == "all" else listed[self.kind]
            sys.stdout.write(json.dumps(_finite(shown), indent=1, allow_nan=False) + "\n")
            return 0
        for kind, rows in listed.items():
            _print(kind, rows)
        return 0


def _rows(kind: str) -> list[dict[str, Any]]:
    from rlattack.games import list_games

    if kind == "grids":
        from rlattack.benchmark.grid_file import list_grids

        return [{"id": name, "title": title} for name, title in list_grids()]
    return list_games() if kind == "games" else _agents() if kind == "agents" else _registered(kind)


def _finite(shown: Any) -> Any:
    """The same with null in place of numbers that JSON has not: infinite ones, and what is no number."""
    if isinstance(shown, dict):
        return {key: _finite(value) for key, value in shown.items()}
    if isinstance(shown, list | tuple):
        return [_finite(value) for value in shown]
    return None if isinstance(shown, float) and not math.isfinite(shown) else shown


def _agents() -> list[dict[str, Any]]:
    from rlattack.policies.folder import agent_cards

    return [
        {
            "id": name, "game": card.game, "role": card.role, "seat": card.seat, "algorithm": card.algorithm,
            "defence": card.provenance.get("defends", {}).get("defence"),
            "score": card.score.get("mean"), "win_rate": card.score.get("win", {}).get("rate"), "sha256": card.sha256,
        }
        for name, card in agent_cards()
    ]  # fmt: skip


def _registered(kind: str) -> list[dict[str, Any]]:
    """The classes of a registry: what they declare, the control of an attack, parameters, and what they are."""
    from rlattack.attacks import ATTACKS, SCHEDULES
    from rlattack.defences import FRONTS
    from rlattack.defences.detectors import DETECTORS
    from rlattack.evaluation.observers import OBSERVERS
    from rlattack.specs import parameters_of, ranges_of
    from rlattack.training.hardening import POISONS, REGIMES

    registries: dict[str, list[Registry[Any]]] = {
        "attacks": [ATTACKS], "schedules": [SCHEDULES], "defences": [FRONTS, REGIMES], "poisons": [POISONS],
        "detectors": [DETECTORS],
        "observers": [OBSERVERS],
    }  # fmt: skip
    rows = []
    for line in (line for registry in registries[kind] for line in registry.broken().values()):
        say(f"rlattack: left out: {line}", stderr=True, markup=False)
    for name, one in (named for registry in registries[kind] for named in registry.working()):
        declared = {column: getattr(one, column) for column in _DECLARED if hasattr(one, column)}
        row = {"id": name} | {column: said for column, said in declared.items() if not callable(said)}
        if hasattr(one, "is_control"):
            row["control"] = None if one.is_control else one.control().name
        if hasattr(one, "config_type"):
            row["parameters"] = parameters_of(one)
            row["ranges"] = {key: numbers.words for key, numbers in ranges_of(one).items()}
        rows.append(row | {"about": (one.__doc__ or "").partition("\n")[0]})
    return rows


_DECLARED = (
    "kind", "access", "knowledge", "looks_ahead", "reaches", "sized", "takes", "fitted", "algorithms", "actions",
)  # fmt: skip
"""Attributes of registered classes that are columns."""
_BELOW = ("parameters", "ranges", "about", "control")
"""What a line below the table tells."""
_LEFT_OUT = (
    "sha256", "title", "win_score", "card", "algorithm", "defence", "win_rate", "random", "human", "agent", "eps",
    *_BELOW,
)  # fmt: skip
"""What no table shows, but JSON does."""


def _print(kind: str, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        Console().print(f"no {kind}")
        return
    if kind in _BRIEF:
        rows = [_BRIEF[kind](row) for row in rows]
    console = Console()
    for part in dict.fromkeys(row.get("kind") for row in rows):  # fronts and what is trained have other columns
        some = [row for row in rows if row.get("kind") == part]
        named = dict.fromkeys(column for row in some for column in row if column not in (*_LEFT_OUT, "kind"))
        columns = [column for column in named if any(row.get(column) for row in some)]
        table = Table(title=f"{kind}, {part}" if part else kind, title_justify="left")
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column in ("id", "access", "knowledge"))
        for row in some:
            table.add_row(*(_cell(row.get(column)) for column in columns))
        console.print(table)
    if kind == "games":
        for text in (
            "a reference: mean returns of a random policy and of a person or a strong published agent; eps of the "
            "literature, in sigma",
            "and gymnasium/<env id> for any Gymnasium environment, gymnasium/<package>:<env id> for one of your own",
            "and pettingzoo/<env id> for any PettingZoo game of two agents, as pettingzoo/connect_four_v3",
        ):
            console.print(text, highlight=False)
    if kind == "agents" and any(row["win_rate"] is not None for row in rows):
        console.print("a score in percent is games won, against whom the agent's card names; others are mean returns")
    for row in rows:
        if "about" in row:
            ranges = {key: f" ({words})" for key, words in row.get("ranges", {}).items()}
            settings = ", ".join(f"{key}={v}{ranges.get(key, '')}" for key, v in row.get("parameters", {}).items())
            beside = f" Read beside {row['control']}." if row.get("control") else ""
            takes = f" Takes {settings}." if settings else ""
            console.print(f"{row['id']}: {row['about']}{beside}{takes}", highlight=False, soft_wrap=True, markup=False)


def _brief(agent: dict[str, Any]) -> dict[str, Any]:
    """Without a game that the id says, and with the games won as the score of a player of duels."""
    game = "" if agent["id"].startswith(f"{agent['game']}/") else agent["game"]
    won = agent["win_rate"]
    return agent | {"game": game, "score": agent["score"] if won is None else f"{100 * won:.1f} %"}


def _with_reference(game: dict[str, Any]) -> dict[str, Any]:
    """With what a return is read against: a random policy's, a person's or a strong agent's, and the usual eps."""
    told = ["" if game["random"] is None else f"random {game['random']:g}"]
    told += [f"{name} {game[name]:g}" for name in ("human", "agent", "eps") if game[name] is not None]
    return game | {"reference": ", ".join(told), "note": game.get("note")}


def _with_few_reaches(attack: dict[str, Any]) -> dict[str, Any]:
    """With a word in place of a long list, as noise has, which others are read beside."""
    return attack | {"reaches": "all that attacks have" if len(attack["reaches"]) > _FEW else attack["reaches"]}


_FEW = 6
"""Reaches that a table lists."""
_BRIEF = {"agents": _brief, "games": _with_reference, "attacks": _with_few_reaches}


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
