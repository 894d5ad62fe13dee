"""What a column of a table shows of cells: sizes, wins, returns, falls, what the judge and observers measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlattack.budget.words import counted, grey_levels, size_words
from rlattack.evaluation.likeness import DOES
from rlattack.evaluation.results import Mean, Rate, Result
from rlattack.report.comparison import Setting
from rlattack.report.values import Value, decimals, mean, number, percent, share


@dataclass(frozen=True)
class Column:
    """What one column shows.

    Attributes:
        title: Above it.
        hint: What its numbers are.
        read: Gives the values of some cells, a value a cell.
        budget: Whether it tells what was done in a cell, and not what came of it; failed cells show it too.
    """

    title: str
    hint: str
    read: Callable[[Sequence[Result]], list[Value]]
    budget: bool = False


def numbers(setting: Setting) -> list[Column]:
    """What most readers want."""
    names = [seat.name for seat in setting.first.seats]
    timed = any(attack.schedule != "every" for cell in setting.results for attack in cell.attacks)
    more = [_ATTACKED] if timed else []
    more += [_observed(setting, seat, DOES) for seat in _compared(setting)]
    wins = [rates("win rate" if setting.alone else f"{name} wins", _win(seat)) for seat, name in enumerate(names)]
    if setting.alone:
        return [*_SIZES, *wins, means("mean return", _return(0)), _WIN_DROP, _RETURN_DROP, *more, _ACTIONS_CHANGED]
    return [*_SIZES, *wins, _TIE, _WIN_DROP, *more, _ACTIONS_CHANGED, _LENGTH, _ENDINGS]


def details(setting: Setting) -> list[Column]:
    """What the judge and other observers measured, and the effort."""
    returns = [means(f"return of {seat.name}", _return(number)) for number, seat in enumerate(setting.first.seats)]
    rest = [_TIE, rates("loss", lambda cell: cell.victim_seat.loss)] if setting.alone else [*returns, _RETURN_DROP]
    of_seats = ((seat, name) for cell in setting.results for seat, of in enumerate(cell.seats) for name in of.observed)
    first = {(seat, DOES) for seat in _compared(setting)}
    observed = [_observed(setting, seat, name) for seat, name in sorted(set(of_seats) - first)]
    length = [_LENGTH, _ENDINGS] if setting.alone else []
    return [_SIZES[0], *rest, _IQM, *_JUDGED, *observed, *length, DISTINCT, *_EFFORT, _CELL]


def rates(title: str, of: Callable[[Result], Rate | None], hint: str = "with its 95 % Wilson interval") -> Column:
    """A column of shares in percent."""
    return _each(title, hint, lambda cell: percent(of(cell)))


def means(title: str, of: Callable[[Result], Mean | None], hint: str = "{}") -> Column:
    """A column of means, all with as many decimals."""

    def read(cells: Sequence[Result]) -> list[Value]:
        found = [of(cell) for cell in cells]
        places = decimals([one.mean for one, cell in zip(found, cells, strict=True) if one is not None and cell.ok])
        return [mean(one, places) for one in found]

    return Column(title, hint.format("with its 95 % BCa interval"), read)


def _each(title: str, hint: str, of: Callable[[Result], Value], *, budget: bool = False) -> Column:
    return Column(title, hint, lambda cells: [of(cell) for cell in cells], budget)


def _rare(title: str, hint: str, of: Callable[[Result], int]) -> Column:
    """A column of what mostly does not happen: left out where it never did."""
    return Column(
        title, hint, lambda cells: [number(of(cell), 0) if any(map(of, cells)) else Value() for cell in cells]
    )


def _observed(setting: Setting, seat: int, name: str) -> Column:
    words = name.replace("_", " ") + ("" if setting.alone else f" of {setting.first.seats[seat].name}")
    return means(words, lambda cell: cell.seats[seat].observed.get(name), "mean of an episode, {}")


def _compared(setting: Setting) -> list[int]:
    """Seats whose play is compared with that of somebody else."""
    return sorted({seat for cell in setting.results for seat, of in enumerate(cell.seats) if DOES in of.observed})


def _budget(cell: Result) -> Value:
    """The sizes of all attacks, each once."""
    sized = [(one.eps, one.reach or "", one.space or "") for one in cell.attacks if one.eps is not None]
    return Value(" + ".join(dict.fromkeys(_size(*one) for one in sized))) if sized else Value()


def _size(eps: float, reach: str, space: str) -> str:
    unit = {"raw": "", "unit": "", "sigma": " sigma"}.get(space, f" {space}")
    return size_words(eps, reach, space) if counted(reach) else f"{reach} {eps:g}{unit}"


def _levels(cell: Result) -> Value:
    found = None if cell.eps is None else grey_levels(cell.eps, *cell.spaces)
    return Value() if found is None else Value(f"{found:.3g}", "", found)


def _iqm(cells: Sequence[Result]) -> list[Value]:
    found = [cell.victim_seat.returns for cell in cells]
    places = decimals([one.mean for one in found])
    return [number(one.iqm, places) for one in found]


def _endings(cell: Result) -> Value:
    counts = sorted(cell.endings.items(), key=lambda item: -item[1])
    return Value(", ".join(f"{name or '?'} {count}" for name, count in counts) or "–")


def _win(seat: int) -> Callable[[Result], Rate | None]:
    return lambda cell: cell.seats[seat].win


def _return(seat: int) -> Callable[[Result], Mean | None]:
    return lambda cell: cell.seats[seat].returns


def _moved(cell: Result) -> Value:
    """A dash where actions themselves, or the world, are attacked: what the player chose is then as it was."""
    chose = not cell.attacks or any(attack.access not in ("action", "dynamics") for attack in cell.attacks)
    return share(cell.attacked.action_change if chose else None)


def _largest(cell: Result) -> Value:
    if (attack := cell.attack) is None:
        return Value()
    name = f"action {attack.reach}" if attack.access == "action" else attack.reach or ""
    return number(cell.attacked.sizes.get(name))


BUDGET = _each("budget", "size of the perturbation", _budget, budget=True)
"""The size in few words, for where a table has no room for headings."""
_SIZES = [
    _each("eps", "size of the perturbation per entry", lambda cell: number(cell.eps), budget=True),
    _each("grey levels", "eps × 255", _levels, budget=True),
]
_LENGTH = means("length", lambda cell: cell.length, "mean steps of an episode, {}")
_ENDINGS = _each("endings", "how many episodes ended how", _endings)
_TIE = rates("tie", lambda cell: cell.victim_seat.tie)
_WIN_DROP = rates(
    "fall of win rate", lambda cell: cell.attacked.drop.win if cell.attacked.drop else None,
    "clean minus attacked, same episodes, in percentage points",
)  # fmt: skip
_RETURN_DROP = means(
    "fall of return", lambda cell: cell.attacked.drop.returns if cell.attacked.drop else None,
    "clean minus attacked, same episodes",
)  # fmt: skip
_ACTIONS_CHANGED = _each(
    "actions changed", "how much its most likely action moved, a step, where what it sees is attacked", _moved
)
_IQM = Column("IQM", "interquartile mean of the returns", _iqm)
_ATTACKED = _each(
    "attacked", "steps in which it saw something else than the game showed", lambda c: share(c.attacked.attacked)
)
_JUDGED = [
    _ATTACKED,
    _each("radius", "what the budget allows, in its norm", lambda c: number(c.attack.radius if c.attack else None)),
    _each("largest", "largest size that the judge measured", _largest),
    _each(
        "queries", "outputs of the victim that were asked for, a step",
        lambda c: number(c.attacked.queries if c.attacks else None),
    ),
    _each("gradients", "backward passes, a step", lambda c: number(c.attacked.gradients if c.attacks else None)),
]  # fmt: skip
DISTINCT = _each("distinct", "episodes that went differently", lambda cell: number(cell.distinct, 0))
_EFFORT = [
    _rare("stalled", "episodes stopped for lack of reward", lambda cell: cell.stalled),
    _rare("truncated", "episodes cut by the time limit, or because the simulation broke", lambda cell: cell.truncated),
    _rare("unstable", "episodes in which the simulation broke down", lambda cell: cell.unstable),
    _each("steps", "of all episodes", lambda cell: number(cell.steps, 0)),
    _each("steps/s", "steps a second of a worker", lambda cell: number(cell.steps_per_second)),
]
_CELL = _each("cell", "its name in results.json and episodes.csv", lambda cell: Value(cell.cell))
