"""Rounds of defence and reattack as a staircase: every adversary against the victim it was trained on and the next."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from pydantic import TypeAdapter

from rlattack.evaluation.results import Rate, Result
from rlattack.files import write_whole
from rlattack.report.curves import INK, png

SCHEMA = "rlattack/staircase/1"
FILE, PICTURE = "staircase.json", "staircase.png"


@dataclass(frozen=True)
class Stair:
    """One adversary against one victim.

    Attributes:
        number: Of the adversary and of the victim: as many defences came before each.
        win: The adversary's share of games.
    """

    adversary: str
    victim: str
    number: tuple[int, int]
    win: Rate

    @property
    def rises(self) -> bool:
        """Whether the adversary was trained against this very victim, and not against the one before it."""
        return self.number[0] == self.number[1]


def write_staircase(
    folder: Path, results: Sequence[Result], victims: Sequence[str], adversaries: Sequence[str]
) -> list[Stair]:
    """Writes numbers and picture into a run folder.

    Args:
        folder: The run folder.
        results: Its cells, with every pair of the staircase.
        victims: Names in the order of the defences, the undefended one first.
        adversaries: Names; number i was trained against victim i.

    Returns:
        Adversary 0 against victims 0 and 1, adversary 1 against victims 1 and 2, and so on.
    """
    met = [cell for cell in results if cell.clean and cell.mask is None]
    found = {
        (cell.seats[cell.victim].player, cell.seats[1 - cell.victim].player): cell.victim_seat.loss for cell in met
    }
    stairs = []
    for i, adversary in enumerate(adversaries):
        for j, victim in list(enumerate(victims))[i : i + 2]:
            win = found[victim, adversary]
            assert win is not None, "every pair was played"
            stairs.append(Stair(adversary, victim, (i, j), win))
    content = {"schema": SCHEMA, "stairs": [asdict(stair) for stair in stairs]}
    write_whole(folder / FILE, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    write_whole(folder / PICTURE, png(partial(staircase, stairs)))
    return stairs


def read_staircase(folder: Path) -> list[Stair]:
    """Reads the staircase of a run folder; empty where it has none."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            return []
        return TypeAdapter(list[Stair]).validate_python(content["stairs"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def staircase(stairs: Sequence[Stair]) -> Figure:
    """Draws the stairs, for `rlattack.report.curves.svg` or `png`."""
    figure = Figure(figsize=(max(4.6, 0.95 * len(stairs) + 1.6), 3.4), layout="constrained")
    axes = figure.subplots()
    places = range(len(stairs))
    axes.step(places, [one.win.rate for one in stairs], where="mid", color=INK, linewidth=1, alpha=0.5)
    for place, one in zip(places, stairs, strict=True):
        axes.vlines(place, *one.win.ci, color=INK, linewidth=1.4)
        axes.plot(place, one.win.rate, "o", color=INK, markerfacecolor=INK if one.rises else "none", markersize=7)
        words = f"{100 * one.win.rate:.0f} %"
        axes.annotate(words, (place, one.win.rate), (9, 5), textcoords="offset points", color=INK)
    axes.set_xticks(places, [f"adversary {one.number[0]}\nvictim {one.number[1]}" for one in stairs])
    axes.set_xlim(-0.5, len(stairs) - 0.3)
    axes.set_ylim(-0.03, 1.08)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel("the adversary wins")
    axes.grid(axis="y", linewidth=0.8)
    axes.tick_params(axis="x", length=0)
    return figure
