"""From a game's name to its card, and from its card to the game."""

import dataclasses
import difflib
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, cast

from rlattack.content import Card, find_card, iterate_cards, roots
from rlattack.errors import ContentError, InvalidInput, MissingExtra, UnknownName
from rlattack.games.atari import CRASHING, atari_roms, check_rom
from rlattack.games.camera import FILMED
from rlattack.games.card import SCHEMA, AtariOptions, GameCard, GymnasiumOptions, Variant, parse_card
from rlattack.games.game import PLAYER, Game
from rlattack.games.gymnasium_ids import find_spec, gymnasium_ids
from rlattack.games.mujoco.task import Task
from rlattack.games.pettingzoo_games import pettingzoo_ids
from rlattack.games.table import parse_table
from rlattack.registry import Registry

GameRow = dict[str, str | float | bool | None]
FAMILIES: Registry[Callable[..., Game]] = Registry(
    "family of games",
    {
        "atari": "rlattack.games.atari:AtariGame",
        "gymnasium": "rlattack.games.gymnasium_games:GymnasiumGame",
        "mujoco": "rlattack.games.mujoco.make:make_mujoco",
        "pettingzoo": "rlattack.games.pettingzoo_games:PettingZooGame",
    },
    group="rlattack.games",
)
"""What makes the games whose ids begin with a name: `factory(variant, slots, threads) -> Game`.

One that takes `camera` too is given `camera=True` where its game (a `rlattack.games.camera.Filmed`) is to be filmed.
Games of a family that is added need no cards.
"""


class _Family(NamedTuple):
    """What is known of a family without making a game of it."""

    known: Callable[[], Iterable[str]] = tuple
    """Last parts of the ids of games that need no card."""
    package: str = ""
    """What must be installed to play."""


_OWN = {
    "atari": _Family(atari_roms, "ale-py"),
    "gymnasium": _Family(gymnasium_ids),
    "mujoco": _Family(package="mujoco"),
    "pettingzoo": _Family(pettingzoo_ids, "pettingzoo"),
}

_REFERENCE = ("random", "human", "agent", "eps")


def find_game(name: str) -> GameCard:
    """Returns the card of a game; all but those of MuJoCo need none, and have then no win rule.

    Raises:
        UnknownName: No such game; the message names the closest one.
        ContentError: Its card does not hold what it must.
        InvalidInput: An Atari ROM that would end the process.
        MissingExtra: An Atari game without a card needs ale-py, a PettingZoo game pettingzoo.

    >>> from rlattack import find_game
    >>> find_game("mujoco/sumo-ants").seats
    ('first', 'second')
    """
    found = find_card("envs", "*.toml", SCHEMA, name)
    card = _parse(name, *found) if found else _without_card(name)
    family, _, rest = name.partition("/")
    if family == "gymnasium":
        try:
            find_spec(card)
        except UnknownName as error:
            hint = "" if ":" in rest else _hint(name) or "; one of your own package is gymnasium/package:Name-v0"
            raise UnknownName(f"{error}{hint}") from error
    if family == "pettingzoo" and rest not in pettingzoo_ids():
        raise UnknownName(f"no PettingZoo game {rest!r} is registered{_hint(name)}")
    return card


def make_game(
    game: Variant | GameCard, slots: int, *, threads: int = 1, camera: bool = False, forks: bool = False,
    screens: bool = False,
) -> Game:  # fmt: skip
    """Builds a game in `slots` copies.

    Args:
        game: The game, and what a command changes of it.
        slots: Number of copies.
        threads: That step them, where the game can; changes no result.
        camera: Whether it is to be filmed (`rlattack.games.camera`).
        forks: Whether it is to be saved and restored, where the game must know that (`rlattack.games.forks`).
        screens: Whether it is to show what is on the screen of its emulator too, where it has one.

    Raises:
        InvalidInput: Fewer than one slot or thread, or a game that cannot be played, hidden or filmed as it is.
        MissingExtra: The game needs a package that is not installed.

    >>> import numpy as np
    >>> from rlattack import find_game, make_game
    >>> game = make_game(find_game("gymnasium/CartPole-v1"), slots=3)
    >>> (view,) = game.reset(np.ones(3, dtype=bool), np.arange(3))
    >>> view.obs.shape, game.step([np.zeros(3, dtype=int)]).rewards.tolist()
    ((3, 4), [[1.0, 1.0, 1.0]])
    """
    variant = game if isinstance(game, Variant) else Variant(game)
    name = variant.card.id
    if min(slots, threads) < 1:
        raise InvalidInput(f"game {name}: expected at least 1 slot and 1 thread, got {slots} and {threads}")
    try:
        family = FAMILIES.get(variant.card.family)
    except MissingExtra as error:
        raise MissingExtra(f"game {name}: {error}") from error
    takes = inspect.signature(family).parameters
    if camera and "camera" not in takes:
        raise InvalidInput(f"{name} cannot be filmed, {FILMED}")
    asked = {"camera": camera, "forks": forks and "forks" in takes, "screens": screens and "screens" in takes}
    return family(variant, slots, threads, **{option: True for option, wanted in asked.items() if wanted})


def with_variant(
    card: GameCard, *, sticky: float | None = None, options: Mapping[str, object] | None = None,
    max_steps: int | None = None,
) -> GameCard:  # fmt: skip
    """Returns the card with another sticky probability, another limit of steps and some of its options replaced.

    Args:
        card: The game.
        sticky: Probability in [0, 1) that the emulator repeats the last action; None for the card's.
        options: Fields of `AtariOptions`, of a Gymnasium environment of `GymnasiumOptions`, as TOML gives them: an
            agent's `[options]`; of a control task `args`, numbers of its card as `rules`.
        max_steps: Steps after which an episode is cut; None for the card's.

    Raises:
        ContentError: An unknown option, a value that does not fit, or a game that has no such options.
    """
    if options:
        card = _with_options(card, options)
    if sticky is not None:
        card = dataclasses.replace(card, protocol=dataclasses.replace(card.protocol, sticky=sticky))
    return card if max_steps is None else dataclasses.replace(card, max_steps=max_steps)


def _with_options(card: GameCard, options: Mapping[str, object]) -> GameCard:
    where = f"game {card.id}: options"
    if card.task is not None and options.keys() == {"args"}:
        numbers = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(card.task).items() if value is not None
        }  # fmt: skip
        table = {**numbers, **cast(Mapping[str, object], options["args"])}
        return dataclasses.replace(card, task=parse_table(Task, table, where))
    if card.family not in ("atari", "gymnasium"):
        of = ", --env-args for control tasks too" if card.family == "mujoco" else ""
        raise ContentError(
            f"game {card.id} has no options {', '.join(options)}: --env-args, --frame-stack and --channels are for "
            f"gymnasium/ games, --frame-stack for atari/ too{of}"
        )
    if card.family == "atari" and (others := {"args", "channels"} & set(options)):
        raise ContentError(
            f"game {card.id} has no options {', '.join(sorted(others))}: --env-args and --channels are for gymnasium/ "
            "games"
        )
    name = "gymnasium" if card.family == "gymnasium" else "atari"
    before = {key: value for key, value in vars(getattr(card, name)).items() if value is not None}
    table = before | dict(options)
    if isinstance(table.get("args"), dict):
        table["args"] = before.get("args", {}) | table["args"]
    kind: type[AtariOptions | GymnasiumOptions] = GymnasiumOptions if name == "gymnasium" else AtariOptions
    return dataclasses.replace(card, **{name: parse_table(kind, table, where)})  # type: ignore[arg-type]  # its own


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
        `actions`, `sticky`, `random`, `human`, `agent` and `eps` (as `Reference` has them, or None), `card` (whether it
        has one) and `note` (what is missing to play it; mostly "").
        Gymnasium's and PettingZoo's without a card are not listed.
    """
    rows: dict[str, GameRow] = {}
    for name, path, table in iterate_cards("envs", "*.toml", SCHEMA):
        try:
            rows[name] = _row(_parse(name, path, table), True)
        except ContentError as error:  # one card must not hide the others
            nothing = dict.fromkeys(("seats", "win", "win_score", "actions", "sticky", *_REFERENCE))
            rows[name] = {**nothing, "id": name, "title": name, "card": True, "note": f"{path}: {error}"}
    rows |= {name: _row(_default(name), False) for name in _ids("atari") if name not in rows}
    return [rows[name] for name in sorted(rows)]


def _parse(name: str, path: Path, table: Card) -> GameCard:
    """Parses a card; an Atari card that names no ROM means the one of its own name."""
    family, _, rest = name.partition("/")
    if family not in FAMILIES:
        raise ContentError(f"{path}: expected it under {' or '.join(f'envs/{f}/' for f in FAMILIES)}, got id {name!r}")
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
    unknown = family == "mujoco" or not rest or (family == "atari" and rest not in (*CRASHING, *atari_roms()))
    if family not in FAMILIES or unknown:
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
    """Names the game whose last part is closest, in any case and whatever its version, within the family named."""
    if (rom := _rom(name)) and rom in _ids("atari"):
        return f"; did you mean {rom!r}?"
    names = [name for name, _, _ in iterate_cards("envs", "*.toml", SCHEMA)]
    names += [known for family in _OWN for known in _ids(family)]
    family = name.partition("/")[0]
    if family in FAMILIES and "/" in name:  # `pettingzoo/pong` is not one of Atari's own
        names = [known for known in names if known.startswith(f"{family}/")]
    names.sort(key=lambda known: (-len(known), known))  # of equal last parts, the shortest or the newest name stays
    tails = {_base(known): known for known in names}
    close = difflib.get_close_matches(_base(name), tails, n=1, cutoff=0.75)
    return f"; did you mean {tails[close[0]]!r}?" if close else ""


def _base(name: str) -> str:
    """The last part of an id without its version, in small letters."""
    return re.sub(r"[-_]v\d+$", "", name.rpartition("/")[2].lower())


def _rom(name: str) -> str:
    """The Atari game that an id of Gymnasium's means: `atari/pong` of `PongNoFrameskip-v4`, of `ALE/Pong-v5`."""
    found = re.fullmatch(r"(?:gymnasium/)?(?:ALE/)?([A-Z]\w*?)(?:-?ram|NoFrameskip|Deterministic)*-v\d", name)
    return "atari/" + re.sub(r"(?<!^)(?=[A-Z])", "_", found[1]).lower() if found else ""


def _ids(family: str) -> list[str]:
    """Ids of the games that need no card; none where what plays them is missing."""
    try:
        return [f"{family}/{known}" for known in _OWN[family].known()]
    except MissingExtra:
        return []


def _row(card: GameCard, has_card: bool) -> GameRow:
    alone, needed = card.seats == (PLAYER,), _OWN.get(card.family, _Family()).package
    missing = needed and not importlib.util.find_spec(needed.replace("-", "_"))
    return {
        "id": card.id,
        "title": card.title,
        "seats": ", ".join(card.seats) if card.seats and not alone else None,
        "win": card.win.rule if card.win else None if alone else "duel",
        "win_score": card.win.score if card.win else None,
        "actions": card.protocol.actions,
        "sticky": card.protocol.sticky,
        **{name: getattr(card.reference, name, None) for name in _REFERENCE},
        "card": has_card,
        "note": f'needs {needed}: pip install "rlattack[{card.family}]"' if missing else "",
    }
