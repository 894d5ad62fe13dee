"""From the episodes of a cell to its entry in `results.json`: rates, returns, drops, sizes, effort."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rlattack.attacks import ATTACKS
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.rollout import Episode
from rlattack.evaluation.statistics import Interval, bca, iqm, paired_rates, wilson
from rlattack.games.batch import FloatArray
from rlattack.games.card import Win

__all__ = ["SCHEMA", "cell_result", "outcome"]

SCHEMA = "rlattack/results/1"


def outcome(win: Win | None, score: float) -> str | None:
    """`win`, `tie` or `loss` by the game's own rule; None where the game has none (DESIGN rule 6)."""
    if win is None:
        return None
    if win.rule == "threshold":
        assert win.score is not None
        return "win" if score >= win.score else "loss"
    return "win" if score > 0 else "loss" if score < 0 else "tie"


def cell_result(
    cell: Cell, episodes: Sequence[Episode], clean: Sequence[Episode], radius: float | None, seconds: float
) -> dict[str, Any]:
    """Builds one cell of `results.json`.

    Args:
        cell: What was played.
        episodes: All its episodes, in order.
        clean: The same episodes without an attack, in order.
        radius: Of the budget, in units of its space.
        seconds: Spent by all workers together.
    """
    steps = sum(episode.length for episode in episodes)
    total = max(steps, 1)
    broken = sum(episode.judgement.broken for episode in episodes)
    scores, before = _scores(episodes), _scores(clean)
    return {
        **_identity(cell, radius),
        "status": "ok" if broken == 0 else f"failed: the attack left its budget in {broken} of {steps} steps",
        "return": {"mean": float(scores.mean()), **_interval(bca(scores)), "iqm": iqm(scores)},
        **_rates(cell.game.win, scores),
        "drop": _drop(cell.game.win, before, scores),
        "distinct": len({episode.trajectory for episode in episodes}),
        "stalled": sum(episode.stalled for episode in episodes),
        "truncated": sum(episode.truncated for episode in episodes),
        "action_change": sum(episode.judgement.changed for episode in episodes) / total,
        "attacked": sum(episode.judgement.attacked for episode in episodes) / total,
        "size": dict(zip(("linf", "l2", "l1", "l0"), _largest(episodes), strict=True)),
        "queries": sum(episode.queries for episode in episodes) / total,
        "gradients": sum(episode.gradients for episode in episodes) / total,
        "steps": steps,
        "steps_per_second": round(steps / seconds, 1) if seconds > 0 else None,
    }


def _identity(cell: Cell, radius: float | None) -> dict[str, Any]:
    budget = cell.budget
    knowledge = "none" if budget is None or cell.surrogate else ATTACKS.get(cell.attack.name).knowledge
    return {
        "cell": cell.key,
        "status": "ok",
        "game": cell.game.id,
        "victim": cell.victim.name,
        "defence": None,
        "attack": cell.attack.name,
        "parameters": dict(cell.attack.parameters),
        "model": cell.model,
        "grid": bool(budget and budget.grid),
        "knowledge": knowledge,
        "surrogate": cell.surrogate and cell.surrogate.name,
        "norm": budget and budget.norm,
        "eps": budget and budget.eps,
        "radius": radius,
        "space": budget and budget.space,
        "actions": cell.actions,
        "sticky": cell.game.protocol.sticky,
        "seed": cell.seed,
        "episodes": cell.episodes,
    }


def _scores(episodes: Sequence[Episode]) -> FloatArray:
    return np.asarray([episode.score for episode in episodes])


def _largest(episodes: Sequence[Episode]) -> list[float]:
    sizes = np.max([episode.judgement.size for episode in episodes], axis=0)
    return [float(f"{size:.6g}") for size in sizes[:3]] + [int(sizes[3])]


def _interval(interval: Interval) -> dict[str, Any]:
    return {"ci": [interval.low, interval.high], "degenerate": interval.degenerate}


def _rates(win: Win | None, scores: FloatArray) -> dict[str, Any]:
    if win is None:
        return {"win": None, "tie": None, "loss": None}
    outcomes = [outcome(win, float(score)) for score in scores]
    rates: dict[str, Any] = {}
    for kind in ("win", "tie", "loss"):
        count = outcomes.count(kind)
        interval = wilson(count, len(outcomes))
        rates[kind] = {"rate": count / len(outcomes), "ci": [interval.low, interval.high]}
    rule: dict[str, Any] = {"rule": win.rule}
    if win.rule == "threshold":
        rule["threshold"] = win.score
    rates["win"] |= rule
    return rates


def _drop(win: Win | None, before: FloatArray, after: FloatArray) -> dict[str, Any]:
    difference = bca(before - after)
    drop: dict[str, Any] = {
        "return": float((before - after).mean()),
        "return_ci": [difference.low, difference.high],
        "return_degenerate": difference.degenerate,
    }
    if win is None:
        return drop | {"win": None, "win_ci": None}
    won = [
        np.asarray([outcome(win, float(score)) == "win" for score in scores], dtype=np.float64)
        for scores in (before, after)
    ]
    interval = paired_rates(*won)
    return drop | {"win": float(won[0].mean() - won[1].mean()), "win_ci": [interval.low, interval.high]}
