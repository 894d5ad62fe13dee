"""How much of a program is there, and how long the rest will take, by what was played of it before."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlattack.benchmark.program import Program
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.run import shared_store
from rlattack.evaluation.store import Kept, Store


@dataclass(frozen=True)
class Forecast:
    """What is to come.

    Attributes:
        cells: All of them.
        there: How many are whole.
        episodes: Episodes that are missing.
        seconds: Of one core for those whose like was played before.
        unknown: Cells of which no like was played.
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
            return f"{said}; how long, the same command tells once some of it, or of its like, was played"
        hours, minutes = divmod(round(self.seconds / workers / 60), 60)
        unknown = f", and {self.unknown:,} of which no like was played yet" if self.unknown else ""
        return f"{said}: about {f'{hours} h ' if hours else ''}{minutes} min with {workers} workers{unknown}"


def forecast(program: Program, folder: Path) -> Forecast:
    """Looks at what is there of a program in the store of its folder; plays nothing."""
    kept = dict(_kept(program, folder))
    rates: dict[tuple[str, ...], list[float]] = {}
    for cell in program.cells:
        if (found := kept.get(cell.key)) is not None and found.seconds > 0:
            for like in _likes(cell):
                rates.setdefault(like, []).append(found.seconds / len(found.episodes))
    there = episodes = unknown = 0
    seconds = 0.0
    for cell in program.cells:
        missing = cell.episodes - (len(kept[cell.key].episodes) if cell.key in kept else 0)
        if missing <= 0:
            there += 1
            continue
        episodes += missing
        known = next((rates[like] for like in _likes(cell) if like in rates), None)
        unknown += known is None
        seconds += 0.0 if known is None else missing * float(np.mean(known))
    return Forecast(len(program.cells), there, episodes, seconds, unknown)


def _kept(program: Program, folder: Path) -> Iterator[tuple[str, Kept]]:
    if not shared_store(folder).is_dir():
        return
    store = Store(shared_store(folder))
    for cell in program.cells:
        if (found := store.read(cell)) is not None:
            yield cell.key, found


def _likes(cell: Cell) -> list[tuple[str, ...]]:
    """What cells cost as much as this one, the most alike first."""
    attacks = [str(ref.spec) for ref in cell.attacks]
    names = [ref.spec.name for ref in cell.attacks]
    return [(cell.game.card.id, cell.device, *attacks), (cell.game.card.id, cell.device, *names)]
