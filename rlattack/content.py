"""Where games (`envs/`) and agents (`agents/`) lie: the working folder, the checkout, the wheel, in that order."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlattack.errors import ContentError

Card = dict[str, Any]
_PACKAGE = Path(__file__).resolve().parent


def roots(kind: str) -> list[Path]:
    """Returns the existing folders that hold content of a kind ("envs" or "agents"), nearest first, each once."""
    candidates = [Path.cwd() / kind, _PACKAGE / "_content" / kind]
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        candidates.insert(1, _PACKAGE.parent / kind)
    found = dict.fromkeys(path.resolve() for path in candidates if path.is_dir())
    return list(found)


def read_card(path: Path, schema: str) -> Card | None:
    """Reads one TOML card; None when the file is not ours (no `schema` key of that family).

    Raises:
        ContentError: The file has our schema key and cannot be used.
    """
    try:
        card = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        if path.name == "agent.toml":
            raise ContentError(f"{path}: not a readable card ({error})") from error
        return None
    family, _, version = schema.rpartition("/")
    found = card.get("schema")
    if not isinstance(found, str) or not found.startswith(family + "/"):
        return None
    if found != schema:
        raise ContentError(f"{path}: written for {found!r}, this version reads {family}/{version}")
    return card


def iterate_cards(kind: str, pattern: str, schema: str) -> Iterator[tuple[str, Path, Card]]:
    """Yields (id, path, card) of every card of a kind, each id once, nearest root first.

    Raises:
        ContentError: Two different files claim one id.
    """
    seen: dict[str, Path] = {}
    for root in roots(kind):
        for path in sorted(root.rglob(pattern)):
            card = read_card(path, schema)
            if card is None:
                continue
            place = path.parent if path.name == "agent.toml" else path.with_suffix("")
            name = place.relative_to(root).as_posix()
            if name in seen:
                _check_equal(name, seen[name], path)
            else:
                seen[name] = path
                yield name, path, card


def find_card(kind: str, pattern: str, schema: str, name: str) -> tuple[Path, Card] | None:
    """Returns (path, card) of the card with that id, or None."""
    file = f"{name}/{pattern}" if not pattern.startswith("*") else f"{name}.toml"
    hits = [root / file for root in roots(kind) if (root / file).is_file()]
    cards = [(path, card) for path in hits if (card := read_card(path, schema)) is not None]
    for path, _ in cards[1:]:
        _check_equal(name, cards[0][0], path)
    return cards[0] if cards else None


def _check_equal(name: str, one: Path, other: Path) -> None:
    if one.read_bytes() != other.read_bytes():
        raise ContentError(f"two cards claim {name!r}: {one} and {other}; rename or remove one")
