"""Whether beside each attack of a run stands a control of its size, on the same episodes."""

from collections.abc import Sequence

from rlattack.evaluation.results import AttackResult, Result


def without_control(result: Result, results: Sequence[Result]) -> list[str]:
    """What is wrong beside an attacked cell: no clean one, or no control of its size; nothing of clean and controls.

    Args:
        result: Of the cell.
        results: Of the whole run.
    """
    if result.clean:
        return []
    problems = []
    like = [one for one in results if _same_play(one, result)]
    if not any(one.clean for one in like):
        problems.append("the same play without an attack is not in the run")
    if not result.control and not any(one.control and _same_size(one, result) for one in like):
        problems.append(f"{result.attacks[0].name}: no control of its size, schedule and seed is in the run")
    return problems


def _same_play(one: Result, other: Result) -> bool:
    """Whether the same players play the same episodes."""
    about = ("game", "victim", "mask", "actions", "sticky", "defence", "seed", "episodes", "device")
    players = [[seat.player for seat in result.seats] for result in (one, other)]
    return players[0] == players[1] and all(getattr(one, name) == getattr(other, name) for name in about)


def _same_size(control: Result, result: Result) -> bool:
    """Whether a control may do as much as the attacks of a cell, one by one."""
    pairs = list(zip(control.attacks, result.attacks, strict=False))
    return len(control.attacks) == len(result.attacks) and all(_as_much(*pair) for pair in pairs)


def _as_much(control: AttackResult, attack: AttackResult) -> bool:
    about = ("seat", "space", "model", "grid", "free", "schedule")
    same = all(getattr(control, name) == getattr(attack, name) for name in about) and control.access == attack.access
    return same and (attack.eps is None or (control.eps, control.reach) == (attack.eps, attack.reach))
