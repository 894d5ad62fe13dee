"""The code that plays a cell: engines, environments, attacks and fronts, and the project's own where it is edited."""

import hashlib
import importlib.metadata
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from gymnasium.envs.registration import EnvSpec

from rlattack.attacks import ATTACKS, SCHEDULES, AttackSpec
from rlattack.attacks.leader import is_agent, leader_name
from rlattack.attacks.make import with_members
from rlattack.defences import FRONTS
from rlattack.device import CPU, device_name
from rlattack.errors import RefusedFile
from rlattack.evaluation.cell import AttackRef, Cell
from rlattack.evaluation.keys import digest
from rlattack.games import rom_sha256
from rlattack.games.card import GameCard
from rlattack.games.find import FAMILIES
from rlattack.games.gymnasium_ids import find_spec
from rlattack.policies.archive import read_file
from rlattack.policies.contents import value_digest
from rlattack.policies.load import load_agent
from rlattack.registry import Registry
from rlattack.source import code_digest, environment_digest, live_digest, own_digest, versions
from rlattack.specs import split_spec

T = TypeVar("T")
_ENGINES = {
    "atari": ("ale-py",),
    "mujoco": ("mujoco",),
    "pettingzoo": ("pettingzoo", "chess", "rlcard", "pymunk", "multi-agent-ale-py"),
}
"""Packages that play a family's games."""
_OWN, _GPU, _PLUGIN = "rlattack source", "device", "plugin"
_GYMNASIUM = {"box2d": ("box2d", "box2d-py"), "mujoco": ("mujoco",)}
"""Packages that play the environments in Gymnasium's own folders."""


def playing_code(
    card: GameCard, fronts: Sequence[str], plugins: Sequence[str] = (), device: str = CPU
) -> dict[str, str]:  # fmt: skip
    """Versions and digests of what plays a game with fronts before its victim, of plugins, of our source, and a GPU."""
    kinds = [_kind(FRONTS, text) for text in fronts]
    found = game_code(card) | versions(*(package for kind in kinds for package in kind.packages))
    digests = {"defence": foreign_code(*kinds), _OWN: own_digest(), _GPU: device_name(device)}
    digests |= {f"{_PLUGIN} {module}": code_digest(module) for module in plugins}
    return found | {name: said for name, said in digests.items() if said}


def code_of(cell: Cell) -> dict[str, str]:
    """What plays a cell with the players that it has by now, as `playing_code` finds it."""
    fronts = [text for player in cell.players for text in player.fronts]
    plugins = [name.removeprefix(f"{_PLUGIN} ") for name in cell.code if name.startswith(_PLUGIN)]
    return playing_code(cell.game.card, fronts, plugins) | {name: cell.code.get(name, "") for name in (_OWN, _GPU)}


def front_code(front: str) -> list[object]:
    """Digest of the source of a front that is not the project's own, and versions of what it needs."""
    kind = _kind(FRONTS, front)
    return [foreign_code(kind), versions(*kind.packages)]


def attack_code(ref: AttackRef) -> str:
    """Digests of the source of an attack and its schedule that are not the project's own; else empty."""
    kinds = [ATTACKS.get(spec.name) for spec in with_members(ref.spec).values()]
    return foreign_code(*kinds, _kind(SCHEDULES, ref.schedule))


def attack_files(ref: AttackRef) -> tuple[tuple[str, str], ...]:
    """Digests of the files and the agents that an attack's parameters name, by parameter.

    Raises:
        RlattackError: One that cannot be read.
    """
    named = with_members(ref.spec)
    found = [(f"{member} {name}".strip(), said) for member, spec in named.items() for name, said in _files(spec)]
    return tuple(found)


def _files(spec: AttackSpec) -> list[tuple[str, str]]:
    kind, given = ATTACKS.get(spec.name), spec.parameters
    files = [(name, read_file(Path(given[name]).expanduser())) for name in kind.files if given.get(name)]
    agents = [(name, load_agent(leader_name(given[name]))) for name in kind.agents if is_agent(given.get(name))]
    agents += [(name, load_agent(given[name])) for name in kind.adversaries if given.get(name)]
    digests = [(name, hashlib.sha256(raw).hexdigest()) for name, raw in files]
    return [*digests, *((name, agent.identity) for name, agent in agents)]


def check_code(cell: Cell) -> None:
    """Compares the code that is there with what the cell was planned with.

    The project's own is not compared: it was there first, and an edit meanwhile is mostly not of what is played. Nor is
    the GPU, which nobody changes meanwhile.

    Raises:
        RefusedFile: It is other code by now, or not what this process runs.
    """
    game, now = cell.game.card.id, code_of(cell)
    # a cell that was made by hand may tell nothing of its code
    changed = [f"attack {ref.spec.name}" for ref in cell.attacks if ref.code and ref.code != attack_code(ref)]
    changed += [f"attack {ref.spec.name}" for ref in cell.attacks if ref.files and ref.files != attack_files(ref)]
    others = [name for name in cell.code if cell.code[name] != now.get(name)]
    changed += [name if name == "defence" or name.startswith(_PLUGIN) else f"game {game}" for name in others]
    if changed:
        raise RefusedFile(f"{changed[0]}: changed while the run played; finished cells are kept, run it again")


def game_code(card: GameCard) -> dict[str, str]:
    """Versions and digests of what plays a game: engines, an environment with what it is made of, the ROM."""
    if card.family == "gymnasium":
        return _gymnasium(find_spec(card))
    made_by = FAMILIES.get(card.family)
    if not made_by.__module__.startswith("rlattack."):
        return _environment(made_by)
    rom = rom_sha256(card)
    return versions(*_ENGINES.get(card.family, ())) | ({} if rom is None else {"rom": rom})


def _gymnasium(spec: EnvSpec) -> dict[str, str]:
    """Of a registered environment, by its code, its arguments, its limit of steps and its wrappers."""
    wrappers = [environment_digest(wrapper.entry_point) for wrapper in spec.additional_wrappers]
    said = digest([value_digest([spec.kwargs, spec.max_episode_steps, spec.additional_wrappers]), wrappers])
    return (versions() if spec.entry_point is None else _environment(spec.entry_point)) | {"spec": said}


def _environment(entry: str | Callable[..., object]) -> dict[str, str]:
    """Of an environment or a family of games of others, by what makes it."""
    module = entry if isinstance(entry, str) else entry.__module__
    folder = re.match(r"gymnasium\.envs\.(\w+)", module)
    found = versions(*_GYMNASIUM.get(folder[1], ()) if folder else ()) | environment_digest(entry)
    return found | _required(found)


def foreign_code(*kinds: type[object]) -> str:
    """Digests of the source of attacks, schedules or fronts that are not the project's own; empty where all are."""
    others = [kind for kind in kinds if not kind.__module__.startswith("rlattack.")]
    digests = (code_digest(kind.__module__) or live_digest(kind) for kind in others)
    return " ".join(dict.fromkeys(filter(None, digests)))


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


def _kind(registry: Registry[T], text: str) -> T:
    """The class that a text with parameters names."""
    return registry.get(split_spec(text, registry)[0])
