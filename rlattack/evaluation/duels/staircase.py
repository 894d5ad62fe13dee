"""Rounds of defence and reattack as a staircase: every adversary against the victim it was trained on and the next."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from rlattack.evaluation.curves import INK, drawing, svg
from rlattack.evaluation.duels.grid import opponent_wins, victim_seat
from rlattack.evaluation.series import Estimate, Record, is_clean
from rlattack.files import write_whole

__all__ = ["FILE", "PICTURE", "Stair", "read_staircase", "staircase_png", "staircase_svg", "write_staircase"]

SCHEMA = "rlattack/staircase/1"
FILE, PICTURE = "staircase.json", "staircase.png"


@dataclass(frozen=True)
class Stair:
    """One adversary against one victim."""

    adversary: str
    victim: str
    number: tuple[int, int]
    """Of the adversary and of the victim: as many defences came before each."""
    wins: Estimate
    """The adversary's share of games."""

    @property
    def rises(self) -> bool:
        """Whether the adversary was trained against this very victim, and not against the one before it."""
        return self.number[0] == self.number[1]


def write_staircase(
    folder: Path, cells: Sequence[Record], victims: Sequence[str], adversaries: Sequence[str]
) -> list[Stair]:
    """Writes numbers and picture into a run folder of duels.

    Args:
        folder: The run folder.
        cells: Of its `results.json`, with every pair of the staircase.
        victims: Names in the order of the defences, the undefended one first.
        adversaries: Names; number i was trained against victim i.

    Returns:
        Adversary 0 against victims 0 and 1, adversary 1 against victims 1 and 2, and so on.

    Raises:
        Unwritable: The folder cannot be written.
    """
    found = {_pair(cell): opponent_wins(cell) for cell in cells if is_clean(cell) and not cell.get("mask")}
    stairs = []
    for i, adversary in enumerate(adversaries):
        for j, victim in list(enumerate(victims))[i : i + 2]:
            wins = found[victim, adversary]
            assert wins is not None, "every pair was played"
            stairs.append(Stair(adversary, victim, (i, j), wins))
    content = {
        "schema": SCHEMA,
        "stairs": [
            {
                "adversary": one.adversary, "victim": one.victim, "number": list(one.number),
                "win": {"rate": one.wins.value, "ci": [one.wins.low, one.wins.high]},
            }
            for one in stairs
        ],
    }  # fmt: skip
    write_whole(folder / FILE, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    write_whole(folder / PICTURE, staircase_png(stairs))
    return stairs


def read_staircase(folder: Path) -> list[Stair]:
    """What `write_staircase` left in a run folder; nothing where it left nothing."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            return []
        return [_stair(one) for one in content["stairs"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def staircase_svg(stairs: Sequence[Stair], name: str) -> str:
    """Draws for the page; see `curves.draw`."""
    with drawing(name):
        return svg(_figure(stairs))


def staircase_png(stairs: Sequence[Stair]) -> bytes:
    """Draws for a file and for TensorBoard."""
    with drawing("staircase"):
        file = io.BytesIO()
        _figure(stairs).savefig(file, format="png", dpi=110)
    return file.getvalue()


def _pair(cell: Record) -> tuple[str, str]:
    """Names of the victim and of its opponent."""
    victim = victim_seat(cell)
    return cell["players"][victim], cell["players"][1 - victim]


def _stair(kept: dict[str, Any]) -> Stair:
    first, second = kept["number"]
    low, high = kept["win"]["ci"]
    return Stair(kept["adversary"], kept["victim"], (first, second), Estimate(kept["win"]["rate"], low, high))


def _figure(stairs: Sequence[Stair]) -> Figure:
    figure = Figure(figsize=(max(4.6, 0.95 * len(stairs) + 1.6), 3.4), layout="constrained")
    axes = figure.subplots()
    places = range(len(stairs))
    heights = [one.wins.value for one in stairs]
    axes.step(places, heights, where="mid", color=INK, linewidth=1, alpha=0.5)
    for place, one in zip(places, stairs, strict=True):
        axes.vlines(place, one.wins.low, one.wins.high, color=INK, linewidth=1.4)
        axes.plot(place, one.wins.value, "o", color=INK, markerfacecolor=INK if one.rises else "none", markersize=7)
        axes.annotate(
            f"{100 * one.wins.value:.0f} %", (place, one.wins.value), (9, 5), textcoords="offset points", color=INK
        )
    axes.set_xticks(places, [f"adversary {one.number[0]}\nvictim {one.number[1]}" for one in stairs])
    axes.set_xlim(-0.5, len(stairs) - 0.3)
    axes.set_ylim(-0.03, 1.08)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel("the adversary wins")
    axes.grid(axis="y", linewidth=0.8)
    axes.tick_params(axis="x", length=0)
    return figure
