"""What every inspection of an agent takes, and is typed after `rlattack inspect`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro

from rlattack.errors import InvalidInput
from rlattack.evaluation.options import PlayOptions
from rlattack.evaluation.study import Study
from rlattack.specs import ranges_in


@dataclass(frozen=True, kw_only=True)
class Inspection(PlayOptions):
    """What all inspections share: whom to look into, in which game, and where what was found goes.

    Whoever inherits adds parameters of its own, each with its range, and names its work in `name`.
    """

    victim: Annotated[str, tyro.conf.arg(metavar="AGENT")]
    """Who is looked into: agent id, agent folder, Stable-Baselines3 .zip, hf:owner/name, or module:function."""
    against: Annotated[tuple[str, ...], tyro.conf.arg(metavar="AGENT ...")] = ()
    """Who holds the other seats of a game of several, in order."""
    seat: Annotated[str, tyro.conf.arg(metavar="SEAT")] = ""
    """The victim's seat, by name or number; the last one by default."""
    envs: int = 16
    """Episodes at once; intervals are over episodes, so more of them are surer. Part of the configuration."""
    run: Path | None = None
    """Run folder; by default runs/<inspection>-<game>-<digest of the configuration>."""
    json: bool = False
    """Print the numbers as JSON instead of the table."""

    name: ClassVar[str]
    """Word after `rlattack inspect`."""
    beside: ClassVar[tuple[str, ...]] = ("run", "json", "trust", "plugin")
    """Options that change nothing of what is found."""

    def check(self) -> None:
        """Checks what can be checked before anything is loaded.

        Raises:
            InvalidInput: A parameter out of its range.
        """
        for name, numbers in ranges_in(type(self)).items():
            value = getattr(self, name)
            for one in value if isinstance(value, tuple) else (value,):
                if one is not None and one not in numbers:
                    raise InvalidInput(f"--{name.replace('_', '-')}: expected a number {numbers.words}, got {one}")

    @property
    def parameters(self) -> dict[str, Any]:
        """Its own parameters, by name: those that the other inspections do not have."""
        shared = {field.name for field in dataclasses.fields(Inspection)}
        own = {name: value for name, value in dataclasses.asdict(self).items() if name not in shared}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}

    def study(self, seats: int, victim: int) -> Study:
        """The play that is looked at.

        Args:
            seats: How many the game has.
            victim: Number of the victim's.

        Raises:
            InvalidInput: Not one agent a seat.
        """
        players = seated((self.victim,), [(one,) for one in self.against], seats, victim)
        return Study.of(self, players=players, victim=str(victim), episodes=1)


def seated(
    victims: tuple[str, ...], others: Sequence[tuple[str, ...]], seats: int, victim: int
) -> tuple[tuple[str, ...], ...]:
    """Who may take each seat: victims theirs, and others those that are left, in order.

    Raises:
        InvalidInput: Not one for each of the other seats.
    """
    if len(others) != seats - 1:
        got = " ".join(map(",".join, others)) or "nobody"
        words = "1 agent, for the other seat" if seats == 2 else f"{seats - 1} agents, one for each of the other seats"
        raise InvalidInput(f"--against: expected {words if seats > 1 else 'nobody in a game of one seat'}, got {got}")
    return (*others[:victim], victims, *others[victim:])
