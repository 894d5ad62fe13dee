"""A cell of a duel: a game, who sits where, what is hidden from whom or perturbed, and a protocol with a seed."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from rlattack.attacks import AttackSpec
from rlattack.budget import Budget
from rlattack.errors import InvalidInput, UnknownName, nearest
from rlattack.evaluation.cell import AgentRef, digest
from rlattack.evaluation.duels.grid import short_name
from rlattack.games.card import ActionMode, GameCard
from rlattack.games.duel import MASKS, Mask, Masks

__all__ = ["DuelCell", "parse_mask", "seat_number"]

NO_MASK = "none"
_DEFAULT: Mask = "initial"


@dataclass(frozen=True, kw_only=True)
class DuelCell:
    """What is played, and nothing about how fast: equal cells have equal results on one machine."""

    game: GameCard
    seats: tuple[str, str]
    """Their names."""
    players: tuple[AgentRef, AgentRef]
    """Who holds seat 0 and seat 1."""
    mask: tuple[int, Mask] | None = None
    """The seat from which the other player is hidden, and how."""
    attack: AttackSpec = field(default_factory=lambda: AttackSpec("none"))
    budget: Budget | None = None
    attacked: int | None = None
    """The seat whose observations the attack perturbs; None without one."""
    actions: ActionMode
    seed: int
    episodes: int
    envs: int

    @property
    def key(self) -> str:
        """Eight hexadecimal digits that name the cell."""
        return digest(self.identity)

    @property
    def label(self) -> str:
        """Who plays, without the name of the game before it, what is hidden, and what is perturbed."""
        hidden = "" if self.mask is None else f", mask {self.mask_name}"
        attacked = "" if self.budget is None else f", {self.attack.name} {self.budget.eps:g}"
        names = [short_name(player.name, self.game.id) for player in self.players]
        return " - ".join(names) + hidden + attacked

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that a result depends on; players by their digests."""
        return dataclasses.asdict(self) | {
            "players": [player.identity for player in self.players],
            "attack": {"name": self.attack.name, "parameters": dict(self.attack.parameters)},
        }

    @property
    def masks(self) -> Masks | None:
        """As `make_duel` takes them."""
        return None if self.mask is None else {self.mask[0]: self.mask[1]}

    @property
    def mask_name(self) -> str:
        """As the command line takes it: `runner:initial`, or `none`."""
        return NO_MASK if self.mask is None else f"{self.seats[self.mask[0]]}:{self.mask[1]}"


def seat_number(option: str, text: str, seats: tuple[str, str], *more: str) -> int:
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
        return seats.index(text)
    if text in ("0", "1"):
        return int(text)
    expected = " or ".join([*(f"{name} ({number})" for number, name in enumerate(seats)), *more])
    raise UnknownName(f"{option}: expected {expected}, got {text!r}{nearest(text, seats)}")


def parse_mask(text: str, seats: tuple[str, str]) -> tuple[int, Mask] | None:
    """Reads `SEAT`, `SEAT:MODE` or `none`.

    Args:
        text: As typed; without a mode the other player stays as at the start of the scene.
        seats: Names of the game's seats.

    Raises:
        UnknownName: No such seat.
        InvalidInput: No such way of hiding.
    """
    if text == NO_MASK:
        return None
    name, colon, mode = text.partition(":")
    number = seat_number("--mask", name, seats, NO_MASK)
    mask = next((mask for mask in MASKS if mask == (mode if colon else _DEFAULT)), None)
    if mask is None:
        raise InvalidInput(f"--mask {text}: expected {name}:MODE, one of {', '.join(MASKS)}{nearest(mode, MASKS)}")
    return number, mask
