"""How much of a program is there, and how long the rest takes: as what was played of its like, or at its pace."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rlattack.benchmark.program import Program
from rlattack.errors import RlattackError
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.pace import Pace, Paces
from rlattack.evaluation.run import shared_store
from rlattack.evaluation.store import Kept, Store

Measure = Callable[[Cell, Pace | None], Pace]
"""Measures the pace of a cell, by that of the clean one beside it."""
Like = tuple[str, ...]


@dataclass(frozen=True)
class Forecast:
    """What is to come.

    Attributes:
        cells: All of them.
        there: How many are whole.
        episodes: Episodes that are missing.
        seconds: Of one core for those whose like was played or measured, and for what is learned before.
        unknown: Cells of which no like was.
    """

    cells: int
    there: int
    episodes: int
    seconds: float
    unknown: int

    def words(self, workers: int) -> str:
        """The whole in a line, for a number of workers."""
        waiting = self.cells - self.there
        said = f"{self.cells:,} cells, {self.there:,} there, {waiting:,} to play ({self.episodes:,} episodes)"
        if not waiting:
            return said
        if self.unknown == waiting:
            return f"{said}; --plan measures how long"
        unknown = f", and {self.unknown:,} of whose like no time is known" if self.unknown else ""
        return f"{said}: about {_lasts(self.seconds / workers)} with {workers} workers{unknown}"


def _lasts(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def forecast(
    program: Program, folder: Path, measure: Measure | None = None, say: Callable[[str], None] = lambda line: None
) -> Forecast:
    """Looks at what is there of a program in the store of its folder; plays nothing but what is measured.

    Args:
        program: What is to be played.
        folder: Of the grid.
        measure: Measures cells of whose like nothing is known; what it finds is kept in the store.
        say: Told in a line what is measured, and what cannot be.
    """
    rates = _Rates(folder, measure, say)
    kept = dict(_kept(program, folder))
    for cell in program.cells:
        if (found := kept.get(cell.key)) is not None:
            rates.add(cell, found)
    there = episodes = unknown = 0
    seconds = 0.0
    for cell in program.cells:
        missing = cell.episodes - (len(kept[cell.key].episodes) if cell.key in kept else 0)
        if missing <= 0:
            there += 1
            continue
        episodes += missing
        known = rates.of(cell, missing)
        unknown += known is None
        seconds += known or 0.0
    return Forecast(len(program.cells), there, episodes, seconds + sum(rates.lessons.values()), unknown)


def _kept(program: Program, folder: Path) -> Iterator[tuple[str, Kept]]:
    if not shared_store(folder).is_dir():
        return
    store = Store(shared_store(folder))
    for cell in program.cells:
        if (found := store.read(cell)) is not None:
            yield cell.key, found


@dataclass
class _Rates:
    """How long episodes take, by what they are like."""

    folder: Path
    measure: Measure | None
    say: Callable[[str], None]
    lessons: dict[str, float] = field(default_factory=dict)
    """Seconds in which what is missing is learned, by key."""
    _played: dict[Like, list[float]] = field(default_factory=dict)
    _paces: dict[Like, Pace | None] = field(default_factory=dict)

    def add(self, cell: Cell, kept: Kept) -> None:
        """Takes what was played."""
        for like in _likes(cell) if kept.seconds > 0 else ():
            self._played.setdefault(like, []).append(kept.seconds / len(kept.episodes))

    def of(self, cell: Cell, episodes: int) -> float | None:
        """Seconds of so many episodes; None where nothing is known of their like."""
        exact, named = _likes(cell)
        lessons = [ref.fit for ref in cell.attacks if ref.fit is not None and not self._is_learned(ref.fit)]
        pace = self._pace(cell) if lessons or exact not in self._played else None
        if pace is not None:
            self.lessons |= dict.fromkeys(lessons, pace.fit)
        if exact not in self._played and pace is not None:
            return pace.seconds(episodes, cell.envs)
        known = self._played.get(exact) or self._played.get(named)
        return None if known is None else episodes * float(np.mean(known))

    def _is_learned(self, key: str) -> bool:
        return (shared_store(self.folder) / "fits" / f"{key}.safetensors").exists()

    def _pace(self, cell: Cell) -> Pace | None:
        """The pace of cells like one; measured at most once, and None where it cannot be."""
        like = _likes(cell)[0]
        if like not in self._paces:
            paces = Paces(shared_store(self.folder))
            self._paces[like] = paces.read(like) or self._measured(cell)
            if (found := self._paces[like]) is not None and self.measure is not None:
                paces.keep(like, found)
        return self._paces[like]

    def _measured(self, cell: Cell) -> Pace | None:
        clean = self._pace(cell.clean) if cell.attacks else None
        if self.measure is None or (cell.attacks and clean is None):
            return None
        self.say(f"measuring {cell.game.card.id}, {cell.label}")
        try:
            return self.measure(cell, clean)
        except RlattackError as error:
            self.say(f"cannot be measured: {error}")
            return None


def _likes(cell: Cell) -> tuple[Like, Like]:
    """What cells cost as much as this one: those with the same attacks, and those with others of the same names."""
    card, fronts = cell.game.card, [front for player in cell.players for front in player.fronts]
    about = (card.id, f"{cell.envs}", f"{card.max_steps}", cell.device, *fronts, *cell.observers)
    return (*about, *(str(ref.spec) for ref in cell.attacks)), (*about, *(ref.spec.name for ref in cell.attacks))
