"""Computes the numbers of results.json anew, from episodes as the ledger has them, or from episodes.csv alone."""

import csv
import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rlattack.arrays import FloatArray
from rlattack.errors import ContentError, RefusedFile
from rlattack.evaluation.episode import Episode, Judgement, a_step
from rlattack.evaluation.results import UNSTABLE, Drop, Mean, Rate, Result
from rlattack.evaluation.run import HEAD
from rlattack.evaluation.statistics import bca, iqm, paired_rates, wilson
from rlattack.games.card import Outcome, Win

_CLOSE = 1e-9
Row = Mapping[str, str]


@dataclass(frozen=True)
class Told:
    """An episode as far as episodes.csv tells it, of every seat in order.

    Attributes:
        outcomes: With the rule of the card, where the game itself does not say.
        trajectory: Empty where only episodes.csv is there.
        judged: What the judge found of each seat; None where that is not known, or nothing was attacked.
    """

    number: int
    seed: int
    length: int
    ending: str
    truncated: bool
    stalled: bool
    scores: tuple[float, ...]
    outcomes: tuple[Outcome | None, ...]
    trajectory: str = ""
    judged: tuple[Judgement | None, ...] = ()


def told_by_ledger(episodes: Iterable[Episode], win: Win | None) -> list[Told]:
    """Episodes of a ledger."""
    return [
        Told(
            one.episode, one.seed, one.length, one.ending, one.truncated, one.stalled,
            tuple(seat.score for seat in one.seats),
            tuple(win.outcome(seat.score) if seat.outcome is None and win else seat.outcome for seat in one.seats),
            one.trajectory, tuple(seat.judged for seat in one.seats),
        )
        for one in episodes
    ]  # fmt: skip


def read_rows(folder: Path) -> dict[str, list[Row]]:
    """The rows of episodes.csv in a run folder, by cell.

    Raises:
        ContentError: It cannot be read, or has other columns.
    """
    found: dict[str, list[Row]] = {}
    path = folder / "episodes.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            if tuple(table.fieldnames or ()) != HEAD:
                raise ContentError(f"{path}: expected the columns {', '.join(HEAD)}")
            for row in table:
                if None in row or None in row.values():
                    raise ContentError(f"{path}: a row of another number of columns")
                found.setdefault(row["cell"], []).append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ContentError(f"{path}: cannot be read ({error})") from error
    return found


def told_by_rows(rows: Sequence[Row], seats: Sequence[str]) -> list[Told]:
    """Episodes of one cell in episodes.csv.

    Raises:
        RefusedFile: Rows that are not those of whole episodes, one a seat in order.
    """
    try:
        found = []
        for first in range(0, len(rows), len(seats)):
            own = rows[first : first + len(seats)]
            if [row["seat"] for row in own] != list(seats) or len({row["episode"] for row in own}) > 1:
                raise ValueError("rows of other seats than the cell has")
            one = own[0]
            scores = tuple(float(row["return"]) for row in own)
            if not np.isfinite(scores).all():
                raise ValueError("a return that is no number")
            outcomes: Any = tuple(row["outcome"] or None for row in own)
            found.append(
                Told(
                    int(one["episode"]), int(one["seed"]), int(one["length"]), one["ending"],
                    bool(int(one["truncated"])), bool(int(one["stalled"])), scores, outcomes,
                )
            )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedFile(f"episodes.csv: {error}") from error
    return found


def as_rows(key: str, seats: Sequence[str], players: Sequence[str], episodes: Sequence[Told]) -> list[tuple[str, ...]]:
    """The rows that episodes.csv has of episodes."""
    return [
        tuple(
            map(
                str,
                (
                    key, one.number, one.seed, name, players[seat], one.scores[seat], one.outcomes[seat] or "",
                    one.length, one.ending, int(one.truncated), int(one.stalled),
                ),
            )
        )
        for one in episodes
        for seat, name in enumerate(seats)
    ]  # fmt: skip


def rows_unlike(rows: Sequence[Row], expected: Sequence[tuple[str, ...]]) -> list[str]:
    """How rows differ from those that are expected."""
    have, wanted = Counter(tuple(row[name] for name in HEAD) for row in rows), Counter(expected)
    more, less = have - wanted, wanted - have
    problems = [f"episode {row[1]}: a row that is not what was played" for row in more]
    return problems + [f"episode {row[1]}: its row is missing, or another one" for row in less]


def unlike(result: Result, episodes: Sequence[Told], clean: Sequence[Told] | None, attacked: set[int]) -> list[str]:
    """The numbers of a result that do not follow from its episodes.

    Args:
        result: As results.json has it.
        episodes: Of the cell.
        clean: The same without an attack; None where they are not there.
        attacked: Numbers of the seats that are attacked.
    """
    lengths = np.asarray([float(one.length) for one in episodes])
    endings = dict(sorted(Counter(one.ending for one in episodes).items()))
    expected: dict[str, object] = {
        "episodes": len(episodes), "length": mean(lengths), "endings": endings, "steps": int(lengths.sum()),
        "stalled": sum(one.stalled for one in episodes), "truncated": sum(one.truncated for one in episodes),
        "unstable": endings.get(UNSTABLE, 0),
    }  # fmt: skip
    if all(one.trajectory for one in episodes):
        expected["distinct"] = len({one.trajectory for one in episodes})
    problems = _apart("", result, expected)
    for number, seat in enumerate(result.seats):
        own = _seat(number, episodes, clean, number in attacked)
        problems += _apart(f"{seat.name} " if len(result.seats) > 1 else "", seat, own)
    broken = sum(one.broken for told in episodes for one in told.judged if one is not None)
    if broken and result.ok:
        problems.append(f"status is ok, and the judge found {broken} steps out of reach")
    return problems


def mean(values: FloatArray, *, middle: bool = False) -> Mean:
    """A mean with its interval."""
    return Mean(float(values.mean()), bca(values), bool(np.ptp(values) == 0), iqm(values) if middle else None)


def _seat(number: int, episodes: Sequence[Told], clean: Sequence[Told] | None, attacked: bool) -> dict[str, object]:
    scores = _scores(episodes, number)
    outcomes = _outcomes(episodes, number)
    expected: dict[str, object] = {"returns": mean(scores, middle=True)}
    for kind in ("win", "tie", "loss"):
        count = outcomes.count(kind)
        expected[kind] = Rate(count / len(outcomes), wilson(count, len(outcomes))) if outcomes else None
    if not attacked:
        expected["drop"] = None
    elif clean is not None:
        expected["drop"] = _drop(number, clean, episodes)
    judged = [one.judged[number] for one in episodes if one.judged and one.judged[number] is not None]
    if judged:
        expected |= a_step([one for one in judged if one is not None])
    return expected


def _drop(number: int, clean: Sequence[Told], episodes: Sequence[Told]) -> Drop | str:
    if [one.seed for one in clean] != [one.seed for one in episodes]:
        return "of the same episodes as the clean cell"
    returns = mean(_scores(clean, number) - _scores(episodes, number))
    first, second = (
        np.asarray([one.outcomes[number] == "win" for one in of], dtype=np.float64) for of in (clean, episodes)
    )
    if not (_outcomes(clean, number) or _outcomes(episodes, number)):
        return Drop(returns)
    return Drop(returns, Rate(float(first.mean() - second.mean()), paired_rates(first, second)))


def _scores(episodes: Sequence[Told], number: int) -> FloatArray:
    return np.asarray([one.scores[number] for one in episodes])


def _outcomes(episodes: Sequence[Told], number: int) -> list[str]:
    """Who has won, an episode each; none where nothing says so."""
    found = [one.outcomes[number] for one in episodes]
    return [one or "tie" for one in found] if any(found) else []


def _apart(where: str, said: object, expected: Mapping[str, object]) -> list[str]:
    """The fields that hold something else than they should."""
    names = {"returns": "return"}
    pairs = [(name, getattr(said, name), value) for name, value in expected.items()]
    return [
        f"{where}{names.get(name, name)}: {_shown(was)} there, {_shown(now)} computed anew"
        for name, was, now in pairs
        if not same(was, now)
    ]


def same(was: Any, now: Any) -> bool:
    """Whether two figures are equal but for rounding."""
    if dataclasses.is_dataclass(was) and dataclasses.is_dataclass(now) and type(was) is type(now):
        return all(same(getattr(was, field.name), getattr(now, field.name)) for field in dataclasses.fields(was))
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        return was.keys() == now.keys() and all(same(was[name], now[name]) for name in was)
    if isinstance(was, tuple | list) and isinstance(now, tuple | list):
        return len(was) == len(now) and all(map(same, was, now))
    if isinstance(was, float) and isinstance(now, float | int):
        return math.isclose(was, now, rel_tol=_CLOSE, abs_tol=_CLOSE)
    return bool(was == now)


def _shown(value: object) -> str:
    if isinstance(value, Mean | Rate):
        low, high = value.ci
        return f"{value.value:.6g} [{low:.6g}, {high:.6g}]"
    if isinstance(value, Drop):
        return _shown(value.returns) + ("" if value.win is None else f", of wins {_shown(value.win)}")
    return f"{value:.6g}" if isinstance(value, float) else str(value)
