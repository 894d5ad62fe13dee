"""Ids of Gymnasium's registry, those of a user's own package included (`package:Name-v0`), and what they stand for."""

import importlib
import os
import re
import sys
import warnings

import gymnasium
from gymnasium.envs.registration import EnvSpec

from rlattack.errors import InvalidInput, MissingExtra, UnknownName, nearest, said_by
from rlattack.games.card import GameCard


def gymnasium_ids() -> list[str]:
    """Returns the ids that are registered now, without ale-py's own: those games are played as `atari/<rom>`."""
    return sorted(key for key, spec in gymnasium.registry.items() if not is_of(spec, "ale_py"))


def env_id(card: GameCard) -> str:
    """The id of a card's environment as `gymnasium.make` takes it."""
    return card.gymnasium.env or card.id.removeprefix("gymnasium/")


def find_spec(card: GameCard) -> EnvSpec:
    """Finds the registered environment of a card, and imports the package that its id names, as Gymnasium does.

    Raises:
        UnknownName: No such environment is registered.
        MissingExtra: The package is neither installed nor in the working folder.
        InvalidInput: The package fails as it is imported.
    """
    package, colon, name = env_id(card).rpartition(":")
    if colon:
        if not (package and name):
            raise UnknownName(f"game {card.id}: expected gymnasium/package:Name-v0")
        _import(package, f"game {card.id}")
    found = gymnasium.registry.get(name)
    if found is not None and not is_of(found, "ale_py"):
        return found
    if not colon:
        raise UnknownName(f"no Gymnasium environment {name!r} is registered")
    own = [key for key, spec in gymnasium.registry.items() if is_of(spec, package.partition(".")[0])]
    known = nearest(name, own) or (f"; it registers {', '.join(own[:5])}" if own else "")
    raise UnknownName(f"game {card.id}: {package} was imported and registers no environment {name!r}{known}")


def is_of(spec: EnvSpec, package: str) -> bool:
    """Whether what makes an environment stands in a package."""
    entry = spec.entry_point
    module = entry if isinstance(entry, str) else getattr(entry, "__module__", None) or ""
    return re.split(r"[.:]", module)[0] == package


def _import(package: str, where: str) -> None:
    """Imports a package of the user's, which may lie in the working folder."""
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    try:
        with warnings.catch_warnings():  # a worker knows its environments already, by the process that spawned it
            warnings.filterwarnings("ignore", message=".*Overriding environment")
            importlib.import_module(package)
    except (Exception, SystemExit) as error:  # the user's code: anything
        if isinstance(error, ModuleNotFoundError) and error.name and f"{package}.".startswith(f"{error.name}."):
            raise MissingExtra(
                f"{where}: expected a package that is installed or lies in the working folder, and there is no "
                f"{package!r}"
            ) from error
        raise InvalidInput(f"{where}: {package} cannot be imported: {said_by(error)}") from error
