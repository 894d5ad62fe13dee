"""Robust against what: rows are victims, columns what was done to them, with the mean over what none was trained for.

After Kang et al. 2019, who train against one kind of attack and test against others, and Hendrycks et al. 2021.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from matplotlib.figure import Figure

from rlattack.budget import NORMS
from rlattack.budget.words import counted, size_words
from rlattack.evaluation.results import AttackResult, Mean, Rate, Result
from rlattack.evaluation.statistics import average, difference
from rlattack.policies.claim import Claim
from rlattack.report.comparison import Setting, attack_label, full_name, names, opponents, player
from rlattack.report.foreseen import Kind, foreseen, least_foreseen
from rlattack.report.heatmap import Square, draw_squares
from rlattack.report.values import decimals, mean, percent

SCHEMA = "rlattack/matrix/1"
FILE = "matrix.json"
_MARKS: Mapping[Kind, str] = {"foreseen": "†", "larger": "‡", "unforeseen": ""}
LEGEND = (
    "† its training met such: attacks in that norm up to that size, or that natural change; ‡ such, but larger than in "
    "its training. Unforeseen is the mean over all others, and beside it that of the undefended victim over the same."
)
_CLEAN, _BELOW = "nothing", "below the best clean one"

Estimate = Rate | Mean


@dataclass(frozen=True)
class Met:
    """What is left of a victim under one attack, and whether its training met such."""

    left: Estimate
    kind: Kind


@dataclass(frozen=True)
class Row:
    """One victim.

    Attributes:
        claim: What it was trained to stand; None where its card says nothing of that.
        bare: Whether nothing defends it, no training and no front.
        met: What is left of it, by the number of the column.
        cost: By how much it is below the undefended victim where nothing is attacked; None where there is none.
        unforeseen: Mean over the attacks of kinds that its training did not meet; None where there were none.
        beside: The same mean of the undefended victim: over the same attacks.
    """

    name: str
    claim: Claim | None
    bare: bool
    clean: Estimate | None
    met: Mapping[int, Met]
    cost: Estimate | None = None
    unforeseen: Estimate | None = None
    beside: Estimate | None = None

    @property
    def worst(self) -> int | None:
        """The column that leaves least of it; None where nothing was played."""
        return min(self.met, key=lambda column: self.met[column].left.value, default=None)


@dataclass(frozen=True)
class Matrix:
    """Victims by attacks, on the same episodes.

    Attributes:
        rows: In the order in which they were named.
        columns: Attacks with their sizes and, in a game of several seats, opponents.
    """

    title: str
    rows: tuple[Row, ...]
    columns: tuple[str, ...]

    @property
    def defended(self) -> bool:
        """Whether a victim of it has a defence."""
        return any(not row.bare for row in self.rows)

    @property
    def undefended(self) -> Row | None:
        """The first victim without a defence."""
        return next((row for row in self.rows if row.bare), None)


def matrices(settings: Sequence[Setting]) -> list[Matrix]:
    """Matrices of several victims that met the same attacks, one a game and protocol.

    Attacks that were crafted on somebody else are left out: those are in the matrix of transfer. So are controls, which
    stand beside attacks in the tables, and cells that failed.
    """
    found: dict[str, list[Result]] = {}
    for setting in settings:
        cells = (cell for cell in setting.good if not cell.control and _on_the_victim(cell))
        found.setdefault(_protocol(setting), []).extend(cells)
    laid = (_laid(cells) for cells in found.values() if any(not cell.clean for cell in cells))
    return [one for one in laid if len(one.rows) > 1 and (len(one.columns) > 1 or one.defended)]


def notes(laid: Matrix) -> list[str]:
    """Says in a line each what a matrix leaves out, and why."""
    if laid.defended and laid.undefended is None:
        return [
            "No victim without a defence is among these, so what a defence costs in clean play is not known: name one "
            "by --victim, too."
        ]
    return []


def written(laid: Matrix) -> list[list[str]]:
    """The matrix as text, a row a victim below the headings; columns of which nothing is known are left out."""
    say = _words(laid)
    heads = ["", "trained to stand", "clean", "cost", "worst", "unforeseen", "undefended there", *laid.columns]
    rows = [heads, *(_line(row, laid, say) for row in laid.rows)]
    apart = laid.defended  # else all is unforeseen to all
    kept = [
        place for place, head in enumerate(heads)
        if any(row[place] for row in rows[1:]) and (apart or head not in ("unforeseen", "undefended there"))
    ]  # fmt: skip
    return [[row[place] or "–" * bool(number) for place in kept] for number, row in enumerate(rows)]


def matrix_map(laid: Matrix) -> Figure:
    """Draws it, for `rlattack.report.curves.svg` or `png`: the darker, the further below the best clean score."""
    say, squares = _words(laid), {}
    best = max([row.clean.value for row in laid.rows if row.clean is not None], default=0.0)
    for number, row in enumerate(laid.rows):
        if row.clean is not None:
            squares[number, 0] = Square(max(best - row.clean.value, 0.0), say(row.clean).split(" [")[0], "clean")
        for column, met in row.met.items():
            text = say(met.left).split(" [")[0] + _mark(row, met)
            told = met.kind if row.claim is not None else ""
            squares[number, column + 1] = Square(max(best - met.left.value, 0.0), text, told)
    most = max([1e-9, *(square.value for square in squares.values())])
    names_ = ("victim", "what is done to it", _BELOW)
    return draw_squares([row.name for row in laid.rows], [_CLEAN, *laid.columns], squares, names_, most=most)


def content(found: Sequence[Matrix]) -> dict[str, Any]:
    """Matrices as they stand in `matrix.json`."""
    return {
        "schema": SCHEMA,
        "matrices": [{**asdict(one), "rows": [_row(row, one) for row in one.rows]} for one in found],
    }


def first_numbers(row: Row) -> dict[str, float]:
    """The numbers of a row that are looked at first, by tag."""
    worst = None if row.worst is None else row.met[row.worst].left
    told = {"clean": row.clean, "cost": row.cost, "worst": worst, "unforeseen": row.unforeseen}
    return {f"matrix/{tag}": one.value for tag, one in told.items() if one is not None}


def _line(row: Row, laid: Matrix, say: "Callable[[Estimate | None], str]") -> list[str]:
    worst = "" if row.worst is None else f"{say(row.met[row.worst].left)} {laid.columns[row.worst]}"
    left = [row.met.get(column) for column in range(len(laid.columns))]
    cells = ["" if met is None else say(met.left) + _mark(row, met) for met in left]
    claim = "" if row.claim is None else row.claim.words
    return [row.name, claim, say(row.clean), say(row.cost), worst, say(row.unforeseen), say(row.beside), *cells]


def _mark(row: Row, met: Met) -> str:
    return "" if row.claim is None else _MARKS[met.kind]


def _row(row: Row, laid: Matrix) -> dict[str, Any]:
    """A row as it is written, with what it met by name."""
    met = {laid.columns[column]: asdict(one) for column, one in row.met.items()}
    return {**asdict(row), "met": met, "worst": None if row.worst is None else laid.columns[row.worst]}


def _words(laid: Matrix) -> "Callable[[Estimate | None], str]":
    """Writes estimates, all with as many decimals; nothing for none."""
    every = [one for row in laid.rows for one in (row.clean, *(met.left for met in row.met.values()))]
    places = decimals([one.value for one in every if one is not None])
    return lambda one: "" if one is None else str(percent(one) if isinstance(one, Rate) else mean(one, places))


def _protocol(setting: Setting) -> str:
    """What victims of a matrix share; in a game of one seat each may choose actions and have fronts in its own way."""
    own = ("victim", "actions", "defence") if setting.alone else ()
    return repr({name: value for name, value in setting.key.items() if name not in own})


def _on_the_victim(cell: Result) -> bool:
    """Whether all that is done is done to the victim, and was crafted on it as it is."""
    return all(one.seat == cell.victim_seat.name and one.surrogate is None for one in cell.attacks)


def _laid(cells: Sequence[Result]) -> Matrix:
    whom = list(dict.fromkeys(map(_whom, cells)))
    by_victim: dict[tuple[str, str], list[Result]] = {}
    for cell in cells:
        by_victim.setdefault(_victim(cell), []).append(cell)
    first = whom[0]
    columns = tuple(dict.fromkeys(_column(cell, first, len(whom)) for cell in cells if not _is_clean(cell, first)))
    rows = []
    for label, own in zip(_labels([of[0] for of in by_victim.values()]), by_victim.values(), strict=True):
        clean = next((_score(cell) for cell in own if _is_clean(cell, first)), None)
        met = {
            columns.index(_column(cell, first, len(whom))): Met(_score(cell), _kind(cell, first))
            for cell in own
            if not _is_clean(cell, first)
        }
        bare = own[0].claim is None and own[0].defence is None
        rows.append(Row(label, own[0].claim, bare, clean, dict(sorted(met.items()))))
    return Matrix(f"{cells[0].game}: robust against what?", _compared(rows), columns)


def _compared(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows with what they cost, and their means over what they did not foresee."""
    undefended = next((row for row in rows if row.bare), None)
    return tuple(_beside(row, undefended) for row in rows)


def _beside(row: Row, undefended: Row | None) -> Row:
    apart = [column for column, met in row.met.items() if met.kind == "unforeseen"]
    unforeseen = average([row.met[column].left for column in apart]) if apart else None
    row = replace(row, unforeseen=unforeseen)
    if row.bare or undefended is None or row.clean is None or undefended.clean is None:
        return row
    whole = apart and all(column in undefended.met for column in apart)
    beside = average([undefended.met[column].left for column in apart]) if whole else None
    return replace(row, cost=difference(undefended.clean, row.clean), beside=beside)


def _labels(cells: Sequence[Result]) -> list[str]:
    """A name a victim: as short as all of them can be and still differ."""
    ways = zip(*([_shortest(cell), _victim(cell)[0], ", ".join(_victim(cell))] for cell in cells), strict=True)
    return list(next(way for way in ways if len(set(way)) == len(cells)))


def _shortest(cell: Result) -> str:
    return player(cell, cell.victim) + _blind(cell)


def _victim(cell: Result) -> tuple[str, str]:
    """What tells a victim from others: its name, with what hides others from it, and how it acts."""
    return full_name(cell, cell.victim) + _blind(cell), cell.actions


def _blind(cell: Result) -> str:
    return "" if cell.mask is None else f", mask {cell.mask.seat}:{cell.mask.mode}"


def _whom(cell: Result) -> str:
    """Who holds the other seats; empty in a game of one."""
    return names(cell, opponents(cell), " and ")


def _is_clean(cell: Result, first: str) -> bool:
    """Whether nothing is done to the victim: it is not attacked, and meets whom it meets first."""
    return cell.clean and _whom(cell) == first


def _kind(cell: Result, first: str) -> Kind:
    """Of what is done in a cell: attacks, or an opponent other than the first."""
    met = [] if _whom(cell) == first else [_opponent(cell)]
    return least_foreseen([*met, *([foreseen(cell.claim, cell.attacks)] if cell.attacks else [])])


def _opponent(cell: Result) -> Kind:
    known = cell.claim.kinds if cell.claim else ()
    return "foreseen" if all(cell.seats[seat].player in known for seat in opponents(cell)) else "unforeseen"


def _column(cell: Result, first: str, several: int) -> str:
    whom = _whom(cell)
    if cell.clean:
        return f"against {whom}"
    sizes = " + ".join(dict.fromkeys(filter(None, map(_size, cell.attacks))))
    return " ".join(filter(None, [attack_label(cell), sizes, f"against {whom}" * (several > 1)]))


def _size(attack: AttackResult) -> str:
    """`linf 0.01`, `4 pixels`, `bias 0.1 sigma`; empty without a size."""
    if attack.eps is None or attack.reach is None:
        return ""
    if counted(attack.reach):
        return size_words(attack.eps, attack.reach, attack.space or "")
    kind = attack.reach if attack.reach in NORMS else ""
    return f"{kind} {attack.eps:g}{' sigma' * (attack.space == 'sigma')}".strip()


def _score(cell: Result) -> Estimate:
    """The win rate where the game has a winner of its own, else the mean return."""
    seat, rule = cell.victim_seat, cell.win_rule
    return seat.win if rule is not None and rule.rule == "game" and seat.win is not None else seat.returns
