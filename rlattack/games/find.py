"""From a game's name to its card, and from its card to the game."""

import dataclasses
import difflib
import importlib.util
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from rlattack.content import Card, find_card, iterate_cards, roots
from rlattack.errors import ContentError, InvalidInput, MissingExtra, UnknownName
from rlattack.games.atari import CRASHING, AtariBatch, atari_roms, check_rom
from rlattack.games.batch import BatchedGame
from rlattack.games.card import DUELS, SCHEMA, AtariOptions, GameCard, parse_card
from rlattack.games.duel import DuelGame, Masks
from rlattack.games.gymnasium_games import GymnasiumBatch, gymnasium_ids
from rlattack.games.pettingzoo_games import PettingZooDuel, pettingzoo_ids
from rlattack.games.table import parse_table

__all__ = ["GameRow", "find_game", "game_of", "list_games", "make_duel", "make_game", "with_variant"]

GameRow = dict[str, str | float | bool | None]
_BATCHES: dict[str, Callable[[GameCard, int], BatchedGame]] = {"atari": AtariBatch, "gymnasium": GymnasiumBatch}
_FAMILIES = (*_BATCHES, *DUELS)
_NEEDS_ALE = 'needs ale-py: pip install "rlattack[atari]"'
_NEEDS_MUJOCO = 'needs mujoco: pip install "rlattack[mujoco]"'
_NEEDS_PETTINGZOO = 'needs pettingzoo: pip install "rlattack[pettingzoo]"'


def find_game(name: str) -> GameCard:
    """Returns the card of a game; those of Atari, Gymnasium and PettingZoo need none, and have then no win rule.

    Raises:
        UnknownName: No such game; the message names the closest one.
        ContentError: Its card does not hold what it must.
        InvalidInput: An Atari ROM that would end the process.
        MissingExtra: An Atari game without a card needs ale-py, a PettingZoo game pettingzoo.
    """
    found = find_card("envs", "*.toml", SCHEMA, name)
    card = _parse(name, *found) if found else _without_card(name)
    if card.family == "gymnasium" and (env := name.removeprefix("gymnasium/")) not in gymnasium_ids():
        raise UnknownName(f"no Gymnasium environment {env!r} is registered{_hint(name)}")
    if card.family == "pettingzoo" and (env := name.removeprefix("pettingzoo/")) not in pettingzoo_ids():
        raise UnknownName(f"no PettingZoo game {env!r} is registered{_hint(name)}")
    return card


def make_game(card: GameCard, slots: int) -> BatchedGame:
    """Builds a game in `slots` copies.

    Raises:
        InvalidInput: Fewer than one slot, or a game that cannot be played as it is.
        MissingExtra: The game needs a package that is not installed.
    """
    if slots < 1:
        raise InvalidInput(f"game {card.id}: expected at least 1 slot, got {slots}")
    if card.duel:
        raise InvalidInput(f"game {card.id} has two seats: `rlattack duel {card.id} --players AGENT AGENT` plays it")
    return _BATCHES[card.family](card, slots)


def make_duel(card: GameCard, slots: int, *, threads: int = 1, masks: Masks | None = None) -> DuelGame:
    """Builds a two-player game in `slots` copies.

    Args:
        card: The game.
        slots: Number of copies.
        threads: That step them, where the game can; changes no result.
        masks: Seats from which the other player is hidden, and how: MuJoCo games only.

    Raises:
        InvalidInput: Fewer than one slot or thread, a game of one seat, or a mask that it does not have.
        MissingExtra: The game needs a package that is not installed.
    """
    if min(slots, threads) < 1:
        raise InvalidInput(f"game {card.id}: expected at least 1 slot and 1 thread, got {slots} and {threads}")
    if card.family == "pettingzoo":
        if masks:
            raise InvalidInput(f"game {card.id}: only MuJoCo games can hide the other player from a seat")
        return PettingZooDuel(card, slots)
    if card.mujoco is None:
        raise InvalidInput(f"game {card.id} has one seat: `rlattack attack {card.id} --victim AGENT` plays it")
    try:
        from rlattack.games.mujoco.batch import MujocoDuel
    except ImportError as error:
        raise MissingExtra(f"game {card.id} {_NEEDS_MUJOCO}") from error
    return MujocoDuel(card.mujoco, slots, threads, masks)


def with_variant(
    card: GameCard, *, sticky: float | None = None, options: Mapping[str, object] | None = None
) -> GameCard:
    """Returns the card with another sticky probability and some of its Atari options replaced.

    Args:
        card: The game.
        sticky: Probability in [0, 1) that the emulator repeats the last action; None for the card's.
        options: Fields of `AtariOptions` as TOML gives them: an agent's `[options]`.

    Raises:
        ContentError: An unknown option, a value that does not fit, or a game that has no such options.
    """
    if options:
        now = {f.name: getattr(card.atari, f.name) for f in dataclasses.fields(AtariOptions)}
        table = {key: value for key, value in now.items() if value is not None} | dict(options)
        card = dataclasses.replace(card, atari=parse_table(AtariOptions, table, f"game {card.id}: options"))
    if sticky is not None:
        card = dataclasses.replace(card, protocol=dataclasses.replace(card.protocol, sticky=sticky))
    return card


def game_of(name: str) -> str:
    """Derives a game's id from the last name of an Atari environment in a text; empty when there is none.

    >>> game_of("PongNoFrameskip-v4"), game_of("ppo-SpaceInvadersNoFrameskip-v4"), game_of("ALE/MsPacman-v5")
    ('atari/pong', 'atari/space_invaders', 'atari/ms_pacman')
    """
    # of a text that may be long: somebody else's metadata
    found = re.findall(r"ALE/(\w+)-v\d|([A-Z][A-Za-z0-9]*)NoFrameskip-v\d", name[-200:])
    return "atari/" + re.sub(r"(?<!^)(?=[A-Z])", "_", "".join(found[-1])).lower() if found else ""


def list_games() -> list[GameRow]:
    """Returns what can be played, sorted by id: every card, and every Atari ROM where ale-py is installed.

    Returns:
        Rows with `id`, `title`, `seats` (their names, where a card names two), `win` (rule or None), `win_score`,
        `actions`, `sticky`, `card` (whether it has one) and `note` (what is missing to play it; mostly "").
        Gymnasium's and PettingZoo's without a card are not listed.
    """
    rows: dict[str, GameRow] = {}
    roms, note = _roms()
    missing = {
        "atari": note,
        "mujoco": "" if importlib.util.find_spec("mujoco") else _NEEDS_MUJOCO,
        "pettingzoo": "" if importlib.util.find_spec("pettingzoo") else _NEEDS_PETTINGZOO,
    }
    for name, path, table in iterate_cards("envs", "*.toml", SCHEMA):
        try:
            rows[name] = _row(_parse(name, path, table), True, missing)
        except ContentError as error:  # one card must not hide the others
            rows[name] = _UNREADABLE | {"id": name, "title": name, "note": f"{path}: {error}"}
    rows |= {name: _row(_default(name), False, missing) for name in roms if name not in rows}
    return [rows[name] for name in sorted(rows)]


def _parse(name: str, path: Path, table: Card) -> GameCard:
    """Parses a card; an Atari card that names no ROM means the one of its own name."""
    family, _, rest = name.partition("/")
    if family not in _FAMILIES:
        raise ContentError(f"{path}: expected it under {' or '.join(f'envs/{f}/' for f in _FAMILIES)}, got id {name!r}")
    card = parse_card(name, {"rom": rest, **table} if family == "atari" else table)
    if "rom" in table:
        try:
            check_rom(str(card.rom))
        except UnknownName as error:
            raise ContentError(f"{path}: rom {card.rom!r}: {error}") from error
        except MissingExtra:  # told by whoever plays it
            pass
    return card


def _without_card(name: str) -> GameCard:
    for path in (root / f"{name}.toml" for root in roots("envs")):
        if path.is_file():
            raise ContentError(f"{path}: not a game card: expected readable TOML with schema = {SCHEMA!r}")
    family, _, rest = name.partition("/")
    if family not in (*_BATCHES, "pettingzoo") or (family == "atari" and rest not in (*CRASHING, *atari_roms())):
        raise UnknownName(f"no game {name!r}{_hint(name)}; `rlattack list games` shows all")
    if family == "atari":
        check_rom(rest)
    return _default(name)


def _default(name: str) -> GameCard:
    family, _, rest = name.partition("/")
    if family == "atari":
        return GameCard(id=name, title=rest.replace("_", " ").title(), rom=rest)
    return GameCard(id=name, title=rest)


def _hint(name: str) -> str:
    """Names the game whose last part is closest, whatever stands before it and in any case."""
    names = [*(name for name, _, _ in iterate_cards("envs", "*.toml", SCHEMA)), *_roms()[0]]
    names += [f"gymnasium/{env}" for env in gymnasium_ids()]
    names += _pettingzoo_names()
    if name.startswith("pettingzoo/"):  # `pettingzoo/pong` is not one of Atari's own
        names = [known for known in names if known.startswith("pettingzoo/")]
    names.sort(key=len, reverse=True)  # of equal last parts, the shortest name stays
    tails = {known.rpartition("/")[2].lower(): known for known in names}
    close = difflib.get_close_matches(name.rpartition("/")[2].lower(), tails, n=1)
    return f"; did you mean {tails[close[0]]!r}?" if close else ""


def _roms() -> tuple[list[str], str]:
    """Ids of all Atari games, and what is missing to play them."""
    try:
        return [f"atari/{rom}" for rom in atari_roms()], ""
    except MissingExtra:
        return [], _NEEDS_ALE


def _pettingzoo_names() -> list[str]:
    try:
        return [f"pettingzoo/{env}" for env in pettingzoo_ids()]
    except MissingExtra:
        return []


_UNREADABLE: GameRow = {
    "seats": None, "win": None, "win_score": None, "actions": None, "sticky": None, "card": True,
}  # fmt: skip


def _row(card: GameCard, has_card: bool, missing: Mapping[str, str]) -> GameRow:
    return {
        "id": card.id,
        "title": card.title,
        "seats": ", ".join(card.mujoco.seats) if card.mujoco else None,
        "win": "duel" if card.duel else card.win.rule if card.win else None,
        "win_score": card.win.score if card.win else None,
        "actions": card.protocol.actions,
        "sticky": card.protocol.sticky,
        "card": has_card,
        "note": missing.get(card.family, ""),
    }
