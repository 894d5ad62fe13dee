"""What is certain of a victim, size by size, beside the best attack of that size and the worst that is left open."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from rlattack.evaluation.bounded import BOUND
from rlattack.evaluation.measured import BROKEN, CERTIFIED, MOVES, OPEN, RADIUS, Measured
from rlattack.evaluation.results import Mean, Result
from rlattack.evaluation.return_bound import MEAN_BOUND, QUANTILE_BOUND
from rlattack.evaluation.smoothed import SMOOTH
from rlattack.report.columns import Column
from rlattack.report.comparison import Setting, names
from rlattack.report.tables import Group, Row, Table
from rlattack.report.values import Value, decimals, mean, number, share

GREEDY = "gwc"


@dataclass(frozen=True)
class Certain:
    """What is certain of one victim at one size, by some bounds.

    Attributes:
        about: The size, and by which bounds.
        clean: The cell without an attack, in which it was measured.
        attack: Of that size, the one that leaves the victim least; None where none was played.
        greedy: The greedy worst case.
        bound: The absolute worst case.
    """

    about: Measured
    clean: Result
    attack: Result | None
    greedy: Result | None
    bound: Result | None

    def of(self, what: str, cell: Result | None) -> Mean | None:
        """What was measured in a cell, at this size."""
        name = Measured(what, self.about.norm, self.about.eps, self.about.method).name
        return None if cell is None else cell.attacked.observed.get(name)


def certain(setting: Setting) -> list[Certain]:
    """What is certain, of small sizes first."""
    found = []
    for clean in setting.clean:
        if not clean.ok:
            continue
        beside = [cell for pairing in setting.pairings if pairing.clean is clean for cell in pairing.attacked]
        read = [Measured.read(name) for name in clean.victim_seat.observed]
        for about in sorted({one for one in read if one and one.what == CERTIFIED}, key=lambda one: one.name):
            same = [cell for cell in beside if about.fits(cell.spaces[0], cell.eps) and not cell.control]
            # of the same unit too: there the observer counted; what noise makes certain nobody can break for sure
            counted = replace(about, what=BROKEN).name
            tried = [cell for cell in same if counted in cell.attacked.observed or about.method.startswith(SMOOTH)]
            units = {cell.spaces for cell in tried}
            worst = partial(_named, [cell for cell in same if not units or cell.spaces in units])
            found.append(Certain(about, clean, _strongest(tried), worst(GREEDY), worst(BOUND)))
    return sorted(found, key=lambda one: (one.about.norm, one.about.method, one.about.eps))


def certificates(setting: Setting) -> Table | None:
    """Lays out what is certain; None where nothing was looked at."""
    if not (found := certain(setting)):
        return None
    laid = [(title, hint, read(found)) for title, hint, read in _COLUMNS]
    columns = [one for one in laid if any(value.known for value in one[2])]
    rows = [Row(_label(setting, one), "", False, "", [values[place] for *_, values in columns])
            for place, one in enumerate(found)]  # fmt: skip
    widths = [max(len(value.interval) for value in values) for *_, values in columns]
    return Table([Column(title, hint, _unread) for title, hint, _ in columns], widths, [Group("", "", rows)])


def certified_points(setting: Setting) -> Iterator[tuple[str, int, float]]:
    """For TensorBoard: a name, eps in millionths, and the certified share of clean play."""
    for one in certain(setting):
        if (measured := one.of(CERTIFIED, one.clean)) is not None:
            about, who = one.about, "" if setting.alone else f"/{names(one.clean)}"
            tag = f"certified/{about.norm}{f'-{about.method}' if about.method else ''}{who}"
            yield tag, max(1, round(about.eps * 1_000_000)), measured.mean


def certain_shares(setting: Setting) -> Figure:
    """Draws the certified share of clean play against the size."""
    drawn = Figure(figsize=(5.55, 3.2), layout="constrained")
    axes = drawn.subplots()
    lines: dict[str, list[tuple[float, Mean]]] = {}
    for one in certain(setting):
        label = f"{one.about.norm} {one.about.method}".strip() + ("" if setting.alone else f", {names(one.clean)}")
        if (measured := one.of(CERTIFIED, one.clean)) is not None:
            lines.setdefault(label, []).append((one.about.eps, measured))
    for label, points in lines.items():
        x, y = [eps for eps, _ in points], [measured.mean for _, measured in points]
        axes.plot(x, y, marker="o", label=label)
        axes.vlines(x, [one.ci[0] for _, one in points], [one.ci[1] for _, one in points], linewidth=1)
    axes.set_title("Certified share of states", loc="left", fontsize=11)
    axes.set_xlabel("eps")
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.legend(frameon=False)
    return drawn


def _label(setting: Setting, one: Certain) -> str:
    who = "" if len(setting.clean) == 1 else f"{names(one.clean)}, "
    return f"{who}{one.about.norm} {one.about.eps:g}{f' by {one.about.method}' if one.about.method else ''}"


def _strongest(cells: Sequence[Result]) -> Result | None:
    return min(cells, key=lambda cell: cell.attacked.returns.mean, default=None)


def _named(cells: Sequence[Result], name: str) -> Result | None:
    return _strongest([cell for cell in cells if cell.attack is not None and cell.attack.name == name])


Values = Callable[[Sequence[Certain]], list[Value]]


def _shares(what: str, of: Callable[[Certain], Result | None]) -> Values:
    return lambda found: [_share(one.of(what, of(one))) for one in found]


def _share(measured: Mean | None) -> Value:
    if measured is None:
        return Value()
    low, high = (f"{100 * end:.1f}" for end in measured.ci)
    return Value(share(measured.mean).text, f"[{low}, {high}]" + "*" * measured.degenerate, measured.mean)


def _returns(of: Callable[[Certain], Result | None]) -> Values:
    def read(found: Sequence[Certain]) -> list[Value]:
        cells = [of(one) for one in found]
        places = decimals([cell.attacked.returns.mean for cell in cells if cell is not None])
        return [Value() if cell is None else _returned(cell, places) for cell in cells]

    return read


def _returned(cell: Result, places: int) -> Value:
    return mean(cell.attacked.returns, places) if cell.ok else Value("failed", "", None)


def _radii(found: Sequence[Certain]) -> list[Value]:
    measured = [one.of(RADIUS, one.clean) for one in found]
    return [Value() if one is None else Value(f"{one.mean:.3g}", "", one.mean) for one in measured]


def _broken(found: Sequence[Certain]) -> list[Value]:
    counted = [(one.of(BROKEN, one.attack), one.clean.episodes) for one in found]
    return [Value() if one is None else number(round(one.mean * episodes), 0) for one, episodes in counted]


def _clean(one: Certain) -> Result | None:
    return one.clean


def _tried(one: Certain) -> Result | None:
    return one.attack


def _greedy(one: Certain) -> Result | None:
    return one.greedy


def _bound(one: Certain) -> Result | None:
    return one.bound


_COLUMNS: list[tuple[str, str, Values]] = [
    ("certified", "share of states of play without an attack", _shares(CERTIFIED, _clean)),
    ("radius", "mean certified size of a state, as far as was looked", _radii),
    ("may move", "largest part of its range by which an action may move, mean of states", _shares(MOVES, _clean)),
    ("best attack", "that leaves the victim least", lambda found: [_attack(one) for one in found]),
    ("its return", "what it leaves", _returns(_tried)),
    ("certified under it", "share of states of the attacked play", _shares(CERTIFIED, _tried)),
    ("open", "states that are not certified and that it did not change", _shares(OPEN, _tried)),
    ("broken", "certified actions that it changed: more than none is an error of this program", _broken),
    ("greedy worst case", "return where the worst possible action is done in every step", _returns(_greedy)),
    ("absolute worst case", "least return of all ways of the first steps", _returns(_bound)),
    (
        "mean at least",
        "bound of the mean return under any attack of that size, of a victim behind noise",
        lambda found: [_least(one, MEAN_BOUND) for one in found],
    ),
    (
        "quantile at least",
        "the same of a quantile of the return: the median, or as return-bound:share= says",
        lambda found: [_least(one, QUANTILE_BOUND) for one in found],
    ),
    ("clean", "return without an attack", _returns(_clean)),
]


def _least(one: Certain, bound: str) -> Value:
    """The highest bound of a kind for that size."""
    names = one.clean.victim_seat.observed.items()
    found = [
        measured for name, measured in names if name.startswith(bound) and name.endswith(f" at l2 {one.about.eps:g}")
    ]
    return mean(max(found, key=lambda measured: measured.mean), 1) if found and one.about.norm == "l2" else Value()


def _attack(one: Certain) -> Value:
    return Value() if one.attack is None else Value(one.attack.attacks[0].name)


def _unread(cells: Sequence[Result]) -> list[Value]:
    raise AssertionError("the values are laid out already")
