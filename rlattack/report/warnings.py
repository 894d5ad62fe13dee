"""What weakens the numbers of a setting, for the page and the terminal."""

from collections.abc import Iterator, Sequence

from rlattack.attacks import title_of
from rlattack.budget.words import grey_levels
from rlattack.defences import FRONTS
from rlattack.evaluation.episode import CUT
from rlattack.evaluation.results import Result
from rlattack.report.comparison import Pairing, Setting, attack_label
from rlattack.report.detection import doubtful_alarms
from rlattack.report.masking import doubts
from rlattack.report.values import some

_MOST = 4
"""Cells that are named."""
_ENOUGH = 8
"""Episodes below which a bootstrap has hardly anything to draw from; of two it gives the two themselves."""
_APART = 0.1
"""By what part of how often an attack acts its control may act more or less often."""


def warnings(setting: Setting) -> list[str]:
    """Lists what weakens the numbers of a setting, a sentence each."""
    return [*_cells(setting), *_episodes(setting.good)]


def equal_returns(setting: Setting) -> list[Result]:
    """Cells in which all returns of a seat are equal."""
    return [cell for cell in setting.good if any(seat.returns.degenerate for seat in cell.seats)]


def _cells(setting: Setting) -> Iterator[str]:
    if (device := setting.first.device) != "cpu":
        yield f"Computed on {device}: another device rounds otherwise, so its numbers differ a little."
    for cell in setting.good:
        if cell.published is not None and cell.published.note:
            yield f"{cell.published.note}."
    noted = {f"{title_of(one.name)}: {one.note}." for cell in setting.good for one in cell.attacks if one.note}
    yield from sorted(noted)
    if failed := [cell for cell in setting.results if not cell.ok]:
        yield f"{_count(failed)} failed: see the status in the table. Failed cells are in no curve and no finding."
    good = [(cell, pairing) for pairing in setting.pairings for cell in pairing.good]
    if lonely := [cell for cell, pairing in good if not cell.control and pairing.control(cell) is None]:
        yield f"{_count(lonely)} without a control of the same size beside: {some(list(map(_named, lonely)), _MOST)}."
    if uneven := [pair for cell, pairing in good if not cell.control for pair in _uneven(cell, pairing)]:
        yield (
            "An attack changed another part of the steps than what it is read beside, so they are not of one size: "
            f"{some(uneven, _MOST)}."
        )
    yield from doubts(setting)
    foresight = sorted(
        {
            one.name if one.schedule == "every" else one.schedule
            for cell in setting.good
            for one in cell.attacks
            if one.looks_ahead
        }
    )
    yield from doubtful_alarms(setting)
    if foresight:
        yield f"{some(foresight, _MOST)} plays ahead in the game itself: no attacker outside of it knows as much."
    if idle := [cell for cell in setting.good if cell.attack and not cell.control and cell.attacked.attacked == 0]:
        when = sorted({attack.schedule for cell in idle for attack in cell.attacks} - {"every"})
        yield f"In {_count(idle)} nothing was changed{f': {some(when, _MOST)} never fired' if when else ''}."
    if equal := equal_returns(setting):
        whose = "all returns" if setting.alone else "all returns of a seat"
        yield f"In {_count(equal)} {whose} are equal. The interval (starred) is then the point and tells no spread."
    if lost := [cell for cell in setting.good if _is_lost(cell)]:
        yield (
            f"In {_count(lost)} {lost[0].defence} rounds to whole grey levels, and a change of less than half of one "
            "is rounded away: that says nothing of the defence. Try --eps 0.004 or more."
        )
    if few := [cell for cell in setting.good if 0 < cell.distinct < cell.episodes]:
        yield _repeats(few)


def _uneven(cell: Result, pairing: Pairing) -> Iterator[str]:
    """Names what a cell is read beside where it acted clearly more or less often, as it may in short play."""
    often = cell.attacked.attacked
    if often is None or all(attack.schedule == "every" for attack in cell.attacks):
        return
    for other in filter(None, (pairing.control(cell), pairing.untimed(cell))):
        share = other.attacked.attacked
        if share is not None and abs(share - often) > _APART * often:
            yield f"{_named(cell)} {100 * often:.0f} % beside {_named(other)} {100 * share:.0f} %"


def _named(cell: Result) -> str:
    return attack_label(cell) + ("" if cell.eps is None else f" {cell.spaces[0]} {cell.eps:g}")


def _is_lost(cell: Result) -> bool:
    """Whether a front of the cell rounds away all that its attack may do."""
    if cell.defence is None or cell.eps is None or cell.spaces[0] != "linf":
        return False
    levels = grey_levels(cell.eps, *cell.spaces)
    names = [text.partition(":")[0] for text in cell.defence.split(" + ")]
    known = [FRONTS.get(name).rounds for name in names if name in FRONTS]  # a run may come from elsewhere
    return levels is not None and levels < max(known, default=0.0) / 2


def _repeats(few: Sequence[Result]) -> str:
    least = min(few, key=lambda cell: cell.distinct)
    only = "only" if len(few) == 1 else "in the worst only"
    ways = ["--actions sampled"] * (least.actions == "greedy")
    ways += ["--sticky 0.25"] * (least.game.startswith("atari/") and not least.sticky)
    way = f": try {' or '.join(ways)}" if ways else ""
    return (
        f"In {_count(few)} episodes repeat each other: {only} {least.distinct} of {least.episodes} are distinct. "
        f"Intervals take them as independent and are too narrow there{way}."
    )


def _episodes(good: Sequence[Result]) -> Iterator[str]:
    if (fewest := min((cell.episodes for cell in good), default=_ENOUGH)) < _ENOUGH:
        episodes = "1 episode" if fewest == 1 else f"{fewest} episodes"
        yield f"Intervals of {episodes} mean little: play more by --episodes, which is 20 by default."
    if unstable := sum(cell.unstable for cell in good):
        episodes = "episode" if unstable == 1 else "episodes"
        yield f"In {unstable} {episodes} the simulation broke down. They ended there, and count as ties."
    by_score = [cell for cell in good if cell.win_rule is None or cell.win_rule.rule != "game"]
    if all(_timed_out(cell) == cell.episodes for cell in by_score):  # episodes of a fixed length, as HalfCheetah's
        by_score = []
    for count, how in (
        (sum(cell.stalled for cell in good), "stopped after too long without reward"),
        (sum(cell.endings.get(CUT, 0) for cell in good), f"cut by {CUT}"),
        (sum(map(_timed_out, by_score)), "cut by the time limit"),
    ):
        if count:
            episodes = "episode was" if count == 1 else "episodes were"
            ties = any(cell.win_rule is not None and cell.win_rule.rule == "game" for cell in good) and CUT in how
            yield f"{count} {episodes} {how}. Their returns count as they stood{', and they are ties' * ties}."


def _timed_out(cell: Result) -> int:
    """Episodes that the game's own time limit cut."""
    return cell.truncated - cell.endings.get(CUT, 0)


def _count(cells: Sequence[Result]) -> str:
    return f"{len(cells)} cell{'' if len(cells) == 1 else 's'}"
