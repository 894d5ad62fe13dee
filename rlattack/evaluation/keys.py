"""What names things that are kept: digests of all that decides them."""

import dataclasses
import hashlib
import json
from typing import Any

from rlattack.games.card import Variant


def digest(identity: object) -> str:
    """Sixteen hexadecimal digits that name what has that identity (anything that JSON can say)."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def game_identity(game: Variant) -> dict[str, Any]:
    """What decides play in a game: no titles, no references, and no rule of who has won by a return."""
    card = dataclasses.asdict(game.card)
    for name in ("title", "win", "reference", "protocol"):
        del card[name]
    return card | {"sticky": game.card.protocol.sticky, "hidden": game.hidden}
