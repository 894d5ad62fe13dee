"""The code that plays a cell, as far as it is not the project's own: engines, environments, attacks and fronts."""

import importlib.metadata
import re
from collections.abc import Callable

import gymnasium

from rlattack.games import rom_sha256
from rlattack.games.card import GameCard
from rlattack.games.find import FAMILIES
from rlattack.source import code_digest, environment_digest, versions

_ENGINES = {
    "atari": ("ale-py",),
    "mujoco": ("mujoco",),
    "pettingzoo": ("pettingzoo", "chess", "rlcard", "pymunk", "multi-agent-ale-py"),
}
"""Packages that play a family's games."""
_GYMNASIUM = {"box2d": ("box2d", "box2d-py"), "mujoco": ("mujoco",)}
"""Packages that play the environments in Gymnasium's own folders."""


def game_code(card: GameCard) -> dict[str, str]:
    """Versions and digests of what plays a game: engines, the package and source of an environment, the ROM."""
    if card.family == "gymnasium":
        entry = gymnasium.spec(card.id.removeprefix("gymnasium/")).entry_point
        return versions() if entry is None else _environment(entry)
    made_by = FAMILIES.get(card.family)
    if not made_by.__module__.startswith("rlattack."):
        return _environment(made_by)
    rom = rom_sha256(card)
    return versions(*_ENGINES.get(card.family, ())) | ({} if rom is None else {"rom": rom})


def _environment(entry: str | Callable[..., object]) -> dict[str, str]:
    """Of an environment or a family of games of others, by what makes it."""
    module = entry if isinstance(entry, str) else entry.__module__
    folder = re.match(r"gymnasium\.envs\.(\w+)", module)
    found = versions(*_GYMNASIUM.get(folder[1], ()) if folder else ()) | environment_digest(entry)
    return found | _required(found)


def foreign_code(*kinds: type[object]) -> str:
    """Digests of the source of attacks, schedules or fronts that are not the project's own, which its version tells.

    Returns:
        One after the other; empty where all are the project's own.
    """
    modules = dict.fromkeys(kind.__module__ for kind in kinds if not kind.__module__.startswith("rlattack."))
    return " ".join(map(code_digest, modules))


def _required(distributions: dict[str, str]) -> dict[str, str]:
    """Versions of what packages of others need, where it is installed, without what only an extra needs."""
    names: list[str] = []
    for distribution in distributions:
        try:
            lines = importlib.metadata.requires(distribution) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        if distribution not in versions():
            names += [found[0] for line in lines if "extra ==" not in line and (found := re.match(r"[\w.-]+", line))]
    return versions(*names)
