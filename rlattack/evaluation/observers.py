"""Observers by name: what else can be measured of a victim at every step (`--observe`)."""

from rlattack.attacks import ATTACKS
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.observer import Observer
from rlattack.registry import Registry

__all__ = ["OBSERVERS", "make_observers"]

OBSERVERS: Registry[type[Observer]] = Registry(
    "observer",
    {"margins": "rlattack.evaluation.margins:Margins", "sizes": "rlattack.evaluation.sizes:SizeQuantiles"},
    group="rlattack.observers",
)
"""Each is made of a cell and the seat that it looks at, see `Observer.of`."""


def make_observers(cell: Cell) -> list[Observer]:
    """Those that a cell asks for, at its victim; sizes are measured too where an attack looks for the smallest."""
    names = list(cell.observers)
    seats = dict.fromkeys(names, cell.victim)
    for ref in cell.attacks:
        if not ATTACKS.get(ref.spec.name).sized:
            seats["sizes"] = ref.seat
    return [OBSERVERS.get(name).of(cell, seat) for name, seat in seats.items()]
