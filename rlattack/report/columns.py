"""What a column of a table shows of cells: sizes, wins, returns, falls, what the judge and observers measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlattack.budget.words import counted, grey_levels, size_words
from rlattack.evaluation.results import Mean, Rate, Result
from rlattack.report.comparison import Setting, eps, spaces
from rlattack.report.values import Value, count, decimals, mean, number, percent, share


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
    wins = [rates("win rate" if setting.alone else f"{name} wins", _win(seat)) for seat, name in _seats(setting)]
    fall = rates("fall of win rate", _win_drop, "clean minus attacked, same episodes, in percentage points")
    if setting.alone:
        return [*_sizes(), *wins, means("mean return", _return(0)), fall, _RETURN_DROP, _ACTIONS_CHANGED]
    return [*_sizes(), *wins, rates("tie", _tie), fall, _ACTIONS_CHANGED, _LENGTH, _ENDINGS]


def details(setting: Setting) -> list[Column]:
    """What the judge and other observers measured, and the effort."""
    returns = [means(f"return of {name}", _return(seat)) for seat, name in _seats(setting)]
    rest = [rates("tie", _tie), rates("loss", lambda cell: cell.seats[0].loss)]
    return [
        *_sizes()[:1],
        *(rest if setting.alone else [*returns, _RETURN_DROP]),
        _iqm(setting.first.victim),
        *_JUDGED,
        *(_observed(setting, seat, name) for seat, name in _observations(setting)),
        *([_LENGTH, _ENDINGS] if setting.alone else []),
        DISTINCT,
        *_EFFORT,
        Column("cell", "its name in results.json and episodes.csv", lambda cells: [Value(cell.cell) for cell in cells]),
    ]


def budget_column() -> Column:
    """The size of a budget in few words, for where a table has no room for headings."""

    def words(cell: Result) -> Value:
        value, (reach, space) = eps(cell), spaces(cell)
        if value is None:
            return Value()
        unit = {"raw": "", "unit": "", "sigma": " sigma"}.get(space, f" {space}")
        return Value(size_words(value, reach, space) if counted(reach) else f"{reach} {value:g}{unit}")

    return Column("budget", "size of the perturbation", lambda cells: [words(cell) for cell in cells], budget=True)


def rates(title: str, of: Callable[[Result], Rate | None], hint: str = "with its 95 % Wilson interval") -> Column:
    """A column of shares in percent."""
    return Column(title, hint, lambda cells: [percent(of(cell)) for cell in cells])


def means(title: str, of: Callable[[Result], Mean | None], hint: str = "{}") -> Column:
    """A column of means, all with as many decimals."""

    def read(cells: Sequence[Result]) -> list[Value]:
        found = [of(cell) for cell in cells]
        places = decimals([one.mean for one, cell in zip(found, cells, strict=True) if one is not None and cell.ok])
        return [mean(one, places) for one in found]

    return Column(title, hint.format("with its 95 % BCa interval"), read)


def _sizes() -> list[Column]:
    def levels(cell: Result) -> Value:
        value = eps(cell)
        found = None if value is None else grey_levels(value, *spaces(cell))
        return Value() if found is None else Value(f"{found:.3g}", "", found)

    def sizes(cells: Sequence[Result]) -> list[Value]:
        return [number(eps(cell)) for cell in cells]

    return [
        Column("eps", "size of the perturbation per entry", sizes, budget=True),
        Column("grey levels", "eps × 255", lambda cells: [levels(cell) for cell in cells], budget=True),
    ]


def _plain(
    title: str, hint: str, of: Callable[[Result], float | None], show: Callable[[float], Value] = number
) -> Column:
    def read(cells: Sequence[Result]) -> list[Value]:
        return [Value() if (value := of(cell)) is None else show(value) for cell in cells]

    return Column(title, hint, read)


def _rare(title: str, hint: str, of: Callable[[Result], int]) -> Column:
    """A column of what mostly does not happen: left out where it never did."""

    def read(cells: Sequence[Result]) -> list[Value]:
        found = [of(cell) for cell in cells]
        return [count(value) if any(found) else Value() for value in found]

    return Column(title, hint, read)


def _iqm(victim: int) -> Column:
    def read(cells: Sequence[Result]) -> list[Value]:
        found = [cell.seats[victim].returns for cell in cells]
        places = decimals([one.mean for one in found])
        return [number(one.iqm, places) for one in found]

    return Column("IQM", "interquartile mean of the returns", read)


def _observations(setting: Setting) -> list[tuple[int, str]]:
    """Seats and names of what observers collected."""
    found = [(seat, name) for cell in setting.results for seat, of in enumerate(cell.seats) for name in of.observed]
    return sorted(dict.fromkeys(found))


def _observed(setting: Setting, seat: int, name: str) -> Column:
    words = name.replace("_", " ") + ("" if setting.alone else f" of {setting.first.seats[seat].name}")
    return means(words, lambda cell: cell.seats[seat].observed.get(name), "mean of an episode, {}")


def _endings(cell: Result) -> Value:
    counts = sorted(cell.endings.items(), key=lambda item: -item[1])
    return Value(", ".join(f"{name or '?'} {count}" for name, count in counts) or "–")


def _seats(setting: Setting) -> list[tuple[int, str]]:
    return [(number, seat.name) for number, seat in enumerate(setting.first.seats)]


def _win(seat: int) -> Callable[[Result], Rate | None]:
    return lambda cell: cell.seats[seat].win


def _return(seat: int) -> Callable[[Result], Mean | None]:
    return lambda cell: cell.seats[seat].returns


def _tie(cell: Result) -> Rate | None:
    return cell.seats[cell.victim].tie


def _win_drop(cell: Result) -> Rate | None:
    return None if cell.attacked.drop is None else cell.attacked.drop.win


def _return_drop(cell: Result) -> Mean | None:
    return None if cell.attacked.drop is None else cell.attacked.drop.returns


def _largest(cell: Result) -> float | None:
    if (attack := cell.attack) is None:
        return None
    return cell.attacked.sizes.get(f"action {attack.reach}" if attack.access == "action" else attack.reach or "")


def _radius(cell: Result) -> float | None:
    return None if cell.attack is None else cell.attack.radius


def _queries(cell: Result) -> float | None:
    return cell.attacked.queries if cell.attacks else None


def _gradients(cell: Result) -> float | None:
    return cell.attacked.gradients if cell.attacks else None


_LENGTH = means("length", lambda cell: cell.length, "mean steps of an episode, {}")
_ENDINGS = Column("endings", "how many episodes ended how", lambda cells: [_endings(cell) for cell in cells])
_RETURN_DROP = means("fall of return", _return_drop, "clean minus attacked, same episodes")
_ACTIONS_CHANGED = _plain(
    "actions changed", "how much its most likely action moved, a step", lambda cell: cell.attacked.action_change, share
)
_JUDGED = [
    _plain(
        "attacked", "steps in which it saw something else than the game showed", lambda c: c.attacked.attacked, share
    ),
    _plain("radius", "what the budget allows, in its norm", _radius),
    _plain("largest", "largest size that the judge measured", _largest),
    _plain("queries", "outputs of the victim that were asked for, a step", _queries),
    _plain("gradients", "backward passes, a step", _gradients),
]
DISTINCT = _plain("distinct", "episodes that went differently", lambda cell: cell.distinct, count)
_EFFORT = [
    _rare("stalled", "episodes stopped for lack of reward", lambda cell: cell.stalled),
    _rare("truncated", "episodes cut by the time limit, or because the simulation broke", lambda cell: cell.truncated),
    _rare("unstable", "episodes in which the simulation broke down", lambda cell: cell.unstable),
    _plain("steps", "of all episodes", lambda cell: cell.steps, count),
    _plain("steps/s", "steps a second of a worker", lambda cell: cell.steps_per_second),
]
