"""From the episodes of a duel to its entry in `results.json` and its rows in `episodes.csv`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rlattack.attacks import ATTACKS
from rlattack.budget import NORMS
from rlattack.evaluation.duels.cell import DuelCell
from rlattack.evaluation.duels.rollout import DuelEpisode
from rlattack.evaluation.duels.seat_attack import Measured
from rlattack.evaluation.statistics import bca, paired_rates, wilson
from rlattack.games.batch import FloatArray

__all__ = ["HEAD", "UNSTABLE", "duel_result", "episode_rows", "read_episode"]

UNSTABLE = "unstable"
"""Ending of a simulation that broke down."""
HEAD = ("cell", "episode", "seed", "return_0", "return_1", "outcome", "ending", "length", "truncated")
"""Of `episodes.csv`; return and outcome by seat, the outcome is seat 0's."""


def duel_result(
    cell: DuelCell,
    episodes: Sequence[DuelEpisode],
    seconds: float,
    victim: int,
    clean: Sequence[DuelEpisode] | None = None,
    radius: float | None = None,
) -> dict[str, Any]:
    """Builds one cell of `results.json`.

    Args:
        cell: What was played.
        episodes: All its episodes, in order.
        seconds: Spent by all workers together.
        victim: The seat by which tables and pictures are laid out.
        clean: The same episodes of the same players without an attack, in order; of a cell with one.
        radius: Of its budget, in units of its space.
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
        **_attack(cell, radius),
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
        **_measured(cell, episodes, clean or ()),
    }


def episode_rows(episodes: Sequence[DuelEpisode]) -> Iterator[tuple[object, ...]]:
    """Rows of `episodes.csv`, in the order of `HEAD`."""
    for e in episodes:
        yield e.cell, e.episode, e.seed, *e.returns, e.outcome, e.ending, e.length, int(e.truncated)


def read_episode(kept: dict[str, Any]) -> DuelEpisode:
    """Makes an episode of what was kept of it."""
    first, second = kept["returns"]
    measured = kept.get("measured")
    if measured is not None:
        measured = Measured(**measured | {"size": tuple(measured["size"])})
    return DuelEpisode(**kept | {"returns": (first, second), "measured": measured})


def _attack(cell: DuelCell, radius: float | None) -> dict[str, Any]:
    """What is done to what a seat sees."""
    if cell.budget is None or cell.attacked is None:
        return {"attack": "none"}
    return {
        "attack": cell.attack.name,
        "parameters": dict(cell.attack.parameters),
        "attacked_seat": cell.seats[cell.attacked],
        "knowledge": ATTACKS.get(cell.attack.name).knowledge,
        "norm": cell.budget.norm,
        "eps": cell.budget.eps,
        "radius": radius,
        "space": cell.budget.space,
    }


def _measured(cell: DuelCell, episodes: Sequence[DuelEpisode], clean: Sequence[DuelEpisode]) -> dict[str, Any]:
    """What the attack did, a step of the attacked seat, and how far that seat fell."""
    found = [episode.measured for episode in episodes if episode.measured is not None]
    if not found or cell.attacked is None:
        return {}
    steps = sum(one.steps for one in found)
    broken = sum(one.broken for one in found)
    changed = [one.changed for one in found if one.changed is not None]
    largest = np.max([one.size for one in found], axis=0)

    def share(counts: Sequence[int]) -> float:
        return sum(counts) / max(steps, 1)

    return {
        "status": "ok" if broken == 0 else f"failed: the attack left its budget in {broken} of {steps} steps",
        "drop": _drop(cell.attacked, clean, episodes),
        "attacked": share([one.attacked for one in found]),
        "action_change": share(changed) if changed else None,
        "size": dict(zip(NORMS, [*(float(f"{size:.6g}") for size in largest[:3]), int(largest[3])], strict=True)),
        "queries": share([one.queries for one in found]),
        "gradients": share([one.gradients for one in found]),
    }


def _drop(seat: int, clean: Sequence[DuelEpisode], episodes: Sequence[DuelEpisode]) -> dict[str, Any] | None:
    """By how much a seat wins and earns less than in the same episodes without the attack."""
    if not clean:
        return None
    won = "win" if seat == 0 else "loss"  # outcomes are seat 0's
    before, after = (np.asarray([float(e.outcome == won) for e in of]) for of in (clean, episodes))
    lost = np.asarray([one.returns[seat] - two.returns[seat] for one, two in zip(clean, episodes, strict=True)])
    wins, returns = paired_rates(before, after), bca(lost)
    return {
        "win": float(before.mean() - after.mean()),
        "win_ci": [wins.low, wins.high],
        "return": float(lost.mean()),
        "return_ci": [returns.low, returns.high],
        "return_degenerate": returns.degenerate,
    }


def _rate(episodes: Sequence[DuelEpisode], kind: str) -> dict[str, Any]:
    count = sum(episode.outcome == kind for episode in episodes)
    interval = wilson(count, len(episodes))
    return {"rate": count / len(episodes), "ci": [interval.low, interval.high]}


def _mean(values: FloatArray) -> dict[str, Any]:
    interval = bca(values)
    return {"mean": float(values.mean()), "ci": [interval.low, interval.high], "degenerate": interval.degenerate}
