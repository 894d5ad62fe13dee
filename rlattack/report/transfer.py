"""What attacks that were crafted on one agent do to another: rows are victims, columns what they were crafted on.

The matrices of Huang et al. 2017 (sec. 4.2: transfer over policies and algorithms), beside the control.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from rlattack.evaluation.results import Mean, Rate, Result, SeatResult
from rlattack.report.comparison import Pairing, Setting, at, attack_label, hidden, names, player
from rlattack.report.heatmap import Square, draw_squares

_ITSELF, _CONTROL = "the victim itself", "control: "
_BARE = "the bare victim (oblivious)"
_FEWEST = 2
"""Attacks that make a matrix, where one of them was crafted on somebody else."""


@dataclass(frozen=True)
class Transfer:
    """One attack at one size, by whom it was crafted on and whom it was played against.

    Attributes:
        title: The attack and its size.
        rows: Victims.
        columns: What it was crafted on, then the control.
        cells: By row and column.
    """

    title: str
    rows: list[str]
    columns: list[str]
    cells: dict[tuple[int, int], Result]


@dataclass(frozen=True)
class _Met:
    """A cell of a matrix: who the victim is, with and without whom it meets, and what the attack was crafted on."""

    row: str
    victim: str
    crafted_on: str
    cell: Result


def transfers(settings: Sequence[Setting]) -> list[Transfer]:
    """The attacks of a run that were crafted on several agents or played against several, one a size."""
    found: dict[object, list[_Met]] = {}
    for setting in settings:
        for pairing in setting.pairings:
            for cell in pairing.good:
                if not cell.control:
                    found.setdefault(_asked(setting, cell), []).extend(_met(setting, pairing, cell))
    return [_laid(of) for of in found.values() if _compares([one.cell for one in of if not one.cell.control])]


def _compares(attacks: Sequence[Result]) -> bool:
    """Whether there is something to lay beside what was crafted on somebody else."""
    return len(attacks) >= _FEWEST and any(map(_surrogate, attacks))


def transfer_map(laid: Transfer) -> Figure:
    """Draws it, for `rlattack.report.curves.svg` or `png`: the darker, the more harm."""
    falls = {place: fall for place, cell in laid.cells.items() if (fall := _fall(cell)) is not None}
    squares = {place: _square(laid.cells[place].attacked, fall) for place, fall in falls.items()}
    most = max([1e-9, *(square.value for square in squares.values())])
    what = "fall of win rate" if any(isinstance(fall, Rate) for fall in falls.values()) else "fall of return"
    return draw_squares(laid.rows, laid.columns, squares, ("victim", "crafted on", what), most=most)


def written(laid: Transfer) -> list[list[str]]:
    """What is left of each victim, and by how much it fell, a row a victim; a dash where nothing was played."""
    texts = {}
    for place, cell in laid.cells.items():
        if (fall := _fall(cell)) is not None:
            square = _square(cell.attacked, fall)
            texts[place] = f"{square.text} ({square.rest})"
    return [[texts.get((row, column), "–") for column in range(len(laid.columns))] for row in range(len(laid.rows))]


def _square(after: SeatResult, fall: Rate | Mean) -> Square:
    if isinstance(fall, Rate) and after.win is not None:
        return Square(max(fall.rate, 0.0), f"{100 * after.win.rate:.0f} %", f"fell {100 * fall.rate:.0f}")
    return Square(max(fall.value, 0.0), f"{after.returns.mean:.4g}", f"fell {fall.value:.3g}")


def _laid(of: Sequence[_Met]) -> Transfer:
    """Lays cells out; an attack on the victim itself stands below its name where others were crafted on it too."""
    named = {one.crafted_on for one in of}
    places = [(one.row, one.crafted_on or (one.victim if one.victim in named else _ITSELF)) for one in of]
    rows, columns = (list(dict.fromkeys(place[axis] for place in places)) for axis in (0, 1))
    columns.sort(key=lambda name: name.startswith(_CONTROL))  # which is the last
    first = next(one.cell for one in of if not one.cell.control)
    cells = {(rows.index(r), columns.index(c)): one.cell for (r, c), one in zip(places, of, strict=True)}
    return Transfer(f"{_label(first)}{at(first)}", rows, columns, cells)


def _met(setting: Setting, pairing: Pairing, cell: Result) -> list[_Met]:
    """A cell, and its control."""
    victim = player(cell, cell.seats.index(cell.attacked))
    row = victim if setting.alone else "; ".join(filter(None, [names(cell), hidden(cell)]))
    found = [_Met(row, victim, _surrogate(cell).removeprefix(f"{cell.game}/"), cell)]
    if (control := pairing.control(cell)) is not None:
        found.append(_Met(row, victim, f"{_CONTROL}{control.attacks[0].name}", control))
    return found


def _surrogate(cell: Result) -> str:
    found = (attack for attack in cell.attacks if attack.surrogate)
    return next((_BARE if attack.oblivious else attack.surrogate or "" for attack in found), "")


def _label(cell: Result) -> str:
    """The attack without what it was crafted on."""
    attacks = tuple(dataclasses.replace(attack, surrogate=None, oblivious=False) for attack in cell.attacks)
    return attack_label(dataclasses.replace(cell, attacks=attacks))


def _asked(setting: Setting, cell: Result) -> tuple[object, ...]:
    """What cells of a matrix share; victims of a game of one seat may choose their actions differently."""
    own = ("victim", "actions") if setting.alone else ()
    protocol = {name: value for name, value in setting.key.items() if name not in own}
    return repr(protocol), _label(cell), cell.eps, cell.spaces


def _fall(cell: Result) -> Rate | Mean | None:
    """How far the attacked seat fell: by rules of its own its win rate, else its return."""
    drop = cell.attacked.drop
    if drop is None:
        return None
    by_rules = cell.win_rule is not None and cell.win_rule.rule == "game"
    return drop.win if by_rules and drop.win is not None else drop.returns
