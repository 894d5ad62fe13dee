"""A run as a badge, for a README: what the strongest attack leaves of the victim, in SVG that needs no network."""

from collections.abc import Sequence
from html import escape

from rlattack.evaluation.results import SeatResult
from rlattack.report.comparison import at, opponents, player, settings
from rlattack.report.condition import Condition
from rlattack.report.findings import Finding, finding, title
from rlattack.report.runs import RunRecord

_LABEL = "rlattack"
_GREEN, _RED, _BLUE, _GREY = "#2c7a3d", "#b42318", "#2463d6", "#5a6572"
"""Passed, failed, measured without a condition, not measured; white on each is legible."""
_LETTER, _EDGE = 6.6, 7
"""Width of a letter of 11 pixels, to which the text is set, and room beside it."""


def badge(runs: Sequence[RunRecord], condition: Condition | None = None) -> str:
    """A badge of runs: `PGD at eps 0.2: return 500 → 9.4`, of several victims of the one that keeps least.

    Args:
        runs: At least one.
        condition: What a pipeline fails by: green where it does not hold, red where it does; without one it is blue.
    """
    every = [cell for run in runs for cell in run.results]
    told = [(kept, text) for setting in settings(every) for kept, text in _told(finding(setting))]
    message = min(told, default=(0.0, "not measured"))[1]
    colour = _BLUE if told else _GREY
    if condition is not None:
        failed = any(one.fails for one in condition.verdicts(every)) or not all(cell.ok for cell in every)
        colour = _RED if failed else _GREEN
        message = f"{'fails' if failed else 'passes'} {condition.text}; {message}"
    return _drawn(message, colour)


def _told(found: Finding) -> list[tuple[float, str]]:
    """What is left of a victim, as a share of what it had, and in words; nothing where nothing was measured."""
    if found.attack is not None and found.clean is not None:
        before, after = found.clean.seat(found.attack.attacked.name), found.attack.attacked
        one, other = (seat.returns.mean if seat.win is None else seat.win.rate for seat in (before, after))
        kept = 1 - (one - other) / max(abs(one), 1e-9)
        what = "return" if before.win is None else "wins"
        text = f"{title(found.attack)}{at(found.attack)}: {what} {_number(before)} → {_number(after)}"
        return [(kept, text)]
    if found.meetings and (cell := found.meetings[0]).victim_seat.loss is not None:
        who = " and ".join(player(cell, seat) for seat in opponents(cell))
        lost = cell.victim_seat.loss.rate
        return [(1 - lost, f"{who} wins {100 * lost:.0f} % against {player(cell, cell.victim)}")]
    return []


def _number(seat: SeatResult) -> str:
    return f"{seat.returns.mean:.4g}" if seat.win is None else f"{100 * seat.win.rate:.0f} %"


def _drawn(message: str, colour: str) -> str:
    left, right = (round(len(text) * _LETTER) + 2 * _EDGE for text in (_LABEL, message))
    said = escape(f"{_LABEL}: {message}")
    text = (
        'y="14" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" fill="#fff" lengthAdjust="spacingAndGlyphs"'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{said}">'
        f'<title>{said}</title><clipPath id="r"><rect width="{left + right}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#3a424d"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        f'<text x="{_EDGE}" textLength="{left - 2 * _EDGE}" {text}>{_LABEL}</text>'
        f'<text x="{left + _EDGE}" textLength="{right - 2 * _EDGE}" {text}>{escape(message)}</text></svg>\n'
    )
