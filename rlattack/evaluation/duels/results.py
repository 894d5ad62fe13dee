"""From the episodes of a duel to its entry in `results.json` and its rows in `episodes.csv`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rlattack.evaluation.duels.cell import DuelCell
from rlattack.evaluation.duels.rollout import DuelEpisode
from rlattack.evaluation.statistics import bca, wilson
from rlattack.games.batch import FloatArray

__all__ = ["HEAD", "UNSTABLE", "duel_result", "episode_rows", "read_episode"]

UNSTABLE = "unstable"
"""Ending of a simulation that broke down."""
HEAD = ("cell", "episode", "seed", "return_0", "return_1", "outcome", "ending", "length", "truncated")
"""Of `episodes.csv`; return and outcome by seat, the outcome is seat 0's."""


def duel_result(cell: DuelCell, episodes: Sequence[DuelEpisode], seconds: float, victim: int) -> dict[str, Any]:
    """Builds one cell of `results.json`.

    Args:
        cell: What was played.
        episodes: All its episodes, in order.
        seconds: Spent by all workers together.
        victim: The seat by which tables and pictures are laid out.
    """
    steps = sum(episode.length for episode in episodes)
    endings = Counter(episode.ending for episode in episodes)
    return {
        "cell": cell.key,
        "status": "ok",
        "game": cell.game.id,
        "players": [player.name for player in cell.players],
        "seats": list(cell.seats),
        "victim_seat": cell.seats[victim],
        "mask": cell.mask and {"seat": cell.seats[cell.mask[0]], "mode": cell.mask[1]},
        "actions": cell.actions,
        "seed": cell.seed,
        "episodes": cell.episodes,
        **{kind: _rate(episodes, kind) for kind in ("win", "tie", "loss")},
        "return": [_mean(np.asarray([episode.returns[seat] for episode in episodes])) for seat in (0, 1)],
        "length": _mean(np.asarray([float(episode.length) for episode in episodes])),
        "endings": dict(sorted(endings.items())),
        "unstable": endings[UNSTABLE],
        "distinct": len({episode.trajectory for episode in episodes}),
        "truncated": sum(episode.truncated for episode in episodes),
        "steps": steps,
        "steps_per_second": round(steps / seconds, 1) if seconds > 0 else None,
    }


def episode_rows(episodes: Sequence[DuelEpisode]) -> Iterator[tuple[object, ...]]:
    """Rows of `episodes.csv`, in the order of `HEAD`."""
    for e in episodes:
        yield e.cell, e.episode, e.seed, *e.returns, e.outcome, e.ending, e.length, int(e.truncated)


def read_episode(kept: dict[str, Any]) -> DuelEpisode:
    """Makes an episode of what was kept of it."""
    first, second = kept["returns"]
    return DuelEpisode(**kept | {"returns": (first, second)})


def _rate(episodes: Sequence[DuelEpisode], kind: str) -> dict[str, Any]:
    count = sum(episode.outcome == kind for episode in episodes)
    interval = wilson(count, len(episodes))
    return {"rate": count / len(episodes), "ci": [interval.low, interval.high]}


def _mean(values: FloatArray) -> dict[str, Any]:
    interval = bca(values)
    return {"mean": float(values.mean()), "ci": [interval.low, interval.high], "degenerate": interval.degenerate}
