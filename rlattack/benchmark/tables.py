"""A leaderboard as `leaderboard.json` and `leaderboard.csv` have it."""

import csv
import dataclasses
import io
from collections.abc import Mapping
from typing import Any

from rlattack.benchmark.board import Leaderboard
from rlattack.benchmark.estimates import Estimate
from rlattack.benchmark.standing import Standing

SCHEMA = "rlattack/leaderboard/1"
VOLATILE = ("seconds", "date")
"""What two runs of one grid need not share."""
_DIGITS = 6


def to_json(board: Leaderboard) -> dict[str, Any]:
    """The whole as it stands in `leaderboard.json`; numbers have six digits, as much as two machines may share."""
    found: dict[str, Any] = {"schema": SCHEMA, **_plain(dataclasses.asdict(board))}
    return found


def stable(content: Any) -> Any:
    """The content of a `leaderboard.json` without speeds and dates: what two runs of one grid must share."""
    if isinstance(content, Mapping):
        return {name: stable(value) for name, value in content.items() if name not in VOLATILE}
    return [stable(one) for one in content] if isinstance(content, list) else content


def _plain(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {str(name): _plain(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(one) for one in content]
    return float(f"{content:.{_DIGITS}g}") if isinstance(content, float) else content


_COLUMNS = (
    "game", "access", "reach", "space", "eps", "rank", "name", "group", "defence", "tier", "clean", "clean_low",
    "clean_high", "control", "reported", "standard", "standard_low", "standard_high", "best", "best_low", "best_high",
    "best_median", "best_iqm", "own_seeds", "strongest", "win", "certified", "voided", "area", "half", "worst_decile",
    "queries", "gradients", "seeds", "episodes", "counterexamples", "counted",
)  # fmt: skip


def to_csv(board: Leaderboard) -> str:
    """A row a contender and size."""
    file = io.StringIO()
    table = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
    table.writeheader()
    for of_game in board.boards:
        for ranking in of_game.rankings:
            for row in ranking.rows:
                flat = {"game": of_game.game, **dataclasses.asdict(ranking.threat), **_flat(row)}
                table.writerow({name: "" if flat[name] is None else flat[name] for name in _COLUMNS})
    return file.getvalue()


def _flat(row: Standing) -> dict[str, object]:
    best, certificate = row.best, row.certificate
    share = None if certificate is None or certificate.share is None else certificate.share.mean
    found: dict[str, object] = {
        "rank": row.rank, "name": row.name, "group": row.group, "defence": row.defence, "tier": row.tier,
        **_ends("clean", row.clean), "control": None if row.control is None else row.control.mean,
        "reported": row.reported, **_ends("standard", None if row.standard is None else row.standard.value),
        **_ends("best", best.value),
        "best_median": best.value.median, "best_iqm": best.value.iqm, "own_seeds": best.own_seeds,
        "strongest": best.attack,
        "win": None if best.win is None else best.win.rate, "certified": share,
        "voided": certificate is not None and certificate.voided, "area": row.area, "half": row.half,
        "worst_decile": row.worst, "queries": best.queries, "gradients": best.gradients, "seeds": best.value.seeds,
        "episodes": best.value.episodes, "counterexamples": len(row.counterexamples),
        "counted": sum(one.counted for one in row.counterexamples),
    }  # fmt: skip
    return {name: _plain(value) for name, value in found.items()}


def _ends(name: str, estimate: Estimate | None) -> dict[str, object]:
    low, high = (None, None) if estimate is None else estimate.ci
    return {name: None if estimate is None else estimate.mean, f"{name}_low": low, f"{name}_high": high}
