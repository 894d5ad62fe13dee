"""Observers by name: what else can be measured of a victim at every step (`--observe`)."""

from collections.abc import Sequence

from rlattack.attacks import ATTACKS, Setting
from rlattack.errors import InvalidInput
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.observer import Observer
from rlattack.games.game import Seat
from rlattack.policies.distributions import kinds
from rlattack.policies.policy import Policy
from rlattack.registry import Registry

OBSERVERS: Registry[type[Observer]] = Registry(
    "observer",
    {"margins": "rlattack.evaluation.margins:Margins", "sizes": "rlattack.evaluation.sizes:SizeQuantiles"},
    group="rlattack.observers",
)
"""Each is made of a cell and the seat that it looks at, see `Observer.of`."""


def check_observers(names: Sequence[str], policy: Policy, seat: Seat) -> None:
    """Checks that observers have something to say of who holds a seat.

    Raises:
        UnknownName: No such observer.
        InvalidInput: One says nothing of actions of that kind.
    """
    for name in names:
        needs = OBSERVERS.get(name).needs
        if needs and not isinstance(Setting.of(policy, seat.observation).actions, tuple(needs)):
            raise InvalidInput(f"--observe {name}: expected a victim of {kinds(needs)} actions, {seat.name} has others")


def make_observers(cell: Cell) -> list[Observer]:
    """Those that a cell asks for, at its victim; sizes are measured too where an attack looks for the smallest."""
    seats = dict.fromkeys(cell.observers, cell.victim)
    for ref in cell.attacks:
        if not ATTACKS.get(ref.spec.name).sized:
            seats["sizes"] = ref.seat
    return [OBSERVERS.get(name).of(cell, seat) for name, seat in seats.items()]
