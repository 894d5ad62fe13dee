"""What a reader should know first: who beats whom, and what the strongest attack does, in a sentence each."""

from collections.abc import Sequence
from dataclasses import dataclass

from rlattack.attacks import title_of
from rlattack.budget.words import counted
from rlattack.evaluation.results import Mean, Rate, Result, SeatResult
from rlattack.policies.placeholders import PLACEHOLDERS
from rlattack.report.comparison import (
    Pairing,
    Setting,
    at,
    attack_label,
    beside,
    eps,
    opponent_wins,
    opponents,
    player,
    spaces,
)

_NEARLY = 0.9
"""The headline shows the smallest budget that does this share of the greatest harm."""
_MOST = 3
_FOUND, _SMALLEST = "found", "size found, median"
"""What is measured of an attack that looks for the smallest change (`rlattack.evaluation.sizes`)."""
"""Opponents that are named."""


@dataclass(frozen=True)
class Finding:
    """The main result of one setting in words, and the cells it speaks of.

    Attributes:
        sentence: One or more.
        meetings: Games without an attack: that of the strongest opponent, then others of the same victim.
        clean: Of the players whom the attack is told of.
        attack: The strongest attack, at the smallest budget that does nearly all its harm.
        control: Of its size.
    """

    sentence: str
    meetings: tuple[Result, ...] = ()
    clean: Result | None = None
    attack: Result | None = None
    control: Result | None = None


def finding(setting: Setting) -> Finding:
    """Says what opponents do to the victim, and what attacks do beside the clean game and the control."""
    sentence, meetings = ("", ()) if setting.alone else _meetings(setting)
    if not setting.alone and not setting.pairings:
        return Finding(sentence, meetings)
    harm = _harm(setting)
    return Finding(f"{sentence} {harm.sentence}".strip(), meetings, harm.clean, harm.attack, harm.control)


def strongest(setting: Setting) -> list[Result]:
    """Returns the attacks by the return of the attacked seat, lowest first; of equal ones the smallest budget."""
    return sorted(_attacks(setting.good), key=lambda cell: (cell.attacked.returns.mean, eps(cell) or 0.0))


def title(result: Result) -> str:
    """Names a cell's attack at the beginning of a sentence."""
    assert result.attack is not None
    first, rest = result.attack.name, attack_label(result).removeprefix(result.attack.name)
    return title_of(first) + rest


def win_rule(result: Result) -> str:
    """Says when an episode of a cell counts as won."""
    rule = result.win_rule
    if rule is None:
        return "This game has no win rule, so no win rate is given."
    if rule.rule == "game":
        return "Who wins is the game's own rule."
    if rule.rule == "score":
        return "A win is a return above 0, a tie is 0, a loss is below 0."
    bar = "the score on the game's card" if rule.threshold is None else f"{rule.threshold:g}"
    return f"A win is a return of at least {bar}: a threshold, a named human reference, not a rule of the game."


def _meetings(setting: Setting) -> tuple[str, tuple[Result, ...]]:
    """Says what the strongest opponent does to its victim, and others beside it to the same one."""
    measured = [cell for cell in setting.clean if cell.ok and opponent_wins(cell) is not None]
    if not measured:
        return "No game without an attack was measured yet.", ()
    best = max(measured, key=lambda cell: (_agent(cell), cell.mask is None, _wins(cell)))
    same = [cell for cell in measured if cell is not best and _victim(cell) == _victim(best)]
    others = [cell for cell in same if cell.mask == best.mask]
    masked = [cell for cell in same if cell.mask != best.mask and _opponents(cell) == _opponents(best)]
    sentence = _best(best)
    if others:
        words = [_beats(cell) for cell in others]
        more = f" and {len(words) - _MOST} more were tried" if len(words) > _MOST else ""
        sentence += f"; against the same victim, {', '.join(words[:_MOST])}{more}"
    sentence += "."
    for cell in masked[:_MOST]:
        if cell.mask is not None:
            hidden = f"hidden from the {cell.mask.seat} (mask {cell.mask.mode})"
            sentence += f" With the other player {hidden}, {_beats(cell)}."
    return sentence, (best, *masked[:1], *others[:1])


def _best(cell: Result) -> str:
    """`adversary (blocker) wins 86 % of its games against runner (runner), which wins 14 %`."""
    victim = cell.seats[cell.victim]
    who = " and ".join(f"{player(cell, seat)} ({cell.seats[seat].name})" for seat in opponents(cell))
    whose = "its" if len(opponents(cell)) == 1 else "their"
    tie = f" and ties {_percent(victim.tie.rate)}" if victim.tie is not None and victim.tie.rate else ""
    against = f"{_victim(cell)} ({victim.name}), which wins {_percent(victim.win.rate if victim.win else 0.0)}{tie}"
    return f"{_beats(cell, who)} of {whose} games against {against}"


def _beats(cell: Result, who: str = "") -> str:
    """`adversary wins 86 %`."""
    verb = "wins" if len(opponents(cell)) == 1 else "win"
    return f"{who or _opponents(cell)} {verb} {_percent(_wins(cell))}"


def _harm(setting: Setting) -> Finding:
    """Says what the strongest attack did to the win rate, or to the return where the game has no win rule."""
    clean = next((cell for cell in setting.clean if cell.ok), None)
    if clean is None:
        return Finding("The clean game was not measured yet, so there is nothing to compare the attacks with.")
    attacks = [(cell, pairing) for pairing in setting.pairings for cell in _attacks(pairing.good)]
    if not attacks:
        return Finding("No attack was measured yet.", clean=clean)
    falls = [(fall, cell, pairing) for cell, pairing in attacks if (fall := _fall(cell)) is not None and pairing.clean]
    if not falls:
        return Finding("No attack was compared with the clean game yet.", clean=clean)
    greatest, worst, _ = max(falls, key=lambda found: found[0].value)
    if greatest.ci[0] <= 0:
        return _no_harm(worst, next(pairing for fall, cell, pairing in falls if cell is worst))
    enough = [(cell, pairing) for fall, cell, pairing in falls if fall.value >= _NEARLY * greatest.value]
    attack, pairing = min(enough, key=lambda one: (counted(spaces(one[0])[0]), eps(one[0]) or 0.0))
    control = beside(attack, pairing)
    before, after = _shown(_seat(pairing.clean, attack)), _shown(attack.attacked)
    if eps(attack) is None and _SMALLEST in attack.attacked.observed:
        return Finding(_sizes(attack, control), clean=pairing.clean, attack=attack, control=control)
    noise = "" if control is None else f"; {_control(control)} of the same size leaves {_shown(control.attacked)}"
    sentence = f"{title(attack)}{at(attack)} takes the {_measure(attack)} from {before} to {after}{noise}."
    return Finding(sentence, clean=pairing.clean, attack=attack, control=control)


def _sizes(attack: Result, control: Result | None) -> str:
    """Says how small a change was found to be enough, beside what it takes without wits."""
    found = [f"{title(attack)} turns the action in {_percent(attack.attacked.observed[_FOUND].mean)} of the steps"]
    found[0] += f" by a change of {_median(attack)} (median size an entry)"
    if control is not None and _SMALLEST in control.attacked.observed:
        found.append(f"{_control(control)} needs {_median(control)}")
    return "; ".join(found) + "."


def _median(cell: Result) -> str:
    """`0.0235 grey levels`, or the bare size where it has none."""
    observed = cell.attacked.observed
    levels = observed.get(f"{_SMALLEST}, grey levels")
    return f"{observed[_SMALLEST].mean:.3g}" if levels is None else f"{levels.mean:.3g} grey levels"


def _control(cell: Result) -> str:
    """What stands beside an attack, in the middle of a sentence."""
    assert cell.attack is not None
    names = {"noise": "noise", "direction": "a random direction", "action-noise": "another action"}
    return names.get(cell.attack.name, cell.attack.name)


def _no_harm(worst: Result, pairing: Pairing) -> Finding:
    before, after = _shown(_seat(pairing.clean, worst)), _shown(worst.attacked)
    sentence = (
        f"No attack lowered the {_measure(worst)} measurably: {title(worst)}{at(worst)}, the strongest, leaves "
        f"{after} of {before}."
    )
    return Finding(sentence, clean=pairing.clean, attack=worst, control=beside(worst, pairing))


def _measure(cell: Result) -> str:
    """What is said to fall: `win rate`, and whose against whom where there are opponents."""
    name = "mean return" if cell.attacked.win is None else "win rate"
    if len(cell.seats) == 1:
        return name
    attacked = next(number for number, seat in enumerate(cell.seats) if seat.name == cell.attacked.name)
    against = " and ".join(player(cell, number) for number in range(len(cell.seats)) if number != attacked)
    return f"{name} of {player(cell, attacked)} ({cell.attacked.name}) against {against}"


def _attacks(cells: Sequence[Result]) -> list[Result]:
    """The measured cells that are neither clean nor a control."""
    return [cell for cell in cells if not cell.clean and not cell.control]


def _fall(cell: Result) -> Rate | Mean | None:
    """How far the attacked seat fell: in wins, or in return where nobody wins."""
    drop = cell.attacked.drop
    return None if drop is None else drop.win or drop.returns


def _seat(clean: Result | None, cell: Result) -> SeatResult:
    """The attacked seat of a cell in the clean one beside it."""
    assert clean is not None, "it was compared with one"
    return next(seat for seat in clean.seats if seat.name == cell.attacked.name)


def _shown(seat: SeatResult) -> str:
    return f"{seat.returns.mean:.4g}" if seat.win is None else _percent(seat.win.rate)


def _agent(cell: Result) -> bool:
    """Whether an agent is the victim: what is done to nobody and to chance is no finding."""
    return cell.seats[cell.victim].player not in PLACEHOLDERS


def _victim(cell: Result) -> str:
    return player(cell, cell.victim)


def _opponents(cell: Result) -> str:
    return " and ".join(player(cell, seat) for seat in opponents(cell))


def _wins(cell: Result) -> float:
    wins = opponent_wins(cell)
    return -1.0 if wins is None else wins.rate


def _percent(rate: float) -> str:
    return f"{100 * rate:.0f} %"
