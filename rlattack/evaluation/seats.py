"""Seats as the command line names them: who is the victim, from whom something is hidden, who sits where."""

from collections.abc import Sequence

from rlattack.budget.words import entries_words
from rlattack.errors import InvalidInput, UnknownName, nearest
from rlattack.evaluation.study import NO_MASK, Study
from rlattack.games.card import GameCard
from rlattack.games.game import MASKS, Mask, Seat

Hidden = tuple[tuple[int, Mask], ...]
"""Seats from which the other player is hidden, and how."""
_DEFAULT_MASK: Mask = "initial"


def seat_number(option: str, text: str, seats: Sequence[str], *more: str) -> int:
    """Reads a seat, by its name or, where no seat has that name, by its number.

    Args:
        option: For the message.
        text: As typed.
        seats: Names of the game's seats.
        more: What else could have been typed.

    Raises:
        UnknownName: No such seat.
    """
    if text in seats:
        return list(seats).index(text)
    if text in map(str, range(len(seats))):
        return int(text)
    expected = " or ".join([*(f"{name} ({number})" for number, name in enumerate(seats)), *more])
    raise UnknownName(f"{option}: expected {expected}, got {text!r}{nearest(text, seats)}")


def parse_mask(text: str, seats: Sequence[str]) -> Hidden:
    """Reads `SEAT`, `SEAT:MODE` or `none`; without a mode the other player stays as at the start of the scene."""
    if text == NO_MASK:
        return ()
    name, colon, mode = text.partition(":")
    number = seat_number("--mask", name, seats, NO_MASK)
    mask = next((mask for mask in MASKS if mask == (mode if colon else _DEFAULT_MASK)), None)
    if mask is None:
        raise InvalidInput(f"--mask {text}: expected {name}:MODE, one of {', '.join(MASKS)}{nearest(mode, MASKS)}")
    return ((number, mask),)


def free_entries(free: str, keys: str, seat: Seat) -> tuple[int, ...]:
    """Numbers of the entries of what a seat sees that may change, as `--free` or `--keys` name them; none for all.

    Of an observation that is shown flattened, choices (0 and 1s) never change, since nothing lies between them.

    Raises:
        UnknownName: No such entry or key.
        InvalidInput: Both options, keys of what has none or holds a choice, or nothing that could change.
    """
    if free and keys:
        raise InvalidInput("--free and --keys: expected one of them")
    if not seat.parts:
        if keys:
            raise InvalidInput(f"--keys: expected observations in a Dict, this game shows {seat.observation}")
        return parse_free(free, seat) if free else ()
    changing = {part.name: part for part in seat.parts if part.numbers}
    if not changing:
        raise InvalidInput("--attack: what this game shows are choices, which have no other value close to them")
    for name in keys.split(",") if keys else ():
        if name not in changing:
            known = ", ".join(changing)
            fixed = " holds a choice" if name in [part.name for part in seat.parts] else ""
            raise UnknownName(f"--keys: expected {known}, got {name!r}{fixed or nearest(name, changing)}")
    chosen = [changing[name] for name in keys.split(",")] if keys else changing.values()
    allowed = {entry for part in chosen for entry in range(part.start, part.start + part.entries)}
    if free and (fixed_entries := set(parse_free(free, seat)) - allowed):
        raise InvalidInput(f"--free: expected entries of {', '.join(changing)}, got {min(fixed_entries)}, of a choice")
    found = tuple(sorted(allowed)) if not free else parse_free(free, seat)
    return () if len(found) == (seat.observation.shape or (0,))[0] else found


def free_words(free: Sequence[int], seat: Seat) -> str:
    """Says which entries of a flattened observation may change, by key; empty of one array.

    >>> from gymnasium.spaces import Box
    >>> from rlattack.games.game import Part
    >>> parts = Part("goal", 0, 3, (3,), True), Part("place", 3, 2, (2,), True)
    >>> free_words((0, 1, 2, 4), Seat("player", Box(0, 1, (5,)), Box(0, 1), parts=parts))
    'goal,place[1]'
    """
    words = []
    for part in seat.parts:
        own = [entry - part.start for entry in free if part.start <= entry < part.start + part.entries]
        words += [part.name if len(own) == part.entries else f"{part.name}[{entries_words(own)}]"] if own else []
    return ",".join(words)


def parse_free(text: str, seat: Seat) -> tuple[int, ...]:
    """Reads numbers or names of entries of what a seat sees, as `3,4` or `thigh_joint,leg_joint`.

    Returns:
        Their numbers, each once and in order; none where all of them are named.

    Raises:
        UnknownName: No such entry.
        InvalidInput: Observations that are not numbers in a row.
    """
    shape = seat.observation.shape or ()
    if len(shape) != 1:
        raise InvalidInput(f"--free: expected observations that are numbers in a row, this game shows {shape}")
    numbers = {str(number): number for number in range(shape[0])}
    known = numbers | {name: number for number, name in enumerate(seat.features)}
    for name in text.split(","):
        if name not in known:
            named = f", {', '.join(seat.features)}" if seat.features else ""
            close = nearest(name, seat.features)
            raise UnknownName(f"--free: expected entries 0 to {shape[0] - 1}{named}, got {name!r}{close}")
    chosen = sorted({known[name] for name in text.split(",")})
    return () if len(chosen) == shape[0] else tuple(chosen)


def check_players(study: Study, card: GameCard, names: Sequence[str]) -> None:
    """Refuses another number of players than the game has seats."""
    if len(study.candidates) == len(names):
        return
    if len(names) == 1:
        raise InvalidInput(f"game {card.id} has one seat: `rlattack attack {card.id} --victim AGENT` plays it")
    count = {2: "two"}.get(len(names), str(len(names)))
    if len(study.candidates) == 1:
        players = " ".join(["AGENT"] * len(names))
        raise InvalidInput(f"game {card.id} has {count} seats: `rlattack duel {card.id} --players {players}` plays it")
    raise InvalidInput(
        f"--players: expected {count}, who takes {', who takes '.join(names)} (several as A,B: every pair plays), "
        f"got {' '.join(map(','.join, study.candidates))}"
    )
