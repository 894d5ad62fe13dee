"""The program of a grid: everything loaded, checked and cut into cells before anything is played."""

import dataclasses
import fnmatch
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlattack.benchmark.grid import Contender, Grid
from rlattack.errors import InvalidInput, RlattackError, UnknownName
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.keys import digest
from rlattack.evaluation.plan import Laid, Plan, plan, together
from rlattack.evaluation.study import EVERY, Study

Say = Callable[[str], None]


@dataclass(frozen=True)
class Impossible:
    """An attack that an agent cannot have, and why; the rest is played.

    Attributes:
        agent: As it was named.
        attack: As it was asked for.
        why: One line.
    """

    agent: str
    attack: str
    why: str


@dataclass(frozen=True)
class Entrant:
    """A contender with what its agents play.

    Attributes:
        contender: Who.
        cells: By agent; those of several seeds one after another.
    """

    contender: Contender
    cells: Mapping[str, tuple[Cell, ...]]

    @property
    def names(self) -> tuple[str, str]:
        """Its game, and its name there."""
        return self.contender.game, self.contender.name


@dataclass(frozen=True)
class Program:
    """What a grid plays.

    Attributes:
        grid: What was asked for.
        entrants: Who is compared.
        runs: Plans by the name of their run folder: cells of one game and protocol are in one.
        impossible: What is not played.
        notes: What there is to say, a line each.
    """

    grid: Grid
    entrants: tuple[Entrant, ...]
    runs: Mapping[str, Plan]
    impossible: tuple[Impossible, ...]
    notes: tuple[str, ...]

    @property
    def cells(self) -> list[Cell]:
        """All cells, each once."""
        return [cell for one in self.runs.values() for cell in one.cells]

    def only(self, pattern: str) -> "Program":
        """The part whose contender, game or attack a pattern fits, with the clean cells and controls beside it.

        Raises:
            InvalidInput: It fits nothing.
        """
        whose: dict[str, set[str]] = {}
        for entrant in self.entrants:
            for agent, cells in entrant.cells.items():
                for cell in cells:
                    whose.setdefault(cell.key, set()).update((entrant.contender.name, agent))

        def fits(cell: Cell) -> bool:
            words = (cell.game.card.id, *whose[cell.key], cell.label)
            return any(fnmatch.fnmatch(word, pattern) or pattern in word for word in words)

        fitting = [cell for cell in self.cells if fits(cell)]
        beside = {_size(cell) for cell in fitting}
        controls = {cell.key for cell in self.cells if cell.control and _size(cell) in beside}
        wanted = {key for cell in fitting for key in (cell.key, cell.clean.key)} | controls
        if not wanted:
            names = ", ".join(dict.fromkeys(one.contender.name for one in self.entrants))
            raise InvalidInput(f"--only {pattern}: fits no game, attack or contender; there are {names}")
        return self.with_cells(wanted)

    def with_cells(self, keys: set[str]) -> "Program":
        """The part with these cells alone."""
        runs = {
            name: dataclasses.replace(one, cells=kept)
            for name, one in self.runs.items()
            if (kept := tuple(cell for cell in one.cells if cell.key in keys))
        }
        return dataclasses.replace(self, runs=runs)


def _size(cell: Cell) -> tuple[object, ...]:
    """What an attack shares with its control: who plays, and how much is allowed when."""
    allowed = ((ref.seat, ref.budget.norm, ref.budget.space, ref.budget.eps, ref.schedule) for ref in cell.attacks)
    return (cell.clean.key, *allowed)


def plan_grid(grid: Grid, say: Say = lambda line: None) -> Program:
    """Loads and checks all that a grid asks for; plays nothing.

    Args:
        grid: What is asked for.
        say: Told in a line what is loaded.

    Raises:
        RlattackError: An agent, a game or an option that does not fit, a game in several protocols, or no attack that
            any agent can have; one that some cannot have is listed instead, and the rest is played.
    """
    impossible: list[Impossible] = []
    plans: list[Plan] = []
    entrants: list[Entrant] = []
    laid: Laid = {}
    for contender in grid.contenders:
        say(f"planning {contender.name}")
        cells: dict[str, tuple[Cell, ...]] = {}
        for agent, studies in contender.studies.items():
            found = [one for study in studies for one in _plans(study, agent, impossible, laid)]
            plans += found
            cells[agent] = tuple({cell.key: cell for one in found for cell in one.cells}.values())
        entrants.append(Entrant(contender, cells))
    _refuse_doubles(entrants)
    _refuse_protocols(entrants)
    if impossible and not any(cell.attacks for one in plans for cell in one.cells):
        first = impossible[0]
        raise InvalidInput(f"grid {grid.name}: no attack can be played; {first.attack} on {first.agent}: {first.why}")
    runs = _runs(plans)
    notes = tuple(dict.fromkeys(one.note for one in runs.values() if one.note))
    return Program(grid, tuple(entrants), runs, tuple(dict.fromkeys(impossible)), notes)


def _plans(study: Study, agent: str, impossible: list[Impossible], laid: Laid) -> Iterator[Plan]:
    """The plan of a study; where an attack in it is impossible, those of all others."""
    try:
        yield plan(study, laid)
        return
    except RlattackError as error:
        whole = error
    clean = {"attack": (), "eps": (), "when": (EVERY,), "surrogate": (), "grid": False}
    try:
        yield plan(dataclasses.replace(study, **clean))  # type: ignore[arg-type]  # fields of a study
    except RlattackError as error:
        raise whole from error
    attacks: tuple[str, ...] = tuple(study.attack)  # type: ignore[arg-type]  # names, whatever was given
    for attack in attacks:
        try:
            yield plan(dataclasses.replace(study, attack=(attack,)))
        except UnknownName:
            raise
        except RlattackError as error:
            impossible.append(Impossible(agent, attack, str(error)))


def _runs(plans: Sequence[Plan]) -> dict[str, Plan]:
    """Plans of one game and protocol as one, by a name; with other victims it is another one in the same store."""
    groups: dict[str, list[Plan]] = {}
    for one in plans:
        shared = {key: value for key, value in one.configuration.items() if key not in ("victims", "versions")}
        groups.setdefault(_digest(shared), []).append(one)
    joined = map(together, groups.values())
    return {f"{_file_name(one)}-{_digest(one.configuration)[:8]}": one for one in joined}


def _digest(configuration: Mapping[str, Any]) -> str:
    return digest(json.loads(json.dumps(configuration)))


def _file_name(planned: Plan) -> str:
    return re.sub(r"[^\w.-]", "-", str(planned.cells[0].game.card.id))


def _refuse_doubles(entrants: Sequence[Entrant]) -> None:
    """Refuses two contenders of one game that are the same agent by two names, or one agent twice in a group."""
    known: dict[tuple[Any, ...], str] = {}
    for entrant in entrants:
        for agent, cells in entrant.cells.items():
            key = (entrant.contender.game, cells[0].clean.key)
            other = known.setdefault(key, agent)
            if other != agent:
                raise InvalidInput(
                    f"grid: {agent} and {other} are the same agent by two names: leave one out, or a ranking counts it "
                    "twice"
                )


def _refuse_protocols(entrants: Sequence[Entrant]) -> None:
    """Refuses a game that is played by several rules, and an agent whose actions are chosen in several ways."""
    known: dict[tuple[str, ...], tuple[str, dict[str, Any]]] = {}
    for entrant in entrants:
        game, name = entrant.names
        for agent, cells in entrant.cells.items():
            for cell in cells:
                rules = {"seat": cell.seats[cell.victim], **cell.game.card.rules}
                for place, own in (((game,), rules), ((game, agent), {"actions": cell.actions[cell.victim]})):
                    whose, other = known.setdefault(place, (name, own))
                    if apart := [rule for rule in own if own[rule] != other[rule]]:
                        (rule, *_) = apart
                        raise InvalidInput(
                            f"grid: {game}: {whose} plays with {rule} {other[rule]}, and {name} with {rule} "
                            f"{own[rule]}: a ranking is of one protocol; make a grid of each"
                        )
