"""Short studies of the games that are known by hand, and what a run left in its folder, as far as it is the same."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlattack.evaluation import Results, Study, evaluate
from rlattack.evaluation.episode import Episode
from tests.kit import games  # noqa: F401  # registers the games that are named here

COINS = {
    "game": "coins/any", "players": ("tests.kit.players:coin",), "attack": ("fgsm:loss=margin",), "eps": (1.5,),
    "space": "raw", "episodes": 6, "envs": 4,
}  # fmt: skip
ROPE = {
    "game": "pull/any", "players": ("random", "tests.kit.players:puller"), "attack": ("pgd:steps=2",), "eps": (0.3,),
    "space": "raw", "episodes": 6, "envs": 4,
}  # fmt: skip
CARTPOLE = {
    "game": "gymnasium/CartPole-v1", "players": ("gymnasium/CartPole-v1/dqn",), "attack": ("fgsm",), "eps": (0.1,),
    "space": "raw", "episodes": 5, "envs": 4, "max_steps": 150, "ledger": True,
}  # fmt: skip


def evaluated(folder: Path, workers: int = 1, **values: Any) -> tuple[Results, list[tuple[Episode, bool]]]:
    """What came of a study, and what was told on the way."""
    told: list[tuple[Episode, bool]] = []
    results = evaluate(
        Study(**values), run=folder, workers=workers, watch=lambda episode, kept: told.append((episode, kept))
    )
    return results, told


def played_of(told: Sequence[tuple[Episode, bool]]) -> list[int]:
    """The numbers of the episodes that were played now."""
    return [episode.episode for episode, kept in told if not kept]


def numbers(folder: Path) -> list[dict[str, Any]]:
    """The cells of `results.json` without their speed."""
    cells = json.loads((folder / "results.json").read_text())["cells"]
    return [{name: value for name, value in cell.items() if name != "steps_per_second"} for cell in cells]


def rows(folder: Path) -> list[dict[str, str]]:
    """The rows of `episodes.csv`, one an episode and seat."""
    with (folder / "episodes.csv").open() as file:
        return list(csv.DictReader(file))


def cells_of(folder: Path) -> dict[Path, int]:
    """Every file of a store's cells with the time of its writing."""
    return {path: path.stat().st_mtime_ns for path in (folder / "store" / "cells").iterdir()}
