"""`rlattack inspect`: looks into an agent; a verb an inspection."""

import shlex
import sys
from dataclasses import dataclass
from typing import Annotated

import tyro

from rlattack.inspect.inspection import Inspection
from rlattack.inspect.kinds import Fooling, Occlusion, Reprogram, Saliency, Units


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Look into an agent: what decides, what it sees that is not there, what its units stand for."""

    verb: (
        Annotated[Occlusion, tyro.conf.subcommand("occlusion", prefix_name=False)]
        | Annotated[Saliency, tyro.conf.subcommand("saliency", prefix_name=False)]
        | Annotated[Units, tyro.conf.subcommand("units", prefix_name=False)]
        | Annotated[Fooling, tyro.conf.subcommand("fooling", prefix_name=False)]
        | Annotated[Reprogram, tyro.conf.subcommand("reprogram", prefix_name=False)]
    )

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        return look(self.verb, command)


def look(inspection: Inspection, command: list[str]) -> int:
    """Looks, and prints what was found."""
    from rlattack.inspect.look import inspect

    found, folder = inspect(inspection, command=shlex.join(command))
    if inspection.json:
        sys.stdout.write((folder / "inspection.json").read_text(encoding="utf-8"))
    else:
        found.show(folder)
    return 0
