"""How many copies of a game fit into this machine."""

import math
import os
from collections.abc import Sequence

from rlattack.errors import InvalidInput
from rlattack.games.game import Seat

_COPY, _TIMES = 2**20, 16
"""The least that a copy of a game takes, in bytes, and how often what it shows is held at a step, as floats."""


def check_memory(
    slots: int, seats: Sequence[Seat], what: str = "--envs", *, apiece: int = _COPY, screens: bool = False
) -> None:  # fmt: skip
    """Refuses more copies of a game than the machine holds, by the least that a copy and what it shows take.

    Args:
        slots: How many copies.
        seats: Who is shown something.
        what: Asks for them, for the message.
        apiece: Bytes of a copy beside what it shows.
        screens: Whether the pictures of emulators are shown too.

    Raises:
        InvalidInput: They need more memory than there is.
    """
    try:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not a Unix: then the system says so
        return
    shown = [seat.observation.shape or () for seat in seats]
    shown += [seat.screen.space.shape for seat in seats if screens and seat.screen is not None]
    needed = slots * (len(seats) * apiece + sum(_TIMES * 4 * math.prod(shape) for shape in shown))
    if needed > there:
        most = there * slots // needed
        raise InvalidInput(
            f"{what}: {slots:,} copies need at least {needed / 2**30:,.0f} GiB, this machine has {there / 2**30:,.0f} "
            f"GiB; expected at most {most:,}"
        )
