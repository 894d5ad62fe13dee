"""Pages that are written from the project itself: what can be named, with its own words, and who ships."""

import inspect
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import figures

from rlattack.attacks import ATTACKS, SCHEDULES
from rlattack.defences import FRONTS
from rlattack.defences.detectors import DETECTORS
from rlattack.evaluation.observers import OBSERVERS
from rlattack.games import list_games
from rlattack.policies.folder import agent_cards
from rlattack.registry import Registry
from rlattack.specs import parameters_of, ranges_of
from rlattack.training.hardening import POISONS, REGIMES

_KINDS: Mapping[str, tuple[str, Registry[Any], str]] = {
    "attacks": (
        "Attacks",
        ATTACKS,
        "`--attack NAME:key=value,...`. Figures are means with 95 % intervals: of Pong 4 games of 400 steps, "
        "of Hopper 10 games, run seed 4, as the tables in `docs/reference` have them",
    ),
    "schedules": ("Schedules", SCHEDULES, "`--when NAME:key=value,...`: when an attack acts"),
    "fronts": ("Defences before an agent", FRONTS, "`--defence NAME:key=value,...`: several stand in a row"),
    "recipes": ("Defences that are trained", REGIMES, "`rlattack train defended GAME --defence NAME:key=value,...`"),
    "poisons": ("Poisons", POISONS, "`rlattack train poisoned GAME --poison NAME:key=value,...`"),
    "detectors": ("Detectors", DETECTORS, "`--detect NAME:key=value,...`"),
    "observers": ("Observers", OBSERVERS, "`--observe NAME:key=value,...`: what else is measured of a victim"),
}
EQUATIONS = tomllib.loads((Path(__file__).parent / "equations.toml").read_text(encoding="utf-8"))
"""By kind and name, in LaTeX."""


def write(folder: Path) -> None:
    """Writes a page of each registry, of the games and of the agents into a folder."""
    folder.mkdir(exist_ok=True)
    pages = {name: "\n".join(_registry(*about, EQUATIONS.get(name, {}))) for name, about in _KINDS.items()}
    pages |= {"games": "\n".join(_games()), "agents": "\n".join(_agents())}
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:  # so that only what changed is built anew
            path.write_text(text, encoding="utf-8")


def _registry(title: str, registry: Registry[Any], usage: str, equations: Mapping[str, str]) -> Iterator[str]:
    yield from (f"# {title}", "", f"{usage}.", "")
    for name in registry:
        kind = registry.get(name)
        yield from (f"## {name}", "", inspect.getdoc(kind) or "", "")
        module = inspect.getdoc(inspect.getmodule(kind))
        if module and kind.__module__.startswith("rlattack."):
            yield from (f"*{module.splitlines()[0]}*", "")
        yield from (f"$${equations[name]}$$", "") if name in equations else ()
        yield from _declared(kind)
        yield from _parameters(kind)
        yield from figures.of_attack(name, kind) if registry is ATTACKS else ()
        yield from figures.of_front(name) if registry is FRONTS else ()
        yield from figures.of_recipe(name) if registry is REGIMES else ()


def _declared(kind: Any) -> Iterator[str]:
    if not hasattr(kind, "access"):
        return
    sizes = ", ".join(kind.reaches)
    read = "" if kind.is_control else f"; read beside `{kind.control().name}`"
    learns = "; learns on tuning episodes before it plays" if kind.fitted else ""
    yield from (f"Changes: {kind.access}. Asks for: {kind.knowledge}. Reach: {sizes}{read}{learns}.", "")


def _parameters(kind: Any) -> Iterator[str]:
    found, ranges = parameters_of(kind), ranges_of(kind)
    if not found:
        return
    yield from ("| parameter | default | range |", "|---|---|---|")
    for name, default in found.items():
        yield f"| `{name}` | `{default}` | {ranges[name].words if name in ranges else ''} |"
    yield ""


def _games() -> Iterator[str]:
    yield from ("# Games", "", "| id | family | title |", "|---|---|---|")
    for row in list_games():
        yield f"| `{row['id']}` | {row.get('family', '')} | {row.get('title', '')} |"
    yield ""


def _agents() -> Iterator[str]:
    yield from ("# Agents that ship", "", "Each was trained here by the command on its card.", "")
    for name, card in agent_cards():
        yield from (
            f"## {name}",
            "",
            f"{card.role} of `{card.game}`, {card.algorithm}, sha256 `{card.sha256[:12]}`.",
            "",
        )
        yield from ("```", str(card.provenance.get("command", "")), "```", "")
        score, attacked = card.score, card.score.get("attacked", {})
        if "mean" in score:
            line = f"It earns {figures.interval(score)} over {score['episodes']} episodes"
            line += f", and {figures.interval(attacked)} under `{attacked['attack']}`" if attacked else ""
            yield from (f"{line}.", "")
