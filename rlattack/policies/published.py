"""What others say of how well an agent plays: its card, `results.json` of the hub, `evaluations.npz` beside a zip."""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rlattack.errors import RefusedFile
from rlattack.policies.archive import read_file
from rlattack.policies.statistics import companions

HUB, EVALUATIONS = "results.json", "evaluations.npz"
_SLACK = 0.05
"""Share of a published mean by which another one is no news, however alike its episodes were.

A few episodes understate their spread, and another version of a game moves a mean by some per cent; what the check is
there for (statistics left out, other wrappers, another protocol) costs tens of per cent.
"""
_NORMAL = 1.96
"""Standard errors to each side of a 95 % interval."""


@dataclass(frozen=True)
class Published:
    """A mean return that somebody states.

    Attributes:
        mean: Of episodes.
        deviation: Standard deviation of an episode's return.
        source: Where it stands, in a few words.
        actions: `greedy` or `sampled`, where it says how the agent chose.
        sticky: The probability of sticky actions, where it says so.
        others: Other means with their deviations, of states of the agent that its file may be as well.
        fronts: What stood before the agent, as `--defence` takes it.
    """

    mean: float
    deviation: float
    source: str
    actions: str = ""
    sticky: float | None = None
    others: tuple[tuple[float, float], ...] = ()
    fronts: tuple[str, ...] = ()

    def holds(self, low: float, high: float) -> bool:
        """Whether an interval of the mean meets what is stated, within two standard deviations."""
        for mean, deviation in ((self.mean, self.deviation), *self.others):
            reach = max(2 * deviation, _SLACK * abs(mean))
            if low <= mean + reach and mean - reach <= high:
                return True
        return False


def published(score: Mapping[str, Any] | None, file: Path | None) -> Published | None:
    """Finds what is stated of an agent; None where nothing is, or nothing that can be read.

    Args:
        score: The `[score]` of its card, where it has one.
        file: The file that it came from, beside which others may say how well it plays.
    """
    if score and "mean" in score:
        return _of_card(score)
    if file is None:
        return None
    for folder in companions(file):
        for name, read in ((HUB, _of_hub), (EVALUATIONS, _of_evaluations)):
            if (place := folder / name).is_file() and (found := read(place, file)) is not None:
                return found
    return None


def _of_card(score: Mapping[str, Any]) -> Published | None:
    """From a mean with its interval; the deviation of an episode is that of the mean times the root of their number."""
    ends, episodes = score.get("ci", ()), score.get("episodes", 1)
    whole = isinstance(ends, list | tuple) and len(ends) == 2 and isinstance(episodes, int) and episodes > 0
    numbers = [score["mean"], *(ends if whole else ())]
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        return None
    mean, *rest = map(float, numbers)
    deviation = (rest[1] - rest[0]) / 2 / _NORMAL * math.sqrt(episodes) if rest else 0.0
    sticky, fronts = score.get("sticky"), score.get("fronts", [])
    return Published(
        mean, deviation, "its card", str(score.get("actions", "")), sticky if isinstance(sticky, float) else None,
        fronts=tuple(map(str, fronts)) if isinstance(fronts, list) else (),
    )  # fmt: skip


def _of_hub(path: Path, _: Path) -> Published | None:
    try:
        said = json.loads(read_file(path))
        mean, deviation = float(said["mean_reward"]), float(said.get("std_reward", 0.0))
    except (RefusedFile, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not (math.isfinite(mean) and math.isfinite(deviation)):
        return None
    return Published(
        mean, deviation, f"{path.name} of the hub", "greedy" if said.get("is_deterministic") else "sampled"
    )


def _of_evaluations(path: Path, file: Path) -> Published | None:
    """The last evaluation, or the best one: the file may be the agent of either."""
    try:
        with np.load(io.BytesIO(read_file(path)), allow_pickle=False) as kept:
            returns = np.asarray(kept["results"], dtype=np.float64)
    except (RefusedFile, ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile):
        return None
    if returns.ndim != 2 or not returns.size or not np.isfinite(returns).all():
        return None
    rows = [(float(row.mean()), float(row.std())) for row in returns]
    last, best = rows[-1], max(rows)
    first, second = (best, last) if "best" in file.stem else (last, best)
    return Published(*first, f"{path.name} beside it", "greedy", others=() if first == second else (second,))
