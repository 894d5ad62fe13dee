"""Observers by name: what else can be measured of a victim at every step (`--observe`)."""

from collections.abc import Sequence
from typing import Any

from rlattack.attacks import ATTACKS, Setting
from rlattack.errors import InvalidInput, told_by
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.code import foreign_code
from rlattack.evaluation.episode import SeatEpisode
from rlattack.evaluation.observer import Observer
from rlattack.evaluation.results import Mean
from rlattack.games.game import Seat
from rlattack.policies.distributions import kinds
from rlattack.policies.policy import Policy
from rlattack.registry import Registry
from rlattack.specs import NoParameters, configured, parse_spec, split_spec

OBSERVERS: Registry[type[Observer]] = Registry(
    "observer",
    {
        "certified": "rlattack.evaluation.certified:Certified",
        "likeness": "rlattack.evaluation.likeness:Likeness",
        "margins": "rlattack.evaluation.margins:Margins",
        "return-bound": "rlattack.evaluation.return_bound:ReturnBound",
        "sizes": "rlattack.evaluation.sizes:SizeQuantiles",
        "smoothed": "rlattack.evaluation.smoothed:SmoothedActions",
    },
    group="rlattack.observers",
)
"""Each is made of a cell and the seat that it looks at, see `Observer.of`."""


def check_observers(names: Sequence[str], policy: Policy, seat: Seat) -> None:
    """Checks that observers have something to say of who holds a seat.

    Raises:
        UnknownName: No such observer or parameter.
        InvalidInput: One says nothing of that policy, or a parameter that does not fit.
    """
    for text in names:
        kind, config = _read(text)
        name, needs = split_spec(text, OBSERVERS)[0], kind.needs
        if needs and not isinstance(Setting.of(policy, seat.observation).actions, tuple(needs)):
            raise InvalidInput(f"--observe {name}: expected a victim of {kinds(needs)} actions, {seat.name} has others")
        with told_by(f"--observe {name}"):
            kind.check(config, policy, seat)


def make_observers(cell: Cell) -> list[Observer]:
    """Those that a cell asks for, at its victim; sizes are measured too where an attack looks for the smallest."""
    seats = dict.fromkeys(cell.observers, cell.victim)
    for ref in cell.attacks:
        if not ATTACKS.get(ref.spec.name).sized:
            seats["sizes"] = ref.seat
    return [_made(text, cell, seat) for text, seat in seats.items()]


def code_of_observer(text: str) -> str:
    """Digest of what its numbers depend on: code that is not ours, and what it compares with; empty for most."""
    kind, config = _read(text)
    return " ".join(filter(None, [foreign_code(kind), kind.depends(config)]))


def over_all(names: Sequence[str], episodes: Sequence[SeatEpisode], lengths: Sequence[int]) -> dict[str, Mean]:
    """What observers say of all episodes of a seat together."""
    found: dict[str, Mean] = {}
    for text in names:
        kind, config = _read(text)
        found |= kind.over(config, episodes, lengths)
    return found


def configs_of(names: Sequence[str], kind: type[Observer]) -> list[Any]:
    """Parameters of those among observers that are of a kind."""
    return [config for of, config in map(_read, names) if of is kind]


def _made(text: str, cell: Cell, seat: int) -> Observer:
    kind, config = _read(text)
    return kind.of(cell, seat) if kind.config_type is NoParameters else kind.of(cell, seat, config)  # type: ignore[call-arg]  # as declared


def _read(text: str) -> tuple[type[Observer], Any]:
    """The class of an observer, and its parameters."""
    spec = parse_spec("observer", OBSERVERS, text)
    kind = OBSERVERS.get(spec.name)
    return kind, configured("observer", spec.name, kind, spec.parameters)
