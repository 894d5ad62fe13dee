"""How long cells take on this machine where nobody has played their like, as it was measured, kept beside a store."""

import dataclasses
import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from rlattack.evaluation.keys import digest
from rlattack.files import write_whole

PACE_SCHEMA = "rlattack/pace/1"


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long a cell takes on one core.

    Attributes:
        begin: Seconds until it is played: the game is made, players are loaded.
        step: Seconds of a step of one slot, while all play.
        length: Steps of an episode, about.
        fit: Seconds in which its attacks learn before.
    """

    begin: float
    step: float
    length: float
    fit: float = 0.0

    def seconds(self, episodes: int, slots: int) -> float:
        """How long so many episodes take: a slot that is idle takes its time too."""
        return self.begin + math.ceil(episodes / slots) * slots * self.length * self.step


class Paces:
    """Keeps what was measured on this machine; another one finds none of it.

    Args:
        folder: Of a store.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "paces"
        self._machine = digest([platform.node(), platform.machine(), os.cpu_count()])

    def read(self, like: Sequence[str]) -> Pace | None:
        """What was measured of cells of a kind; None where nothing was, or it is damaged."""
        try:
            content = json.loads(self._path(like).read_text(encoding="utf-8"))
            found = TypeAdapter(Pace).validate_python(content["pace"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        whole = all(math.isfinite(one) and one >= 0 for one in dataclasses.astuple(found))
        return found if whole and (content["schema"], content["like"]) == (PACE_SCHEMA, list(like)) else None

    def keep(self, like: Sequence[str], pace: Pace) -> None:
        """Keeps what was measured.

        Raises:
            Unwritable: The folder cannot be written.
        """
        content = {"schema": PACE_SCHEMA, "like": list(like), "pace": dataclasses.asdict(pace)}
        write_whole(self._path(like), (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())

    def _path(self, like: Sequence[str]) -> Path:
        return self._folder / f"{digest([self._machine, *like])}.json"
