"""The members of ensembles as a table: what each left the victim in tuning episodes, and what it cost."""

from collections.abc import Sequence

from rlattack.attacks.ensemble import Ensemble
from rlattack.evaluation.results import Result
from rlattack.report.columns import Column
from rlattack.report.comparison import Setting, attack_label, names, size
from rlattack.report.tables import Group, Row, Table
from rlattack.report.values import Value, decimals, number

_COLUMNS = {
    "left": "what is left to the victim, the mean return of tuning episodes, by which nothing else is measured",
    "queries": "outputs of the victim that were asked for, a step",
    "gradients": "backward passes, a step",
    "learned in": "steps of the victim from which it learned before",
}


def members(setting: Setting) -> Table | None:
    """Lays out the members of every ensemble of a setting; None where there is none."""
    found = [(cell, one.ensemble) for cell in setting.good for one in cell.attacks if one.ensemble is not None]
    if not found:
        return None
    columns = [Column(title, hint, _unread) for title, hint in _COLUMNS.items()]
    return Table(columns, [0] * len(columns), [_group(setting, *one) for one in found])


def member_lines(setting: Setting) -> list[str]:
    """The same in a sentence an ensemble."""
    laid = members(setting)
    return [
        f"{group.title}: {', '.join(f'{row.label} {row.values[0]}' for row in group.rows)}"
        for group in ([] if laid is None else laid.groups)
    ]


def _group(setting: Setting, cell: Result, found: Ensemble) -> Group:
    places = decimals([one.returns for one in found.members])
    rows = [
        Row(
            one.attack + " (plays)" * (one.attack == found.plays), "", False, "",
            [number(one.returns, places), number(one.queries), number(one.gradients), number(one.learned_in, 0)],
        )
        for one in found.members
    ]  # fmt: skip
    who = "" if setting.alone else f"{names(cell)}: "
    what = f"{who}{attack_label(cell)} at {size(cell)}, what {found.episodes} tuning episodes left the victim"
    return Group("", what, rows)


def _unread(cells: Sequence[Result]) -> list[Value]:
    raise AssertionError("the values of members are laid out already")
