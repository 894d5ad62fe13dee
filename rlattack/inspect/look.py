"""An inspection from what was typed to the run folder: loads, looks, writes down."""

import shutil
from pathlib import Path

from rlattack.device import on
from rlattack.errors import RlattackError
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.keys import digest
from rlattack.evaluation.plan import Plan, plan
from rlattack.evaluation.prepare import prepare
from rlattack.evaluation.run import Run
from rlattack.evaluation.seats import seat_number
from rlattack.evaluation.store import Store
from rlattack.games import find_game, make_game
from rlattack.inspect.finding import Finding
from rlattack.inspect.inspection import Inspection
from rlattack.inspect.kinds import WORK
from rlattack.inspect.subject import Subject
from rlattack.registry import plug
from rlattack.report.progress import Stages, say


def inspect(inspection: Inspection, *, command: str = "", progress: bool = True) -> tuple[Finding, Path]:
    """Looks into an agent, and leaves numbers, pictures and a page in the run folder.

    Args:
        inspection: What to look for, in whom.
        command: Kept in `config.json` and on the page.
        progress: Shows how far it is.

    Returns:
        What was found, and the run folder.

    Raises:
        RlattackError: What does not fit, in one line, before anything is played.
        RunConflict: The folder holds another configuration.
        Unwritable: The folder cannot be written.
    """
    inspection.check()
    plug(inspection.plugin)
    asked = planned(inspection)
    cell = asked.cells[0]
    configuration = {"inspection": inspection.name, "parameters": inspection.parameters, **asked.configuration}
    name = cell.game.card.id.replace("/", "-")
    folder = inspection.run or Path("runs") / f"{inspection.name}-{name}-{digest(configuration)[:8]}"

    def tell(line: str) -> None:
        say(f"rlattack: {line}", stderr=True, markup=False)

    fresh = not folder.exists()
    try:
        with Run(folder, configuration, {"command": command, **asked.circumstances}, tell) as run:
            fits = Store(run.store, tell).fits
            prepare([cell], fits, tell)
            with Stages(quiet=not progress) as stages:
                subject = Subject(cell, fits, stages)
                with on(cell.device):
                    found = WORK.get(inspection.name)(subject, inspection)
            found.write(folder, about(inspection, cell), command)
    except RlattackError:
        if fresh:  # what is refused leaves nothing
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return found, folder


def about(inspection: Inspection, cell: Cell) -> dict[str, object]:
    """What a finding is of, as its JSON and its page say it."""
    return {
        "inspection": inspection.name, "game": cell.game.card.id, "victim": cell.players[cell.victim].name,
        "seat": cell.seats[cell.victim], "players": [one.name for one in cell.players], "seed": cell.seed,
        "envs": cell.envs, "device": cell.device, "parameters": inspection.parameters,
    }  # fmt: skip


def planned(inspection: Inspection) -> Plan:
    """The play that is looked at: who sits where, with nobody attacked."""
    seats, victim = place_of(inspection.game, inspection.seat)
    return plan(inspection.study(seats, victim))


def place_of(name: str, seat: str) -> tuple[int, int]:
    """How many seats a game has, and the number of one; of the last one where none is named.

    Raises:
        UnknownName: No such game or seat.
    """
    game = make_game(find_game(name), 1)
    names = tuple(one.name for one in game.seats)
    game.close()
    return len(names), seat_number("--seat", seat, names) if seat else len(names) - 1
