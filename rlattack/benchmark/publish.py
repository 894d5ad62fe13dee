"""Writes a leaderboard down: `leaderboard.json`, CSV, a page that needs no network, TensorBoard."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from rlattack.benchmark.board import GameBoard, Leaderboard, Ranking
from rlattack.benchmark.estimates import Estimate
from rlattack.benchmark.standing import OWN_SEEDS, Score, Standing
from rlattack.benchmark.tables import to_csv, to_json
from rlattack.evaluation.estimates import Mean
from rlattack.files import write_whole
from rlattack.report.curves import INK, svg
from rlattack.report.events import Point, file_name, scalar, write_events
from rlattack.report.page import template
from rlattack.report.values import Value, decimals, mean, number, percent

_LONGEST = 40
"""Letters of a name beside a picture."""


def write_leaderboard(board: Leaderboard, folder: Path) -> None:
    """Writes `leaderboard.json`, `.csv`, `.html` and `tensorboard/` into the folder of a grid; a page a game.

    Raises:
        Unwritable: The folder cannot be written.
    """
    write_whole(folder / "leaderboard.json", (json.dumps(to_json(board), indent=1, allow_nan=False) + "\n").encode())
    write_whole(folder / "leaderboard.csv", to_csv(board).encode())
    for name, page in _pages(board).items():
        write_whole(folder / name, page.encode())
    write_events(folder, dict(_events(board)))


HEADS = (
    ("rank", "1 for the best; who is no worse beyond doubt than those above shares their rank."),
    ("clean", "Mean return without an attack, with its 95 % interval."),
    ("noise", "The same under noise of this size."),
    ("reported", "Under attack, as the authors state it."),
    ("standard", "Under autoattack, which chooses its attack on tuning episodes."),
    (
        "best known",
        "The least that an attack of this table, or a counterexample, has left; by this the table is ranked.",
    ),
    ("strongest attack", "The one that left it; of a group, of most of its agents."),
    ("won", "Share of episodes won under it."),
    ("certified", "Share of states of clean play in which no attack of this size changes the action."),
    ("worst decile", "Mean of the worst tenth of episodes under the strongest attacks."),
    ("area", "Mean return over all sizes from 0 to the largest of the grid."),
    ("half", "The size at which half the clean score is left."),
    ("tier", "smoke, tuned or verified: how far the row can be trusted."),
)
"""Columns of a table of the page, each with what it says."""


def cells(row: Standing, places: int) -> list[Value]:
    """The numbers of a row as text, by the columns of `HEADS`."""
    certificate = row.certificate
    return [
        Value(str(row.rank), "", float(row.rank)), _estimate(row.clean, places), _estimate(row.control, places),
        number(row.reported, places), _score(row.standard, places), _score(row.best, places), Value(row.best.attack),
        percent(row.best.win),
        Value("voided: an attack broke it") if certificate and certificate.voided
        else Value() if certificate is None or certificate.share is None
        else Value(f"{100 * certificate.share.mean:.1f} %", "", certificate.share.mean),
        number(row.worst, places), number(row.area, places), number(row.half), Value(row.tier),
    ]  # fmt: skip


def _estimate(found: Estimate | None, places: int) -> Value:
    return mean(None if found is None else found.as_mean, places)


def _score(found: Score | None, places: int) -> Value:
    shown = _estimate(None if found is None else found.value, places)
    if found is None or not found.own_seeds:
        return shown
    return dataclasses.replace(shown, interval=f"{shown.interval} {OWN_SEEDS}".strip())


def digits(ranking: Ranking) -> int:
    """How many decimals the numbers of a table have."""
    return decimals([row.clean.mean for row in ranking.rows])


def columns(ranking: Ranking) -> tuple[list[tuple[str, str]], list[list[Value]]]:
    """The columns of `HEADS` of which at least one row of a table knows something, and all rows in these."""
    rows = [cells(row, digits(ranking)) for row in ranking.rows]
    known = [number for number in range(len(HEADS)) if any(row[number].known for row in rows)]
    return [HEADS[number] for number in known], [[row[number] for number in known] for row in rows]


def _pages(board: Leaderboard) -> dict[str, str]:
    """The pages by their files: one a game, and where there are several an index of them."""
    if len(board.boards) < 2:
        return {"leaderboard.html": _page(board, board.boards)}
    names = {one.game: f"leaderboard-{file_name(one.game)}.html" for one in board.boards}
    pages = {names[one.game]: _page(board, (one,), one.game) for one in board.boards}
    return {"leaderboard.html": _page(board, (), links=names), **pages}


def _page(
    board: Leaderboard, boards: Sequence[GameBoard], game: str = "", links: Mapping[str, str] | None = None
) -> str:  # fmt: skip
    tables = [
        (of_game, [
            (ranking, Markup(svg(f"rank-{place}", partial(_bars, ranking))), *_table(ranking))
            for place, ranking in enumerate(of_game.rankings)
        ])
        for of_game in boards
    ]  # fmt: skip
    title = ": ".join(filter(None, ["Leaderboard", board.title or board.grid, game]))
    return template("leaderboard.html.jinja", Path(__file__).parent).render(
        title=title, board=board, tables=tables, links=links or {}
    )


def _table(ranking: Ranking) -> tuple[list[tuple[str, str]], list[tuple[Standing, list[Value]]]]:
    heads, rows = columns(ranking)
    return heads, list(zip(ranking.rows, rows, strict=True))


def _bars(ranking: Ranking) -> Figure:
    """Clean score, noise and the least known of every row, with intervals."""
    rows = ranking.rows
    drawn = Figure(figsize=(7.4, 0.9 + 0.42 * len(rows)), layout="constrained")
    axes = drawn.subplots()
    best: dict[bool, tuple[str, str | None]] = {False: ("s", "best known"), True: ("^", f"best known {OWN_SEEDS}")}
    for place, row in enumerate(rows):
        _interval(axes, row.clean.as_mean, place - 0.16, "o", "clean" if place == 0 else None)
        if row.control is not None:
            _interval(axes, row.control.as_mean, place, "|", "noise" if place == 0 else None)
        _interval(axes, row.best.value.as_mean, place + 0.16, *best[row.best.own_seeds])
        best[row.best.own_seeds] = (best[row.best.own_seeds][0], None)
    axes.set_yticks(range(len(rows)), [_short(row.name) for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("mean return, with 95 % intervals")
    axes.grid(axis="x")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return drawn


def _short(name: str) -> str:
    """A name as it fits beside a picture: of a long one, as a path, the end."""
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"


def _interval(axes: Any, measured: Mean, place: float, marker: str, label: str | None) -> None:
    fill = "none" if marker == "o" else INK
    axes.plot([measured.mean], [place], marker=marker, color=INK, markerfacecolor=fill, linestyle="none", label=label)
    axes.hlines(place, *measured.ci, color=INK, linewidth=1)


def _events(board: Leaderboard) -> Iterator[tuple[str, list[Point]]]:
    """A run a contender; the step is the size in millionths, 0 the clean game."""
    for of_game in board.boards:
        for name, points in _points(of_game).items():
            yield file_name(f"{of_game.game} {name}"), points


def _points(board: GameBoard) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    about = "The step is the size in millionths; step 0 is the clean game."
    for ranking in board.rankings:
        step = max(1, round(ranking.threat.eps * 1_000_000))
        kind = file_name(f"{ranking.threat.access} {ranking.threat.reach} {ranking.threat.space}".strip())
        for row in ranking.rows:
            points = found.setdefault(row.name, [(0, scalar(f"leaderboard/{kind}/best", row.clean.mean, about))])
            told = {"best": row.best.value.mean, "rank": float(row.rank)}
            told |= {} if row.standard is None else {"standard": row.standard.value.mean}
            told |= {} if row.control is None else {"noise": row.control.mean}
            points += [(step, scalar(f"leaderboard/{kind}/{name}", value, about)) for name, value in told.items()]
    return found
