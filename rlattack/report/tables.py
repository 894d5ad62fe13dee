"""Cells as rows of text: one layout for games of any number of seats, for the page and the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rlattack.budget.words import heading, place
from rlattack.evaluation.results import Result
from rlattack.report.columns import Column
from rlattack.report.comparison import Pairing, Setting, attack_label, hidden, names
from rlattack.report.values import Value


@dataclass(frozen=True)
class Row:
    """One cell of the run.

    Attributes:
        label: The attack, or who plays where nothing is attacked.
        line: Name of its line in the curves, where it is on one.
        status: Empty when the cell is good; a failed one shows no numbers.
    """

    label: str
    line: str
    control: bool
    status: str
    values: list[Value]


@dataclass(frozen=True)
class Group:
    """Cells whose sizes compare.

    Attributes:
        who: Who plays and what is attacked or hidden; empty where that goes without saying.
        what: What the sizes count.
    """

    who: str
    what: str
    rows: list[Row] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Both in one line."""
        return "; ".join(filter(None, (self.who, self.what)))


@dataclass(frozen=True)
class Table:
    """Columns in which something was measured, and their rows by group.

    Attributes:
        widths: Characters of the longest interval in each column, to set values below each other.
    """

    columns: list[Column]
    widths: list[int]
    groups: list[Group]

    @property
    def rows(self) -> list[Row]:
        """The rows of all groups."""
        return [row for group in self.groups for row in group.rows]

    @property
    def starred(self) -> bool:
        """Whether an interval has a star."""
        return any(value.interval.endswith("*") for row in self.rows if not row.status for value in row.values)


def table(setting: Setting, columns: Sequence[Column]) -> Table:
    """Lays cells out: those without an attack, then each pairing by norm, attacks before controls, small sizes first.

    Where there are several pairings, the cell without an attack is repeated above each.
    """
    clean = _clean_groups(setting)
    laid = [*clean, *(group for pairing in setting.pairings for group in _attacked_groups(setting, pairing))]
    cells = list({id(cell): cell for _, members in laid for cell in members}.values())
    found = [(column, column.read(cells)) for column in columns]
    shown = [(column, values) for column, values in found if any(value.known for value in values)]
    by_cell = {id(cell): [values[place] for _, values in shown] for place, cell in enumerate(cells)}
    groups = [
        Group(group.who, group.what, [_row(cell, by_cell[id(cell)], met=place < len(clean)) for cell in members])
        for place, (group, members) in enumerate(laid)
    ]
    widths = [max(len(values[place].interval) for values in by_cell.values()) for place in range(len(shown))]
    return Table([column for column, _ in shown], widths, groups)


def _clean_groups(setting: Setting) -> list[tuple[Group, list[Result]]]:
    """Cells without an attack by what is hidden from whom."""
    by_mask: dict[str, list[Result]] = {}
    for cell in setting.clean:
        by_mask.setdefault(hidden(cell), []).append(cell)
    if not any(by_mask):
        return [(Group("", "No attack"), cells) for cells in by_mask.values()]
    return [(Group(f"No attack; {mask or 'nothing is hidden'}", ""), cells) for mask, cells in by_mask.items()]


def _attacked_groups(setting: Setting, pairing: Pairing) -> list[tuple[Group, list[Result]]]:
    """Attacks and controls of one pairing by what their sizes count."""
    who = setting.about(pairing)
    found: dict[tuple[str, str], list[Result]] = {}
    for cell in sorted(
        pairing.attacked, key=lambda c: (place(c.spaces[0]), *c.spaces, c.control, attack_label(c), c.eps or 0.0)
    ):
        found.setdefault(cell.spaces, []).append(cell)
    above = [] if pairing.clean is None or len(setting.pairings) == 1 else [pairing.clean]
    return [
        (Group(who, heading(reach, space) if reach else "Without a size"), [*above, *cells])
        for (reach, space), cells in found.items()
    ]


def _row(cell: Result, values: list[Value], *, met: bool) -> Row:
    """One row; of cells without an attack, by who met there, where there are several seats."""
    label = names(cell) if met and len(cell.seats) > 1 else attack_label(cell)
    return Row(label, attack_label(cell), cell.control, "" if cell.ok else cell.status, values)
