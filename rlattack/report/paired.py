"""Two runs cell by cell: paired differences over the same episodes, and what of them cannot be paired."""

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from rlattack.arrays import FloatArray
from rlattack.errors import ContentError, one_line
from rlattack.evaluation.estimates import Mean, Rate
from rlattack.evaluation.results import Result
from rlattack.evaluation.run import HEAD
from rlattack.evaluation.statistics import bca, holm, paired_rates, sign_flips
from rlattack.report.comparison import attack_label, cell_name, deed, full_name, hidden, names
from rlattack.report.runs import RunRecord
from rlattack.report.values import some

LEVEL = 0.05
"""Corrected p-value up to which two cells are called different."""
_MOST = 4
"""Cells that a note names."""
_Played = tuple[int, float, str]
"""Of an episode: seed, return and outcome of the attacked seat."""
_Key = tuple[object, ...]
_Kind = TypeVar("_Kind", Mean, Rate)


@dataclass(frozen=True)
class Change(Generic[_Kind]):
    """What changed of one number from the first run to the second.

    Attributes:
        first: Mean return or share of wins in the first run, over the episodes that both have.
        second: The same in the second.
        apart: Second minus first, with its paired 95 % interval, which is not corrected.
        p: Two-sided, of sign flips, corrected by Holm over all comparisons of the two runs.
    """

    first: float
    second: float
    apart: _Kind
    p: float

    @property
    def differs(self) -> bool:
        """Whether it does more than chance would, in the family of all comparisons."""
        return self.p <= LEVEL


@dataclass(frozen=True)
class Difference:
    """A cell that both runs have.

    Attributes:
        who: Plays, with both victims where they are not called alike: `ppo → distil`.
        what: Is done: `fgsm at eps 0.2`.
        episodes: That were paired: of the same number and seed.
        returns: Of the attacked seat.
        win: The same of its wins; None without one win rule.
    """

    who: str
    what: str
    episodes: int
    returns: Change[Mean]
    win: Change[Rate] | None

    @property
    def changes(self) -> list[Change[Mean] | Change[Rate]]:
        """Both, as far as there are two."""
        return [self.returns, *([] if self.win is None else [self.win])]


@dataclass(frozen=True)
class Paired:
    """Two runs.

    Attributes:
        names: Of the runs.
        found: Their common cells, in the order of the first.
        notes: What is not paired, or not over all episodes, and why.
    """

    names: tuple[str, str]
    found: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def who(self) -> str:
        """Who plays in all of them; empty where those are several."""
        who = {one.who for one in self.found}
        return who.pop() if len(who) == 1 else ""

    @property
    def sentence(self) -> str:
        """What came of it."""
        if not self.found:
            return f"{self.names[0]} and {self.names[1]} have no cell that can be paired."
        changes = [change for one in self.found for change in one.changes]
        differing = sum(change.differs for change in changes)
        many = f"{differing} of {len(changes)} comparison{'s' * (len(changes) > 1)}"
        verb = "differs" if differing == 1 else "differ"
        who = f" ({self.who})" if self.who else ""
        return f"{self.names[1]} minus {self.names[0]}{who}, over the same episodes: {many} {verb} (Holm, 5 %)."


def paired(first: RunRecord, second: RunRecord) -> Paired:
    """Pairs the cells of two runs that are of one game, protocol, attack and size, and compares them.

    Where each of both has one victim of a game, these are compared whatever they are called; else victims are paired by
    their names. Opponents have the same names.

    Raises:
        ContentError: A run folder whose `episodes.csv` is missing or damaged.
    """
    runs = _names(first, second)
    episodes = [_read(run.folder / "episodes.csv") for run in (first, second)]
    pairs, notes = _pairs(first.results, second.results, runs)
    found = []
    for one, other in pairs:
        kept = (of.get((cell.cell, cell.attacked.name), {}) for of, cell in zip(episodes, (one, other), strict=True))
        alike = _alike(*kept)
        for why in _doubts(one, other, len(alike), runs):
            notes.setdefault(why, []).append(cell_name(one))
        if alike and one.ok and other.ok and one.cell != other.cell:
            found.append(_difference(one, other, alike, wins=one.win_rule == other.win_rule))
    return Paired(runs, tuple(_corrected(found)), tuple(f"{why}: {some(of, _MOST)}" for why, of in notes.items()))


def _doubts(one: Result, other: Result, episodes: int, runs: tuple[str, str]) -> list[str]:
    """Why two cells are not compared, or not wholly."""
    if one.cell == other.cell:
        return ["the same cell in both, so not compared"]
    if bad := [run for run, cell in zip(runs, (one, other), strict=True) if not cell.ok]:
        return [f"failed in {' and '.join(bad)}"]
    if not episodes:
        seeds = "other seeds" if one.seed == other.seed else f"other seeds (--seed {one.seed} and {other.seed})"
        return [f"{seeds}: no episode is the same, so nothing is paired"]
    fewer = episodes < max(one.episodes, other.episodes)
    return [
        *[f"paired over the {episodes} episodes that both have"] * fewer,
        *["won by another rule, so wins are not compared"] * (one.win_rule != other.win_rule),
    ]


def _names(first: RunRecord, second: RunRecord) -> tuple[str, str]:
    """Their names, with the folder above where both are called alike."""
    if first.name != second.name:
        return first.name, second.name
    one, other = (f"{run.folder.resolve().parent.name}/{run.name}" for run in (first, second))
    return (one, other) if one != other else (f"{one} (first)", f"{other} (second)")


def _pairs(
    first: Sequence[Result], second: Sequence[Result], runs: tuple[str, str]
) -> tuple[list[tuple[Result, Result]], dict[str, list[str]]]:
    """Cells of one key, and the names of all others by why they have no like."""
    notes: dict[str, list[str]] = {}
    games = _games(first) & _games(second)
    lone = {game for game in games if all(len(_victims(cells, game)) == 1 for cells in (first, second))}
    ours, theirs = (_grouped(cells, partial(_key, lone=lone)) for cells in (first, second))
    pairs = [(of[0], theirs[key][0]) for key, of in ours.items() if len(of) == len(theirs.get(key, [])) == 1]
    sides = ((ours, theirs, second, *runs), (theirs, ours, first, *runs[::-1]))
    for own, met_by, others, run, other in sides:
        for key, cells in own.items():
            met = met_by.get(key, [])
            if len(cells) == len(met) == 1:
                continue
            several = f"several cells of one name in {run if len(cells) > 1 else other}"
            lonely = not met and len(cells) == 1
            why = _why(cells[0], others, run, other) if lonely else several
            notes.setdefault(why, []).extend(map(cell_name, cells))
    return pairs, notes


def _why(cell: Result, others: Sequence[Result], run: str, other: str) -> str:
    """Why a cell has no like."""
    if cell.game not in _games(others):
        return f"{other} does not play {cell.game}, as {run} does"
    alike = [one for one in others if _attack(one) == _attack(cell) and one.game == cell.game]
    for one in alike:
        if _protocol(one) != _protocol(cell):
            return f"played otherwise in {run} ({_said(cell)}) and {other} ({_said(one)})"
    return f"with another victim or opponent in {other}" if alike else f"only in {run}"


def _games(cells: Sequence[Result]) -> set[str]:
    return {cell.game for cell in cells}


def _victims(cells: Sequence[Result], game: str) -> set[str]:
    return {full_name(cell, cell.victim) for cell in cells if cell.game == game}


def _key(cell: Result, lone: set[str]) -> _Key:
    who = "" if cell.game in lone else full_name(cell, cell.victim)
    others = tuple(seat.player for number, seat in enumerate(cell.seats) if number != cell.victim)
    return cell.game, who, others, *_protocol(cell), *_attack(cell)


def _attack(cell: Result) -> _Key:
    """What is done to whom."""
    sizes = tuple((attack.eps, attack.reach, attack.space) for attack in cell.attacks)
    return cell.attacked.name, attack_label(cell), sizes


def _protocol(cell: Result) -> _Key:
    return cell.actions, cell.sticky, cell.mask


def _said(cell: Result) -> str:
    sticky = f"sticky {cell.sticky:g}" if cell.sticky else ""
    return ", ".join(filter(None, [f"{cell.actions} actions", sticky, hidden(cell)]))


def _grouped(cells: Sequence[Result], key: Callable[[Result], _Key]) -> dict[_Key, list[Result]]:
    groups: dict[_Key, list[Result]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return groups


def _who(one: Result, other: Result) -> str:
    before, after = names(one), names(other)
    return after if before == after else f"{before} → {after}"


def _alike(first: Mapping[int, _Played], second: Mapping[int, _Played]) -> list[tuple[_Played, _Played]]:
    """Episodes of the same number and seed."""
    both = [(first[number], second[number]) for number in sorted(first) if number in second]
    return [(one, other) for one, other in both if one[0] == other[0]]


def _difference(
    one: Result, other: Result, alike: Sequence[tuple[_Played, _Played]], *, wins: bool
) -> Difference:  # fmt: skip
    """Of a cell, with p-values that are not corrected yet."""
    before, after = (np.array([two[side][1] for two in alike]) for side in (0, 1))
    apart = after - before
    mean = Mean(float(apart.mean()), bca(apart), bool(np.ptp(apart) == 0))
    win = None
    if wins and all(played[2] for two in alike for played in two):
        lost, kept = (np.array([float(two[side][2] == "win") for two in alike]) for side in (0, 1))
        rate = Rate(float((kept - lost).mean()), paired_rates(kept, lost))
        win = _change(lost, kept, rate)
    return Difference(_who(one, other), deed(other), len(alike), _change(before, after, mean), win)


def _change(before: FloatArray, after: FloatArray, apart: _Kind) -> Change[_Kind]:
    return Change(float(before.mean()), float(after.mean()), apart, sign_flips(after - before))


def _corrected(found: Sequence[Difference]) -> list[Difference]:
    corrected = iter(holm([change.p for one in found for change in one.changes]))
    return [
        replace(
            one,
            returns=replace(one.returns, p=next(corrected)),
            win=None if one.win is None else replace(one.win, p=next(corrected)),
        )
        for one in found
    ]


def _read(path: Path) -> dict[tuple[str, str], dict[int, _Played]]:
    """The episodes of a run by cell and seat, by their number."""
    found: dict[tuple[str, str], dict[int, _Played]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            if missing := [name for name in HEAD[:7] if name not in (table.fieldnames or ())]:
                raise ValueError(f"expected a column {missing[0]}")
            for row in table:
                score = float(row["return"])
                if not math.isfinite(score):
                    raise ValueError(f"{row['return']} is no finite number")
                of = found.setdefault((row["cell"], row["seat"]), {})
                of[int(row["episode"])] = int(row["seed"]), score, row["outcome"] or ""
    except FileNotFoundError as error:
        raise ContentError(f"{path}: missing; differences are of episodes, and a run keeps them there") from error
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise ContentError(f"{path}: damaged: {one_line(error)}") from error
    return found
