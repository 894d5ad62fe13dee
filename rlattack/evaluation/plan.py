"""What a study will play: everything is loaded, checked and cut into cells before the first step."""

import dataclasses
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlattack.device import check_device
from rlattack.evaluation.cell import AttackRef, Cell
from rlattack.evaluation.keys import digest, game_identity
from rlattack.evaluation.study import Study
from rlattack.evaluation.table import Table
from rlattack.games import rom_sha256
from rlattack.games.card import Variant
from rlattack.registry import plug
from rlattack.source import versions


@dataclass(frozen=True)
class Plan:
    """The cells of a study with what was learned while checking them."""

    cells: tuple[Cell, ...]
    radii: Mapping[str, tuple[float, ...]]
    """Cell key to what the budget of each of its attacks allows, in its norm; infinite without a size."""
    notes: Mapping[str, tuple[str, ...]]
    """Cell key to what each of its attacks says of its parameters in the game; empty where there is nothing to say."""
    name: str
    """Of the run folder under `runs/` where none is named."""
    configuration: dict[str, Any]
    """What a run that goes on must share."""
    circumstances: dict[str, Any]
    """Versions, hashes and names, kept beside the results."""
    note: str = ""
    """What was asked for and is not played as such: what is the same as others, and what attacks do instead."""


Laid = dict[Study, list[Table]]
"""Tables of studies of one seed, which those of other seeds share."""


def plan(study: Study, laid: Laid | None = None) -> Plan:
    """Loads and checks everything, plays nothing.

    Args:
        study: What is asked for.
        laid: What was loaded for studies before, and is not loaded again for one that has but another seed.

    Raises:
        RlattackError: Whatever does not fit, in one line.
    """
    check_device(study.device)
    plug(study.plugin)
    tables = _tables(study, {} if laid is None else laid)
    cells: dict[str, Cell] = {}
    checked: dict[str, list[tuple[float, str]]] = {}
    for table in tables:
        found = table.cells
        cells |= {cell.key: cell for cell in found}
        checked |= table.checked(found)
    configuration = _configuration(study, tables)
    circumstances = _circumstances(study, tables) | {"cells": list(cells)}
    changes_no_episode = ("trust", "episodes", "ledger")
    named = {name: value for name, value in dataclasses.asdict(study).items() if name not in changes_no_episode}
    game = re.sub(r"[^\w.-]", "-", tables[0].card.id)
    name = f"{game}-{digest([named, configuration])[:8]}"
    radii = {key: tuple(radius for radius, _ in of) for key, of in checked.items()}
    notes = {key: tuple(note for _, note in of) for key, of in checked.items()}
    said = [f"attack {ref.spec.name}: {note}" for cell in cells.values() for ref, note in _noted(cell, notes)]
    note = "; ".join([*filter(None, [_note(tables)]), *dict.fromkeys(said)])
    return Plan(tuple(cells.values()), radii, notes, name, configuration, circumstances, note)


def _tables(study: Study, laid: Laid) -> list[Table]:
    """Where a study is played: each victim that plays alone has the game that its own card asks for."""
    like = dataclasses.replace(study, seed=0)
    if like not in laid:
        alone = [dataclasses.replace(study, players=(one,)) for one in dict.fromkeys(study.candidates[0])]
        laid[like] = [Table.lay(one) for one in (alone if len(study.candidates) == 1 else [study])]
    return [table.on(study.seed) for table in laid[like]]


def together(plans: Sequence[Plan]) -> Plan:
    """One plan of what several ask for, of one game and protocol; each cell is played once, under its first name."""
    cells: dict[str, Cell] = {}
    pairs = [(cell, cells.setdefault(cell.key, cell)) for one in plans for cell in one.cells]
    names = [(own.players[own.victim].name, first.players[first.victim].name) for own, first in pairs]
    copies = [f"{own} plays as {first} does, and is not played again" for own, first in names if own != first]
    configuration, circumstances = dict(plans[0].configuration), dict(plans[0].circumstances)
    configuration["victims"] = sorted({victim for one in plans for victim in one.configuration["victims"]})
    configuration["versions"] = _joined(one.configuration["versions"] for one in plans)
    circumstances["versions"] = _joined(one.circumstances["versions"] for one in plans)
    players = [one.circumstances["players_sha256"] for one in plans]
    circumstances["players_sha256"] = {seat: _joined(of[seat] for of in players) for seat in players[0]}
    notes = "; ".join(dict.fromkeys([*copies, *(one.note for one in plans if one.note)]))
    return Plan(
        tuple(cells.values()), _joined(one.radii for one in plans), _joined(one.notes for one in plans), plans[0].name,
        configuration, circumstances | {"cells": list(cells)}, notes,
    )  # fmt: skip


def _joined(tables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: value for one in tables for name, value in one.items()}


def _configuration(study: Study, tables: Sequence[Table]) -> dict[str, Any]:
    table = tables[0]
    shared = {name: getattr(study, name) for name in ("actions", "sticky", "seed", "envs")}
    return {
        "study": shared | {"victim": table.names[table.victim]},
        "game": game_identity(Variant(table.card)),
        "victims": sorted({agent.identity for one in tables for agent in one.agents[one.victim].values()}),
        "versions": table.code,
        **_games(tables),
    }


def _games(tables: Sequence[Table]) -> dict[str, Any]:
    """The game as each victim has it, where its card asks for another one than the first victim's does."""
    games = {name: game_identity(Variant(one.card)) for one in tables for name in one.agents[one.victim]}
    first, *others = games.values()
    return {"games": games} if any(other != first for other in others) else {}


def _circumstances(study: Study, tables: Sequence[Table]) -> dict[str, Any]:
    table = tables[0]
    packages = [package for one in tables for agent in one.everybody for package in agent.packages]
    players: dict[str, dict[str, str | None]] = {name: {} for name in table.names}
    for one in tables:
        for seat, of in zip(one.names, one.agents, strict=True):
            players[seat] |= {spec: agent.sha256 or None for spec, agent in of.items()}
    return {
        "seed": study.seed,
        "players_sha256": players,
        "surrogate_sha256": {name: agent.sha256 or None for name, agent in table.surrogates.items()},
        "rom_sha256": rom_sha256(table.card),
        "action_names": table.action_names,
        "versions": {"python": platform.python_version()} | versions(*packages) | table.code,
    }


def _noted(cell: Cell, notes: Mapping[str, tuple[str, ...]]) -> list[tuple[AttackRef, str]]:
    """The attacks of a cell that say something, and what."""
    return [(ref, note) for ref, note in zip(cell.attacks, notes[cell.key], strict=True) if note]


def _note(tables: Sequence[Table]) -> str:
    """Says what of that was asked for is not played: what a mask does not change, and agents by another name."""
    pairs = [(pair, table.sighted(pair)) for table in tables for pair in table.pairs]
    played = {sighted.key: sighted for _, sighted in pairs}
    blind = [asked for asked, _ in pairs if asked.game.hidden and asked.key not in played]
    names = dict.fromkeys(cell.players[seat].name for cell in blind for seat, _ in cell.game.hidden)
    notes = []
    if blind:
        sees = "sees" if len(names) == 1 else "see"
        same = "1 pair is not played again" if len(blind) == 1 else f"{len(blind)} pairs are not played again"
        notes.append(f"--mask: {' and '.join(names)} {sees} nothing that could be hidden, so under it {same}")
    met = [one for _, pair in pairs for one in zip(pair.players, played[pair.key].players, strict=True)]
    copies = dict.fromkeys((own.name, first.name) for own, first in met if own.spec != first.spec)
    notes += [f"{name} plays as {first} does, and is not played again" for name, first in copies]
    left_out = dict.fromkeys(name for table in tables for name in table.left_out)
    notes += [f"natural:all leaves out what there is none of here: {', '.join(left_out)}"] if left_out else []
    if any(table.asks_all and table.study.sizes for table in tables):
        notes.append("natural:all plays at standard severities, whatever --eps; one that is named, as rotate, takes it")
    return "; ".join(notes)
