"""What a reader of a run should know first: the harm in one sentence, and what to doubt."""

from dataclasses import dataclass

from rlattack.evaluation.series import (
    Record,
    clean_of,
    estimate,
    is_clean,
    is_control,
    is_ok,
    label,
    noise_beside,
    number,
    size,
)

__all__ = [
    "Finding",
    "attacks_of",
    "count_cells",
    "finding",
    "repeats",
    "strongest",
    "title",
    "warnings",
    "win_rule",
]

_NEARLY = 0.9
"""The headline shows the smallest budget that does this share of the greatest harm."""
_ACRONYMS = ("fgsm", "pgd")


@dataclass(frozen=True)
class Finding:
    """The harm of one setting in one sentence, and the cells it speaks of."""

    sentence: str
    clean: Record | None = None
    attack: Record | None = None
    noise: Record | None = None


def finding(records: list[Record]) -> Finding:
    """Says what the attacks of one setting did to the win rate, or to the return where the game has no win rule."""
    clean, attacks = clean_of(records), attacks_of(records)
    if clean is None:
        return Finding("The clean game was not measured yet, so there is nothing to compare the attacks with.")
    if not attacks:
        return Finding("No attack was measured yet.", clean)
    wins = estimate(clean, "win", "rate") is not None
    name, drop = ("win rate", "win") if wins else ("mean return", "return")
    harm = [(estimate(record, "drop", drop, f"{drop}_ci"), record) for record in attacks]
    falls = [(fall, record) for fall, record in harm if fall is not None]
    if not falls:
        return Finding("No attack was compared with the clean game yet.", clean)
    greatest, record = max(falls, key=lambda pair: pair[0].value)
    if greatest.low <= 0:
        before, after = _shown(clean, wins), _shown(record, wins)
        kept = f"{title(record)} at {size(record)}, the strongest, leaves {after} of {before}"
        return Finding(
            f"No attack lowered the {name} measurably: {kept}.", clean, record, noise_beside(record, records)
        )
    enough = [record for fall, record in falls if fall.value >= _NEARLY * greatest.value]
    attack = min(enough, key=lambda record: (record.get("norm") == "l0", number(record, "eps") or 0.0))
    noise = noise_beside(attack, records)
    beside = "" if noise is None else f"; noise of the same size leaves {_shown(noise, wins)}"
    change = f"takes the {name} from {_shown(clean, wins)} to {_shown(attack, wins)}"
    return Finding(f"{title(attack)} at {size(attack)} {change}{beside}.", clean, attack, noise)


def strongest(records: list[Record]) -> list[Record]:
    """Returns the attacks by mean return, lowest first; of equal ones the smallest budget."""
    return sorted(attacks_of(records), key=lambda r: (number(r, "return", "mean") or 0.0, number(r, "eps") or 0.0))


def attacks_of(records: list[Record]) -> list[Record]:
    """Returns the measured cells that are neither clean nor noise."""
    cells = [record for record in records if is_ok(record) and not is_clean(record) and not is_control(record)]
    return [record for record in cells if number(record, "return", "mean") is not None]


def title(record: Record) -> str:
    """Names a cell's attack at the beginning of a sentence."""
    first, _, rest = label(record).partition(" ")
    name = first.upper() if first in _ACRONYMS else first[:1].upper() + first[1:]
    return f"{name} {rest}".strip()


def warnings(records: list[Record]) -> list[str]:
    """Lists what weakens the numbers of one setting."""
    found = []
    failed = [record for record in records if not is_ok(record)]
    if failed:
        found.append(
            f"{count_cells(failed)} failed: see the status in the table. Failed cells are in no curve and no finding."
        )
    good = [record for record in records if is_ok(record)]
    if lonely := [record for record in attacks_of(records) if noise_beside(record, records) is None]:
        found.append(f"{count_cells(lonely)} without noise of the same size beside: {_list(lonely)}.")
    if equal := [record for record in good if (record.get("return") or {}).get("degenerate")]:
        found.append(
            f"In {count_cells(equal)} all returns are equal. The interval (starred) is then the point "
            "and tells no spread."
        )
    found += repeats(good)
    for key, meaning in (
        ("stalled", "without reward for too long and were stopped"),
        ("truncated", "cut by the time limit"),
    ):
        if total := sum(number(record, key) or 0 for record in good):
            found.append(f"{total:g} episodes were {key}: {meaning}. Their returns count as they stood.")
    return found


def repeats(records: list[Record]) -> list[str]:
    """Warns of cells whose episodes went alike."""
    few = [r for r in records if (number(r, "distinct") or 0) < (number(r, "episodes") or 0) and number(r, "distinct")]
    if not few:
        return []
    least = min(few, key=lambda record: number(record, "distinct") or 0)
    only = "only" if len(few) == 1 else "in the worst only"
    return [
        f"In {count_cells(few)} episodes repeat each other: {only} {number(least, 'distinct'):g} of "
        f"{number(least, 'episodes'):g} are distinct. Intervals take them as independent and are too narrow there."
    ]


def win_rule(record: Record) -> str:
    """Says when an episode of a cell counts as won."""
    win = record.get("win") or {}
    if win.get("rule") == "score":
        return "A win is a return above 0, a tie is 0, a loss is below 0."
    if win.get("rule") == "threshold":
        least = number(win, "threshold")
        bar = "the score on the game's card" if least is None else f"{least:g}"
        return f"A win is a return of at least {bar}: a threshold, a named human reference, not a rule of the game."
    return "" if win else "This game has no win rule, so no win rate is given."


def _shown(record: Record, wins: bool) -> str:
    point = estimate(record, *(("win", "rate") if wins else ("return", "mean")))
    if point is None:
        return "an unknown value"
    return f"{100 * point.value:.0f} %" if wins else f"{point.value:.4g}"


def count_cells(records: list[Record]) -> str:
    """`1 cell`, `2 cells`."""
    return f"{len(records)} cell{'' if len(records) == 1 else 's'}"


def _list(records: list[Record], most: int = 4) -> str:
    names = [f"{label(record)} {record.get('norm')} {number(record, 'eps'):g}" for record in records]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
