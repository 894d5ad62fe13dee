"""How far a row of a leaderboard can be trusted, and why no further."""

from collections.abc import Sequence

from rlattack.benchmark.standing import Standing, Tier
from rlattack.evaluation.results import Result

_EPISODES = 20
"""Fewest episodes of a cell behind a tuned row."""


def tier(
    row: Standing, results: Sequence[Result], gaps: Sequence[str] = (), *, replayed: bool = False, fresh: bool = False
) -> tuple[Tier, tuple[str, ...]]:
    """The tier of a row, with the reasons why it is not higher.

    `tuned`: attacked by `autoattack`, which is fitted to it, on enough episodes, beside a control. `verified`: that,
    and replayed from its ledger, on seeds that were drawn after the entry was fixed.

    Args:
        row: Without a tier.
        results: All cells that it stands on.
        gaps: What it did not meet of what others of the table met.
        replayed: Whether all of them were replayed from their ledgers, and nothing failed.
        fresh: Whether it is an entry, on seeds that were drawn after it was fixed.
    """
    short = [one for one in results if one.episodes < _EPISODES]
    failed = [one for one in results if not one.ok]
    reasons = [
        *["autoattack was not played on all of it"] * (row.standard is None),
        *["no control of that size"] * (row.control is None),
        *[f"cells of fewer than {_EPISODES} episodes"] * bool(short),
        *[f"{len(failed)} cells failed"] * bool(failed),
        *gaps,
    ]
    if reasons:
        return "smoke", tuple(reasons)
    missing = [
        *["not replayed from its ledger (--verify)"] * (not replayed),
        *["not an entry on seeds that were drawn after it was fixed (--reveal)"] * (not fresh),
    ]
    return ("tuned", tuple(missing)) if missing else ("verified", ())
