"""Figures of what can be named: cells that were played once, in `reference/`, and agents that were trained by it."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rlattack.policies.folder import agent_cards

HERE = Path(__file__).parent
PLAYED = [
    row for path in sorted((HERE / "reference").glob("*.csv")) for row in csv.DictReader(path.open(encoding="utf-8"))
]
"""Cells in which attacks and fronts were played once, as `rlattack report RUN --as csv` writes them."""
PICTURES = HERE / "pictures" / "attacks"
"""What attacks make of a state, by `portraits.py`."""
_SAME = ("victim", "attack", "eps", "seed", "episodes")


def of_attack(name: str, kind: Any) -> Iterator[str]:
    """What an attack looks like, leaves and asks for, beside the clean game and its control."""
    if (PICTURES / f"{name}.png").exists():
        yield from (f"![What is shown, what {name} makes of it, and the change](../pictures/attacks/{name}.png)", "")
    rows = []
    for row in PLAYED:
        if row["attack"] == name and not row["defence"]:
            beside = [other for other in PLAYED if other["run"] == row["run"]]
            clean = next(other for other in beside if other["attack"] == "none")
            control = None if kind.is_control else kind.control().name
            same = [other for other in beside if other["attack"] == control and other["eps"] == row["eps"]]
            size = f"{row['reach']} {row['eps']} {row['space']}" if row["eps"] else "the least"
            asked = f"{float(row['queries']):.4g} outputs, {float(row['gradients']):.4g} gradients"
            rows.append((row["victim"], size, _return(clean), _return(*same[:1]), _return(row), asked))
    yield from _table(("victim", "size", "clean", "control", "attacked", "asked in a step"), rows)


def of_front(name: str) -> Iterator[str]:
    """What an attack that goes through a front leaves, beside what it leaves of the bare victim."""
    own = [row for row in PLAYED if row["defence"].partition(":")[0] == name]
    rows = []
    for row in own[2:]:  # after the clean game and the control
        same = tuple(row[key] for key in _SAME)
        bare = [other for other in PLAYED if not other["defence"] and tuple(other[key] for key in _SAME) == same]
        attack = f"{row['attack']} {row['eps']}"
        rows.append((row["victim"], f"`{row['defence']}`", attack, *map(_return, (*own[:2], row)), _return(*bare[:1])))
    yield from _table(("victim", "front", "attack", "clean", "noise", "attacked", "attacked without it"), rows)


def of_recipe(name: str) -> Iterator[str]:
    """What agents that ship and were trained by a recipe earn, clean and under the attack on their cards."""
    rows = []
    for agent, card in agent_cards():
        defends, score = card.provenance.get("defends", {}), card.score
        if str(defends.get("defence", "")).partition(":")[0] == name:
            attacked = score.get("attacked", {})
            size = f"{defends.get('eps', '')} {defends['space']}"
            told = (interval(score), interval(score.get("noise", {})), interval(attacked))
            rows.append((agent, f"`{defends['defence']}`", size, *told, f"`{attacked.get('attack', '')}`"))
    yield from _table(("agent", "trained by", "size", "clean", "noise", "attacked", "by"), rows)


def interval(score: Mapping[str, Any]) -> str:
    """A mean with its interval, of a card; empty where there is none."""
    return f"{score['mean']:.4g} [{score['ci'][0]:.4g}, {score['ci'][1]:.4g}]" if "mean" in score else ""


def _return(row: Mapping[str, str] | None = None) -> str:
    if row is None:
        return ""
    mean, low, high = (f"{float(row[key]):.4g}" for key in ("return", "return_low", "return_high"))
    return f"{mean} [{low}, {high}]"


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    if rows:
        yield from (f"| {' | '.join(heads)} |", "|---" * len(heads) + "|")
        yield from (f"| {' | '.join(row)} |" for row in rows)
        yield ""
