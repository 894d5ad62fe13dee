"""What a reader of a run of duels should know first: who beats whom, what hiding and attacks change, what to doubt."""

from dataclasses import dataclass

from rlattack.evaluation.duels.grid import (
    attacked_pairs,
    attacked_seat,
    fair,
    masked,
    opponent_wins,
    player,
    seat_wins,
    seats,
    victim_seat,
)
from rlattack.evaluation.findings import count_cells, repeats
from rlattack.evaluation.series import Record, estimate, is_clean, is_control, is_ok, label, noise_beside, number, size
from rlattack.policies.player import PLACEHOLDERS

__all__ = ["DuelFinding", "duel_finding", "duel_warnings"]

_MOST = 3


@dataclass(frozen=True)
class DuelFinding:
    """The main result of one setting in words, and the cells it speaks of."""

    sentence: str
    cells: list[Record]
    """The strongest opponent's, then others of the same victim."""


def duel_finding(records: list[Record]) -> DuelFinding:
    """Says what the strongest opponent does to its victim, and others beside it to the same one."""
    clean = [record for record in records if is_clean(record)]
    measured = [record for record in clean if is_ok(record) and opponent_wins(record) is not None]
    if not measured:
        return DuelFinding("No duel was measured yet.", [])
    best = max(measured, key=lambda record: (_agent(record, victim_seat(record)), fair(record), _wins(record)))
    victim = victim_seat(best)
    same = [r for r in measured if r is not best and player(r, victim) == player(best, victim)]
    others = [r for r in same if masked(r) == masked(best)]
    hidden = [r for r in same if masked(r) != masked(best) and player(r, 1 - victim) == player(best, 1 - victim)]
    sentence = (
        f"{_who(best, 1 - victim)} wins {_percent(_wins(best))} of its games against {_who(best, victim)}, "
        f"which wins {_percent(_of(best, victim))}{_ties(best)}"
    )
    if others:
        words = [f"{player(r, 1 - victim)} wins {_percent(_wins(r))}" for r in others]
        sentence += f"; against the same victim, {_list(words)}"
    sentence += "."
    for record in hidden[:_MOST]:
        seat, mode = masked(record) or (victim, "none")
        wins = f"{player(record, 1 - victim)} wins {_percent(_wins(record))}"
        sentence += f" With the other player hidden from the {seats(record)[seat]} (mask {mode}), {wins}."
    worst = _worst(records)
    if worst is not None:
        sentence += f" {_attack_words(worst, records)}"
    return DuelFinding(sentence, [best, *([] if worst is None else [worst]), *hidden[:1], *others[:1]])


def _agent(record: Record, seat: int) -> bool:
    """Whether an agent sits there: what is done to nobody and to chance is no finding."""
    return player(record, seat) not in PLACEHOLDERS


def duel_warnings(records: list[Record]) -> list[str]:
    """Lists what weakens the numbers of one setting."""
    good = [record for record in records if is_ok(record)]
    found = []
    if unstable := sum(number(record, "unstable") or 0 for record in good):
        found.append(f"In {unstable:g} games the simulation broke down. They ended there, and count as ties.")
    if broken := [r for r in records if not is_clean(r) and not is_ok(r)]:
        found.append(f"In {count_cells(broken)} the attack left its budget. They show no numbers.")
    found += repeats(good)
    if equal := [r for r in good if any((of or {}).get("degenerate") for of in r.get("return") or ())]:
        found.append(
            f"In {count_cells(equal)} all returns of a seat are equal. The interval, starred where it is shown, "
            "is then the point and tells no spread."
        )
    return found


def _worst(records: list[Record]) -> Record | None:
    """The attack after which the attacked seat wins least beside its clean games; of equal ones the smallest."""
    falls = [r for r in records if not is_clean(r) and not is_control(r) and is_ok(r) and _fall(r) is not None]
    return max(falls, key=lambda r: (_fall(r) or 0.0, -(number(r, "eps") or 0.0)), default=None)


def _fall(record: Record) -> float | None:
    return number(record, "drop", "win")


def _attack_words(worst: Record, records: list[Record]) -> str:
    seat = attacked_seat(worst)
    (pair,) = [group for group in attacked_pairs(records) if worst in group]
    found = f"wins {_percent(_of(worst, seat))} of its games against {player(worst, 1 - seat)}"
    clean = f", and {_percent(_of(pair[0], seat))} without" if is_clean(pair[0]) else ""
    noise = noise_beside(worst, pair)
    beside = "" if noise is None else f" (under noise of that size {_percent(_of(noise, seat))})"
    return f"With {label(worst)} at {size(worst)} on what it sees, {_who(worst, seat)} {found}{clean}{beside}."


def _wins(record: Record) -> float:
    wins = opponent_wins(record)
    return -1.0 if wins is None else wins.value


def _of(record: Record, seat: int) -> float:
    wins = seat_wins(record, seat)
    return 0.0 if wins is None else wins.value


def _who(record: Record, seat: int) -> str:
    return f"{player(record, seat)} ({seats(record)[seat]})"


def _percent(rate: float) -> str:
    return f"{100 * rate:.0f} %"


def _ties(record: Record) -> str:
    ties = estimate(record, "tie", "rate")
    return f" and ties {_percent(ties.value)}" if ties is not None and ties.value else ""


def _list(words: list[str]) -> str:
    return ", ".join(words[:_MOST]) + (f" and {len(words) - _MOST} more were tried" if len(words) > _MOST else "")
