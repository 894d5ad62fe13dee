"""When a pipeline fails: `--fail-if "win_drop > 0.1 and eps <= 0.05"`, read by a grammar of its own; nothing is run."""

import ast
import math
import operator
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from rlattack.errors import InvalidInput, UnknownName, nearest
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.plan import Plan
from rlattack.evaluation.results import Result
from rlattack.policies.placeholders import PLACEHOLDERS
from rlattack.report.comparison import cell_name
from rlattack.report.rows import Row, row

MEASURED = ("return", "win", "return_drop", "win_drop", "certified")
"""What has an interval, whose ends are `win_drop_low` and `win_drop_high`."""
NAMES = (
    *MEASURED, *(f"{name}_{end}" for name in MEASURED for end in ("low", "high")),
    "return_iqm", "action_change", "attacked_steps", "queries", "gradients", "length", "distinct", "eps",
)  # fmt: skip
"""What a condition may speak of; columns of the flat rows."""
_OF_ATTACKS = ("return_drop", "win_drop", "action_change", "attacked_steps", "eps")
"""What only a cell with an attack has."""
_LONGEST = 1000
_RETURN = "the_return"
"""What `return`, a keyword of Python, is called while it is read."""
_AS_IN = 'as in --fail-if "win_drop > 0.1"'
_CERTIFYING = ("certified", "smoothed")
"""Observers that measure `certified`."""
_COMPARES: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip
_Test = Callable[[Row], bool | None]
"""Whether something holds of a row; None where a number is missing that decides it."""
_Number = Callable[[Row], float | None]
_Kind = TypeVar("_Kind", Cell, Result)


@dataclass(frozen=True)
class Verdict:
    """What a condition says of one attacked cell.

    Attributes:
        holds: None where a number that decides it was not measured there.
        told: The condition, the cell, its numbers and their intervals, in a line.
    """

    cell: Result
    holds: bool | None
    told: str

    @property
    def fails(self) -> bool:
        """Whether a pipeline must fail for it: what cannot be decided is no pass."""
        return self.holds is not False


class Condition:
    """A condition on the numbers of a cell.

    Args:
        text: Comparisons of names and numbers, joined by `and` and `or`, in brackets where that is needed.

    Attributes:
        names: What it speaks of, in order.

    Raises:
        InvalidInput: Anything else.
        UnknownName: A name that no cell ever has.

    >>> Condition("win_drop > 0.1 and (eps <= 0.05 or return < 10)").names
    ('win_drop', 'eps', 'return')
    """

    def __init__(self, text: str) -> None:
        self.text, tree = text, _parsed(text)
        self._test = _boolean(tree, text)
        found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        self.names = tuple(dict.fromkeys(_named(node) for node in sorted(found, key=lambda node: node.col_offset)))

    def check(self, planned: Plan) -> None:
        """Refuses before anything is played what no cell of a plan can decide.

        Raises:
            InvalidInput: A name that none of its attacked cells will have, or no such cell.
        """
        cells = self._decisive(planned.cells)
        wins = any(len(cell.seats) > 1 or cell.game.card.win is not None for cell in cells)
        looks = any(name.partition(":")[0] in _CERTIFYING for cell in cells for name in cell.observers)
        attacks = any(cell.attacks for cell in cells)
        absent = ["win"] * (not wins) + ["certified"] * (not looks) + list(_OF_ATTACKS) * (not attacks)
        self._require([name for name in NAMES if not name.startswith(tuple(absent))])

    def verdicts(self, results: Sequence[Result]) -> list[Verdict]:
        """What it says of each attacked cell that is no control; those that failed have no numbers, and none.

        In a duel in which nothing is attacked, opponents are the attack.

        Raises:
            InvalidInput: A name that none of these cells has, or no such cell.
        """
        rows = [(cell, row(cell)) for cell in self._decisive(results) if cell.ok]
        if rows:
            self._require([name for name in NAMES if any(found[name] is not None for _, found in rows)])
        return [self._verdict(cell, found) for cell, found in rows]

    def _verdict(self, cell: Result, found: Row) -> Verdict:
        holds = self._test(found)
        verb = "cannot be decided" if holds is None else "holds" if holds else "does not hold"
        numbers = ", ".join(_shown(name, found) for name in self.names)
        return Verdict(
            cell, holds, f'--fail-if "{self.text}" {verb} in {cell_name(cell)} (cell {cell.cell}): {numbers}'
        )

    def _decisive(self, cells: Sequence[_Kind]) -> list[_Kind]:
        """Attacked cells that are no controls; in duels without any, games against others than `zero` and `random`."""
        if found := [cell for cell in cells if cell.attacks and not cell.control]:
            return found
        met = [cell for cell in cells if not cell.attacks and len(cell.seats) > 1]
        if found := [cell for cell in met if not any(name in PLACEHOLDERS for name in _players(cell))]:
            return found
        raise InvalidInput(f'--fail-if "{self.text}": expected cells that are attacked, got none; name an --attack')

    def _require(self, known: Sequence[str]) -> None:
        for name in self.names:
            if name not in known:
                raise InvalidInput(f'--fail-if "{self.text}": no attacked cell has {name}; expected {_listed(known)}')


def _players(cell: Cell | Result) -> list[str]:
    return [one.name for one in cell.players] if isinstance(cell, Cell) else [seat.player for seat in cell.seats]


def _parsed(text: str) -> ast.expr:
    words = _words(text)
    try:
        if not words or len(words) > _LONGEST:
            raise ValueError
        with warnings.catch_warnings(action="ignore"):  # of what is odd, but can be read
            return ast.parse(words, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        short = text if len(text) <= _LONGEST else f"{len(text):,} letters"
        raise InvalidInput(f"--fail-if: expected comparisons joined by and, or, {_AS_IN}; got {short!r}") from error


def _words(text: str) -> str:
    """The condition in a line, without the keyword."""
    return re.sub(r"\breturn\b", _RETURN, " ".join(text.split()))


def _boolean(node: ast.expr, text: str) -> _Test:
    """Reads comparisons that are joined."""
    if isinstance(node, ast.BoolOp):
        return _joined([_boolean(one, text) for one in node.values], decisive=isinstance(node.op, ast.Or))
    if isinstance(node, ast.Compare) and all(type(one) in _COMPARES for one in node.ops):
        sides = [_number(one, text) for one in (node.left, *node.comparators)]
        if any(isinstance(one, ast.Name) for one in (node.left, *node.comparators)):
            compares = [_COMPARES[type(one)] for one in node.ops]
            steps = [_compared(*two, by) for two, by in zip(pairwise(sides), compares, strict=True)]
            return _joined(steps, decisive=False)
    raise _refused(node, text)


def _joined(tests: Sequence[_Test], *, decisive: bool) -> _Test:
    """One of them that is `decisive` decides; else one that is not known leaves it open."""

    def test(found: Row) -> bool | None:
        held = [one(found) for one in tests]
        return decisive if decisive in held else None if None in held else not decisive

    return test


def _compared(left: _Number, right: _Number, by: Callable[[float, float], bool]) -> _Test:
    def test(found: Row) -> bool | None:
        one, other = left(found), right(found)
        return None if one is None or other is None else by(one, other)

    return test


def _number(node: ast.expr, text: str) -> _Number:
    """Reads a name or a number."""
    if isinstance(node, ast.Name):
        if (name := _named(node)) not in NAMES:
            raise UnknownName(f"--fail-if: expected {_listed(NAMES)}; got {name!r}{nearest(name, NAMES)}")
        return lambda found: _finite(found[name])
    sign = 1.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node, sign = node.operand, -1.0
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and value <= sys.float_info.max:
        constant = sign * value
        return lambda found: constant
    raise _refused(node, text)


def _listed(names: Sequence[str]) -> str:
    """Names, with the ends of intervals said once."""
    ends = [name for name in names if name.endswith("_low")]
    plain = [name for name in names if not name.endswith(("_low", "_high"))]
    return f"{', '.join(plain)}" + (f", or an end of an interval, as {ends[-1]}" if ends else "")


def _finite(value: object) -> float | None:
    """What is no number decides nothing."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _named(node: ast.Name) -> str:
    return "return" if node.id == _RETURN else node.id


def _refused(node: ast.expr, text: str) -> InvalidInput:
    part = (ast.get_source_segment(_words(text), node) or "").replace(_RETURN, "return")
    return InvalidInput(
        f'--fail-if "{text}": expected comparisons of a name and a number, joined by and, or, {_AS_IN}; got {part}'
    )


def _shown(name: str, found: Row) -> str:
    value, low, high = (_finite(found.get(column)) for column in (name, f"{name}_low", f"{name}_high"))
    if value is None:
        return f"{name} was not measured"
    return f"{name} is {value:.4g}" + ("" if low is None or high is None else f" [{low:.4g}, {high:.4g}]")
