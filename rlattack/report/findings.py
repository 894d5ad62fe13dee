"""What a reader should know first: who beats whom, and what the strongest attack does, in a sentence each."""

from dataclasses import dataclass

from rlattack.attacks import title_of
from rlattack.budget.words import counted, size_words
from rlattack.evaluation.episode import CUT
from rlattack.evaluation.results import Rate, Result, SeatResult
from rlattack.policies.placeholders import PLACEHOLDERS
from rlattack.report.comparison import Setting, at, attack_label, hidden, names, opponents, player
from rlattack.report.values import some

_NEARLY = 0.9
"""The headline shows the smallest budget that does this share of the greatest harm."""
_MOST = 3
"""Opponents that are named."""
_FOUND, _SMALLEST = "found", "size found, median"
"""What is measured of an attack that looks for the smallest change (`rlattack.evaluation.sizes`)."""


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
    attacks = [cell for cell in setting.good if cell.attacks and not cell.control]
    return sorted(attacks, key=lambda cell: (cell.attacked.returns.mean, cell.eps or 0.0))


def title(result: Result) -> str:
    """Names a cell's attack at the beginning of a sentence."""
    first = result.attacks[0].name
    return title_of(first) + attack_label(result).removeprefix(first)


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
    measured = [cell for cell in setting.clean if cell.ok and cell.victim_seat.loss is not None]
    if not measured:
        endings = {how for cell in setting.clean if cell.ok for how in cell.endings}
        unfinished = f"No game without an attack ended, so nobody won one: {CUT} cut them all."
        return unfinished if endings == {CUT} else "No game without an attack was measured yet.", ()

    def strength(cell: Result) -> tuple[bool, bool, float]:  # what is done to nobody and to chance is no finding
        return cell.victim_seat.player not in PLACEHOLDERS, cell.mask is None, _rate(cell.victim_seat.loss)

    best = max(measured, key=strength)
    same = [cell for cell in measured if cell is not best and player(cell, cell.victim) == player(best, best.victim)]
    others = [cell for cell in same if cell.mask == best.mask]
    masked = [cell for cell in same if cell.mask != best.mask and _opponents(cell) == _opponents(best)]
    sentence = _best(best)
    if others:
        sentence += f"; against the same victim, {some(list(map(_beats, others)), _MOST, 'more were tried')}"
    sentence += "."
    for cell in masked[:_MOST]:
        if cell.mask is not None:
            sentence += f" With the other player {hidden(cell, '')}, {_beats(cell)}."
    return sentence, (best, *masked[:1], *others[:1])


def _best(cell: Result) -> str:
    """`adversary (blocker) wins 86 % of its games against runner (runner), which wins 14 %`."""
    victim = cell.victim_seat
    who = " and ".join(f"{player(cell, seat)} ({cell.seats[seat].name})" for seat in opponents(cell))
    whose = "its" if len(opponents(cell)) == 1 else "their"
    tie = f" and ties {_percent(victim.tie)}" if victim.tie is not None and victim.tie.rate else ""
    against = f"{player(cell, cell.victim)} ({victim.name}), which wins {_percent(victim.win)}{tie}"
    return f"{_beats(cell, who)} of {whose} games against {against}"


def _beats(cell: Result, who: str = "") -> str:
    """`adversary wins 86 %`."""
    verb = "wins" if len(opponents(cell)) == 1 else "win"
    return f"{who or _opponents(cell)} {verb} {_percent(cell.victim_seat.loss)}"


def _harm(setting: Setting) -> Finding:
    """Says what the strongest attack did to the win rate, or to the return where the game has no win rule."""
    clean = next((cell for cell in setting.clean if cell.ok), None)
    if clean is None:
        return Finding("The clean game was not measured yet, so there is nothing to compare the attacks with.")
    attacks = [(cell, pairing) for pairing in setting.pairings for cell in pairing.good if not cell.control]
    if not attacks:
        return Finding("No attack was measured yet.", clean=clean)
    falls = [
        (drop.win or drop.returns, cell, pairing)
        for cell, pairing in attacks
        if (drop := cell.attacked.drop) is not None and pairing.clean
    ]
    if not falls:
        return Finding("No attack was compared with the clean game yet.", clean=clean)
    greatest, attack, pairing = max(falls, key=lambda found: found[0].value)
    if harmful := greatest.ci[0] > 0:
        enough = [(cell, its) for fall, cell, its in falls if fall.value >= _NEARLY * greatest.value]
        attack, pairing = min(enough, key=lambda one: (counted(one[0].spaces[0]), one[0].eps or 0.0))
    control, before, after = pairing.control(attack), _shown(pairing.before), _shown(attack.attacked)
    who = f"{title(attack)}{at(attack)}"
    if not harmful:
        alike = len(falls) > 1 and len({(_shown(its.before), _shown(cell.attacked)) for _, cell, its in falls}) == 1
        leaves = "all leave" if alike else f"{who}, the strongest, leaves"
        sentence = f"No attack lowered the {_measure(attack)} measurably: {leaves} {after} of {before}."
    elif attack.eps is None and _SMALLEST in attack.attacked.observed:
        sentence = _sizes(attack, control)
    else:
        noise = f"; {_control(control)} of the same size leaves {_shown(control.attacked)}" if control else ""
        if control and not _below(attack.attacked, control.attacked):
            noise += ", not measurably more (their intervals overlap)"
        if untimed := pairing.untimed(attack):
            noise += f"; at random steps of the same share it leaves {_shown(untimed.attacked)}"
        sentence = f"{who} takes the {_measure(attack)} from {before} to {after}{noise}."
    return Finding(sentence, clean=pairing.clean, attack=attack, control=control)


def _below(attacked: SeatResult, control: SeatResult) -> bool:
    """Whether an attack leaves less than its control does, by intervals that do not touch."""
    one, other = attacked.win or attacked.returns, control.win or control.returns
    return one.ci[1] < other.ci[0]


def _sizes(attack: Result, control: Result | None) -> str:
    """Says how small a change was found to be enough, beside what it takes without wits."""
    share = 100 * attack.attacked.observed[_FOUND].mean
    found = f"{title(attack)} turns the action in {share:.0f} % of the steps by a change of {_median(attack)}"
    found += " (median)" if counted(attack.spaces[0]) else " (median size an entry)"
    if control is not None and _SMALLEST in control.attacked.observed:
        found += f"; {_control(control)} needs {_median(control)}"
    return f"{found}."


def _median(cell: Result) -> str:
    """`0.0235 grey levels`, `2 pixels`, or the bare size where it has neither."""
    observed, (reach, space) = cell.attacked.observed, cell.spaces
    if counted(reach):
        return size_words(observed[_SMALLEST].mean, reach, space)
    levels = observed.get(f"{_SMALLEST}, grey levels")
    return f"{observed[_SMALLEST].mean:.3g}" if levels is None else f"{levels.mean:.3g} grey levels"


def _control(cell: Result) -> str:
    """What stands beside an attack, in the middle of a sentence."""
    name = title_of(cell.attacks[0].name)
    return name[:1].lower() + name[1:]


def _measure(cell: Result) -> str:
    """What is said to fall: `win rate`, and whose against whom where there are opponents."""
    name = "mean return" if cell.attacked.win is None else "win rate"
    if len(cell.seats) == 1:
        return name
    attacked = cell.seats.index(cell.attacked)
    against = names(cell, [number for number in range(len(cell.seats)) if number != attacked], " and ")
    return f"{name} of {player(cell, attacked)} ({cell.attacked.name}) against {against}"


def _shown(seat: SeatResult | None) -> str:
    assert seat is not None, "it was compared with one"
    return f"{seat.returns.mean:.4g}" if seat.win is None else _percent(seat.win)


def _opponents(cell: Result) -> str:
    return names(cell, opponents(cell), " and ")


def _rate(share: Rate | None) -> float:
    return 0.0 if share is None else share.rate


def _percent(share: Rate | None) -> str:
    return f"{100 * _rate(share):.0f} %"
