"""Lines of cells that differ in one number: the budget, how often an attack acts, how much it asks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from rlattack.budget.words import place
from rlattack.evaluation.results import AttackResult, Result
from rlattack.report.comparison import at, attack_label


@dataclass(frozen=True)
class Axis:
    """A number that lines are drawn against.

    Attributes:
        title: Above the curves.
        label: Below them; empty where the reach of a line says it.
        tag: Its name in TensorBoard; empty where the reach of a line says it.
        unit: What a step of TensorBoard counts, so many to one of the number.
        measured: The number of a cell, as it was measured.
        rest: An attack without the number that was asked for, by which a line is named; None where it has none.
        least: Cells that a line has at least.
    """

    title: str
    label: str
    tag: str
    unit: tuple[str, int]
    measured: Callable[[Result], float]
    rest: Callable[[AttackResult], AttackResult | None]
    least: int = 2


@dataclass(frozen=True)
class Line:
    """Cells that differ in nothing but one number.

    Attributes:
        label: The attack with its parameters.
        control: Whether attacks are read beside it.
        cells: From the smallest number to the largest.
    """

    label: str
    reach: str
    space: str
    control: bool
    axis: Axis
    cells: tuple[Result, ...]

    def at(self, cell: Result) -> float:
        """Where a cell stands on the line."""
        return self.axis.measured(cell)


def _sized(attack: AttackResult) -> AttackResult | None:
    return None if attack.eps is None else attack


def _any_share(attack: AttackResult) -> AttackResult | None:
    name, _, rest = attack.schedule.partition(":")
    parameters = rest.split(",")
    kept = [text for text in parameters if not text.startswith("share=")]
    return None if kept == parameters else replace(attack, schedule=":".join(filter(None, [name, ",".join(kept)])))


def _any_queries(attack: AttackResult) -> AttackResult | None:
    kept = {key: value for key, value in attack.parameters.items() if key != "queries"}
    return None if kept == attack.parameters else replace(attack, parameters=kept)


BUDGET = Axis("Against the budget", "", "", ("", 0), lambda cell: cell.eps or 0.0, _sized, least=1)
SHARE = Axis(
    "Against the share of steps that are attacked", "share of steps attacked", "share",
    ("thousandths of the steps", 1000), lambda cell: cell.attacked.attacked or 0.0, _any_share,
)  # fmt: skip
QUERIES = Axis(
    "Against the questions asked", "queries a step", "queries", ("queries a step", 1),
    lambda cell: cell.attacked.queries, _any_queries,
)  # fmt: skip
AXES = BUDGET, SHARE, QUERIES


def lines(axis: Axis, cells: Iterable[Result]) -> list[Line]:
    """Lines against a number, by what is counted, attacks before controls; cells without the number are on none.

    Args:
        axis: The number.
        cells: Of the same players, and good.
    """
    cells = list(cells)
    several = axis is not BUDGET and len({cell.eps for cell in cells}) > 1
    found: dict[tuple[str, str, str], list[Result]] = {}
    for cell in cells:
        first, *others = cell.attacks
        if (rest := axis.rest(first)) is not None:
            label = attack_label(replace(cell, attacks=(rest, *others))) + at(cell) * several
            found.setdefault((label, *cell.spaces), []).append(cell)
    drawn = [
        Line(*about, same[0].control, axis, tuple(sorted(same, key=axis.measured)))
        for about, same in found.items()
        if len(same) >= axis.least
    ]
    return sorted(drawn, key=lambda line: (place(line.reach), line.reach, line.space, line.control))
