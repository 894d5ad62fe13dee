"""`rlattack perf`: this machine's throughput beside its own limits."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from rich.table import Table

from rlattack.errors import InvalidInput
from rlattack.evaluation.options import Plugins
from rlattack.report.progress import Stages, say

if TYPE_CHECKING:
    from rlattack.perf import Speed, SpeedTable


@dataclass(frozen=True, kw_only=True)
class Perf(Plugins):
    """Measure play and attacked play of a victim, each beside the bound that its parts set, all in one run.

    Of an Atari game also beside Stable-Baselines3 with foolbox, of a MuJoCo game how fast it is stepped beside MuJoCo
    alone (and of a control task beside Gymnasium's own in a SyncVectorEnv), and training beside Stable-Baselines3's
    SubprocVecEnv: of an adversary where others play too, of a victim in a control task.
    """

    game: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="GAME")] = "atari/pong"
    """The game."""
    victim: str | None = None
    """Who plays; by default the first agent listed for the game, a victim where there is one."""
    workers: int | None = None
    """Processes at once; one a core by default."""
    envs: int = 8
    """Episodes at once in a worker."""
    seconds: float = 8.0
    """For each thing measured."""
    device: str = "cpu"
    """cpu, or cuda: attacked play alone, in one process; raise --envs, as to 256."""
    trust: bool = False
    """Load files that can only be read by running their code."""
    json: bool = False
    """Print the numbers as JSON."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        from rlattack.evaluation.executor import cores
        from rlattack.games import find_game
        from rlattack.perf import measure, seat_victim

        if not self.seconds > 0 or self.envs < 1 or (self.workers is not None and self.workers < 1):
            raise InvalidInput(
                f"--seconds, --envs and --workers: expected more than 0, got {self.seconds:g}, {self.envs} and "
                f"{self.workers}"
            )
        find_game(self.game)
        victim = self.victim or _first_agent(self.game)
        seated = seat_victim(self.game, victim, trust=self.trust, device=self.device)
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0  # mean number of busy processes in a minute
        if load > 0.5:
            busy = f"the machine was busy in the last minute (load {load:.1f}); measure it idle, or all is too low"
            say(busy, stderr=True, markup=False)
        workers = self.workers or cores()
        with Stages(quiet=False) as stages:
            found = measure(seated, slots=self.envs, workers=workers, seconds=self.seconds, say=stages)
        if self.json:
            tables = {name: table.to_json() for name, table in found.items()}
            about = {"game": self.game, "victim": victim}
            sys.stdout.write(json.dumps({**about, **tables}, indent=1, allow_nan=False) + "\n")
        else:
            print_speeds(f"{victim} in {self.game}", found)
        return 0


def print_speeds(who: str, found: Mapping[str, "SpeedTable"]) -> None:
    """Prints a table for each benchmark of who plays what, by its name."""
    for table in found.values():
        if table.note:
            say(f"{table.title}: {table.note}", markup=False)
            continue
        setting = ", ".join(f"{count} {name}" for name, count in table.setting.items())
        shown = Table(title=f"{who}: {table.title} ({setting})", title_justify="left")
        for column in ("what", "a second", "beside", "a second", "share", "resets/1k"):
            shown.add_column(column, justify="left" if column in ("what", "beside") else "right")
        for speed in table.speeds:
            shown.add_row(*_row(speed))
        Console().print(shown)


def _row(speed: "Speed") -> list[str]:
    reset = speed.unit == "resets"
    return [
        "seeded reset" if reset else speed.name,
        f"{speed.per_second:,.0f}{' resets' * reset}",
        speed.beside,
        "" if speed.reference is None else f"{speed.reference:,.0f}",
        "" if speed.share is None else f"{speed.share:.2f}",
        "" if speed.resets_per_step is None else f"{1000 * speed.resets_per_step:.2f}",
    ]


def _first_agent(game: str) -> str:
    """The first victim that is listed for a game, rather one without a defence, or else any agent."""
    from rlattack.policies.folder import agent_cards

    cards = [
        (card.role != "victim", "defends" in card.provenance, name) for name, card in agent_cards() if card.game == game
    ]
    if cards:
        return min(cards)[2]
    raise InvalidInput(f"no agent for {game} ships with the project: name one with --victim")
