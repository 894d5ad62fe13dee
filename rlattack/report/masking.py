"""Signs that an attack failed where a victim seems to hold: masked gradients, and harm that noise does as well."""

import itertools
from collections.abc import Iterator

from rlattack.attacks import title_of
from rlattack.attacks.ensemble import Kind
from rlattack.evaluation.likeness import DOES
from rlattack.evaluation.results import Mean, Rate, Result
from rlattack.report.comparison import Pairing, Setting, attack_label, size
from rlattack.report.detection import is_natural
from rlattack.report.lines import BUDGET, lines
from rlattack.report.values import some

_MOST = 4
"""Cells that are named."""
_SIGNS: dict[Kind, str] = {
    "steps": "more steps weaken it, so its gradients lead astray",
    "size": "a larger size weakens it, so its gradients lead astray",
    "black box": "what has no gradients is stronger, so the victim's may be masked",
    "random starts": "chance is stronger, so the victim's gradients may be masked",
}


def doubts(setting: Setting) -> Iterator[str]:
    """Lists such signs, a sentence each."""
    yield from _black_boxes(setting)
    yield from _oblivious(setting)
    for cell in setting.good:
        yield from _probed(cell)
    for pairing in setting.pairings:
        yield from _shrinking(pairing)
        yield from _no_better(pairing)


def _black_boxes(setting: Setting) -> Iterator[str]:
    """Says where an attack that asks for outputs alone beats every one that has gradients, of the same size."""
    sized = [cell for cell in setting.good if cell.attack is not None and cell.eps is not None and not cell.control]
    by_size: dict[object, list[Result]] = {}
    for cell in sized:
        assert cell.attack is not None
        by_size.setdefault((cell.spaces, cell.eps, cell.attack.schedule, cell.mask, cell.defence), []).append(cell)
    for cells in by_size.values():
        white = [cell for cell in cells if cell.attack and cell.attack.knowledge == "white"]
        for cell in cells if white else []:
            blind = cell.attack is not None and cell.attack.knowledge in ("scores", "decision")
            if blind and cell.attacked.returns.ci[1] < min(one.attacked.returns.ci[0] for one in white):
                yield (
                    f"{attack_label(cell)} {cell.eps:g} has no gradients and does more harm than all that have them: "
                    "the victim's gradients may be masked. Try loss=margin, more steps, or transfer."
                )


def _oblivious(setting: Setting) -> Iterator[str]:
    """Says where who does not know of a defence does more harm than the same attack through it."""

    def like(cell: Result) -> str:
        asked = [(one.name, one.parameters, one.schedule, one.model) for one in cell.attacks]
        return repr((asked, cell.eps, cell.spaces, cell.mask, cell.defence, cell.victim_seat.player))

    through = {like(cell): cell for cell in setting.good if not any(one.surrogate for one in cell.attacks)}
    for cell in setting.good:
        knowing = through.get(like(cell)) if any(one.oblivious for one in cell.attacks) else None
        if knowing is not None and cell.attacked.returns.mean < knowing.attacked.returns.mean:
            yield (
                f"{attack_label(knowing)} at {size(knowing)} goes through the defence and leaves "
                f"{knowing.attacked.returns.mean:.4g}, where {cell.attacked.returns.mean:.4g} is left by who does not "
                "know of it: what it leaves is not the worst case. Try eot=, more steps or restarts."
            )


def _probed(cell: Result) -> Iterator[str]:
    """What an ensemble found of the gradients of its victim."""
    for attack in cell.attacks:
        if (found := attack.ensemble) is None:
            continue
        where = f"{attack_label(cell)} at {size(cell)}, {found.states} states of tuning episodes"
        for probe in found.probes:
            if probe.failed:
                yield (
                    f"{where}: {probe.stronger} raises the loss by {probe.after:.3g}, {probe.weaker} by "
                    f"{probe.before:.3g}: {_SIGNS[probe.kind]}."
                )
        if found.hidden:
            yield (
                f"{where}: in {100 * found.flat:.0f} % of them the loss has no slope where an attack starts: the "
                "victim's gradients may be masked, and what needs them says little of it."
            )


def _shrinking(pairing: Pairing) -> Iterator[str]:
    """Says where a larger budget does measurably less harm than the next smaller one."""
    for line in lines(BUDGET, pairing.good):
        climbs = any(one.knowledge == "white" or one.surrogate for cell in line.cells for one in cell.attacks)
        pairs = itertools.pairwise(line.cells) if climbs and not line.control else []
        weaker = [more for less, more in pairs if more.attacked.returns.ci[0] > less.attacked.returns.ci[1]]
        if weaker:
            at = some([size(cell) for cell in weaker], _MOST)
            yield f"{line.label} does less harm at {at} than at the next smaller size: its gradients may lead astray."


def _no_better(pairing: Pairing) -> Iterator[str]:
    """Says where noise does harm, and an attack of its size and schedule no more, to wins as to what is earned.

    One without a size is left out, changes that nobody chose, and what leads a victim more than its control does.
    """
    for cell in pairing.good:
        control = None if cell.control or cell.eps is None or is_natural(cell) else pairing.control(cell)
        if control is not None and _leads(cell, control):
            continue
        falls = [] if control is None else list(zip(_falls(cell), _falls(control), strict=False))
        if any(noise.ci[0] > 0 for _, noise in falls) and all(own.ci[0] <= noise.ci[1] for own, noise in falls):
            assert control is not None, "it has falls"
            if cell.attacked.returns.ci[1] < control.attacked.returns.ci[0]:  # both falls hold the clean game's spread
                continue
            yield (
                f"{attack_label(cell)} at {size(cell)} does not measurably more harm than "
                f"{title_of(control.attacks[0].name).lower()}, which does some: the attack is weak, which says nothing "
                "for the victim."
            )


def _leads(cell: Result, control: Result) -> bool:
    """Whether the victim is measurably more like whom it is compared with than under the control."""
    led, beside = (one.attacked.observed.get(DOES) for one in (cell, control))
    return led is not None and beside is not None and led.ci[0] > beside.ci[1]


def _falls(cell: Result) -> list[Rate | Mean]:
    """How far the attacked seat fell, on the same episodes: its return, and how often it wins where there are wins."""
    drop = cell.attacked.drop
    if drop is None:
        return []
    return [drop.returns] if drop.win is None else [drop.returns, drop.win]
