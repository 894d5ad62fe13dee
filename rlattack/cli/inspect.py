"""`rlattack inspect`: looks into an agent; a verb an inspection."""

import dataclasses
import shlex
import sys
from dataclasses import dataclass
from typing import Annotated

import tyro

from rlattack.cli.attack import Command
from rlattack.evaluation.study import Study
from rlattack.inspect.inspection import Inspection, seated
from rlattack.inspect.kinds import Fooling, Occlusion, Reprogram, Saliency, Units


@dataclass(frozen=True, kw_only=True)
class Activations(Command):
    """What the victim's network does against each opponent, or under each attack, beside normal play.

    A Gaussian mixture is fitted to the activations of normal play, the first opponent's or without an attack, and says
    how likely the others are (Gleave et al. 2019, sec. 5.2). It is a run of `attack` or `duel` with --activations.
    """

    victim: Annotated[str, tyro.conf.arg(metavar="AGENT")]
    """Who is looked into."""
    against: Annotated[tuple[str, ...], tyro.conf.arg(metavar="A[,A2,...] ...")] = ()
    """Who may hold each of the other seats, in order; several joined by commas are compared."""
    seat: Annotated[str, tyro.conf.arg(metavar="SEAT")] = ""
    """The victim's seat, by name or number; the last one by default."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        from rlattack.inspect.look import place_of

        seats, number = place_of(self.game, self.seat)
        others = [tuple(names.split(",")) for names in self.against]
        players, at = seated((self.victim,), others, seats, number), str(number)
        study = Study.of(self, players=players, victim=at, attacked=at)
        return dataclasses.replace(self, activations=at).evaluate(study, command)


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Look into an agent: what decides, what it sees that is not there, what its units stand for."""

    verb: (
        Annotated[Activations, tyro.conf.subcommand("activations", prefix_name=False)]
        | Annotated[Occlusion, tyro.conf.subcommand("occlusion", prefix_name=False)]
        | Annotated[Saliency, tyro.conf.subcommand("saliency", prefix_name=False)]
        | Annotated[Units, tyro.conf.subcommand("units", prefix_name=False)]
        | Annotated[Fooling, tyro.conf.subcommand("fooling", prefix_name=False)]
        | Annotated[Reprogram, tyro.conf.subcommand("reprogram", prefix_name=False)]
    )

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        return look(self.verb, command) if isinstance(self.verb, Inspection) else self.verb(command)


def look(inspection: Inspection, command: list[str]) -> int:
    """Looks, and prints what was found."""
    from rlattack.inspect.look import inspect

    found, folder = inspect(inspection, command=shlex.join(command))
    if inspection.json:
        sys.stdout.write((folder / "inspection.json").read_text(encoding="utf-8"))
    else:
        found.show(folder)
    return 0
