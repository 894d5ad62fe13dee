"""What weakens the numbers of a setting, for the page and the terminal."""

from collections.abc import Sequence

from rlattack.evaluation.results import Result
from rlattack.report.comparison import Setting, attack_label, beside, eps, spaces

_MOST = 4
"""Cells that are named."""


def warnings(setting: Setting) -> list[str]:
    """Lists what weakens the numbers of a setting, a sentence each."""
    return [*_failed(setting), *_lonely(setting), *_equal(setting), *_repeats(setting), *_cut(setting)]


def _failed(setting: Setting) -> list[str]:
    failed = [cell for cell in setting.results if not cell.ok]
    if not failed:
        return []
    return [f"{_cells(failed)} failed: see the status in the table. Failed cells are in no curve and no finding."]


def _lonely(setting: Setting) -> list[str]:
    lonely = [
        cell
        for pairing in setting.pairings
        for cell in pairing.good
        if not cell.control and beside(cell, pairing) is None
    ]
    if not lonely:
        return []
    names = []
    for cell in lonely:
        size = eps(cell)
        names.append(attack_label(cell) + ("" if size is None else f" {spaces(cell)[0]} {size:g}"))
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return [f"{_cells(lonely)} without a control of the same size beside: {', '.join(names[:_MOST])}{more}."]


def _equal(setting: Setting) -> list[str]:
    equal = [cell for cell in setting.good if any(seat.returns.degenerate for seat in cell.seats)]
    if not equal:
        return []
    whose = "all returns" if setting.alone else "all returns of a seat"
    return [f"In {_cells(equal)} {whose} are equal. The interval (starred) is then the point and tells no spread."]


def _repeats(setting: Setting) -> list[str]:
    few = [cell for cell in setting.good if 0 < cell.distinct < cell.episodes]
    if not few:
        return []
    least = min(few, key=lambda cell: cell.distinct)
    only = "only" if len(few) == 1 else "in the worst only"
    ways = ["--actions sampled"] * (least.actions == "greedy")
    ways += ["--sticky 0.25"] * (least.game.startswith("atari/") and not least.sticky)
    way = f": try {' or '.join(ways)}" if ways else ""
    return [
        f"In {_cells(few)} episodes repeat each other: {only} {least.distinct} of {least.episodes} are distinct. "
        f"Intervals take them as independent and are too narrow there{way}."
    ]


def _cut(setting: Setting) -> list[str]:
    found = []
    if unstable := sum(cell.unstable for cell in setting.good):
        found.append(f"In {unstable} {_noun(unstable)} the simulation broke down. They ended there, and count as ties.")
    if stalled := sum(cell.stalled for cell in setting.good):
        found.append(f"{_were(stalled)} stopped after too long without reward. Their returns count as they stood.")
    by_score = [cell for cell in setting.good if cell.win_rule is None or cell.win_rule.rule != "game"]
    if truncated := sum(cell.truncated for cell in by_score):
        found.append(f"{_were(truncated)} cut by the time limit. Their returns count as they stood.")
    return found


def _cells(cells: Sequence[Result]) -> str:
    return f"{len(cells)} cell{'' if len(cells) == 1 else 's'}"


def _noun(episodes: int) -> str:
    return "episode" if episodes == 1 else "episodes"


def _were(episodes: int) -> str:
    return f"{episodes} {_noun(episodes)} {'was' if episodes == 1 else 'were'}"
