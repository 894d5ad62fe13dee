"""How well detectors tell a cell from clean play: by every step, with intervals over episodes, which are independent.

What counts of a cell are the steps that were attacked; of clean play all. A step of which a detector says nothing is
one without an alarm.
"""

from collections.abc import Sequence

import numpy as np

from rlattack.arrays import Array, BoolArray, FloatArray
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.detecting import ATTACKED
from rlattack.evaluation.episode import SeatEpisode
from rlattack.evaluation.results import Detection, Mean, Rate, RocPoint
from rlattack.evaluation.statistics import bca, ratio, wilson

_BINS = 1024
"""Levels of the score by which curves of resamples are drawn."""
_RESAMPLES = 1000
_RATES: FloatArray = np.unique(np.concatenate([np.geomspace(0.001, 1, 31), np.linspace(0, 1, 21)]).round(6))
"""Rates of false alarms at which curves are told."""


def detections(cell: Cell, seat: int, own: Sequence[SeatEpisode], clean: Sequence[SeatEpisode]) -> dict[str, Detection]:
    """What each detector of a seat made of the episodes of a cell.

    Args:
        cell: What was played.
        seat: Number of the seat.
        own: Its episodes.
        clean: The same ones in clean play; the same where the cell is clean.
    """
    names = [ref.spec for ref in cell.detectors if ref.seat == seat]
    there = [name for name in names if all(name in one.traces for one in (*own, *clean))]
    return {name: _detection(name, own, clean, attacked=bool(cell.attacks)) for name in there}


def roc(clean: Sequence[FloatArray], attacked: Sequence[FloatArray]) -> tuple[Mean | None, tuple[RocPoint, ...]]:
    """The area under the curve of detected steps against false alarms (Hanley and McNeil 1982), and the curve.

    Args:
        clean: Scores of clean steps, an array an episode.
        attacked: Scores of attacked steps in the same episodes; some may have none.

    Returns:
        The area with its 95 % interval, and points of the curve with theirs, by bootstrap over episodes; nothing where
        no step was attacked.
    """
    if not sum(map(len, attacked)) or not sum(map(len, clean)):
        return None, ()
    found: FloatArray = np.unique(np.concatenate([*clean, *attacked]))
    area, curve = _curves(*(_counts(np.concatenate(of), found)[None] for of in (clean, attacked)))
    levels = found if len(found) <= _BINS else found[np.linspace(0, len(found) - 1, _BINS).astype(np.int64)]
    before, now = (np.stack([_counts(one, levels) for one in of]) for of in (clean, attacked))
    drawn = np.random.default_rng(0).multinomial(len(clean), np.full(len(clean), 1 / len(clean)), size=_RESAMPLES)
    areas, curves = _curves(drawn @ before, drawn @ now)
    (low, high), bands = np.percentile(areas, [2.5, 97.5]), np.percentile(curves, [2.5, 97.5], axis=0)
    points = zip(_RATES.tolist(), curve[0].tolist(), *bands.tolist(), strict=True)
    told = tuple(RocPoint(*(round(value, 4) for value in point)) for point in points)
    degenerate = len(clean) == 1 or bool(np.ptp(areas) == 0)
    return Mean(float(area[0]), (float(low), float(high)), degenerate), told


def _detection(name: str, own: Sequence[SeatEpisode], clean: Sequence[SeatEpisode], *, attacked: bool) -> Detection:
    over = [_evidence(one, name) for one in own]
    counted = [
        _attacked(one) if attacked else np.ones(len(values), dtype=np.bool_)
        for one, values in zip(own, over, strict=True)
    ]
    alarms = [values > 0 for values in over]
    found = [alarm[which] for alarm, which in zip(alarms, counted, strict=True)]
    delays = [_delay(*pair) for pair in zip(alarms, counted, strict=True) if pair[1].any()]
    known = [delay for delay in delays if delay is not None]
    area: Mean | None = None
    curve: tuple[RocPoint, ...] = ()
    if attacked:
        steps = [values[which] for values, which in zip(over, counted, strict=True)]
        area, curve = roc([_evidence(one, name) for one in clean], steps)
    counts = np.asarray([len(one) for one in found], dtype=np.float64)
    return Detection(
        auc=area,
        steps=ratio(np.asarray([one.sum() for one in found], dtype=np.float64), counts) if counts.any() else None,
        episodes=Rate(len(known) / len(delays), wilson(len(known), len(delays))) if delays else None,
        delay=_mean(np.asarray(known, dtype=np.float64)) if known else None,
        roc=curve,
    )


def _mean(values: FloatArray) -> Mean:
    return Mean(float(values.mean()), bca(values), bool(np.ptp(values) == 0))


def _evidence(one: SeatEpisode, name: str) -> FloatArray:
    """How far each step is above the threshold; without evidence infinitely far below."""
    return np.asarray([-np.inf if value is None else value for value in one.traces[name]], dtype=np.float64)


def _attacked(one: SeatEpisode) -> BoolArray:
    return np.asarray(one.traces[ATTACKED], dtype=np.float64) > 0


def _delay(alarms: BoolArray, attacked: BoolArray) -> int | None:
    """Steps from the first that was attacked to the first alarm from then on; None where there is none."""
    first = int(attacked.argmax())
    return int(alarms[first:].argmax()) if alarms[first:].any() else None


def _counts(values: FloatArray, levels: FloatArray) -> FloatArray:
    """How many scores are at each level, the highest level first."""
    places = np.searchsorted(levels, values, side="right") - 1
    return np.bincount(places.clip(0), minlength=len(levels))[::-1].astype(np.float64)


def _curves(clean: FloatArray, attacked: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Areas, shape (n,), and shares of attacked steps that are detected at `_RATES`, shape (n, rates).

    Args:
        clean: Counts of clean steps by level, the highest first, shape (n, levels).
        attacked: The same of attacked ones; a row without any is told as chance.
    """
    false, right = (_above(counts) for counts in (clean, attacked))
    areas = ((right[:, 1:] + right[:, :-1]) / 2 * np.diff(false, axis=1)).sum(axis=1).clip(0, 1)  # but for rounding
    # as many false alarms as a rate allows, and no more: thresholds lie between levels
    places = [np.searchsorted(row, _RATES + 1e-12, side="right") - 1 for row in false]
    return areas, np.stack([row[place] for row, place in zip(right, places, strict=True)])


def _above(counts: FloatArray) -> FloatArray:
    """Shares at or above each level, from none to all, shape (n, levels + 1)."""
    total = counts.sum(axis=1, keepdims=True)
    even = np.full(counts.shape, 1 / counts.shape[1])
    shares: Array = np.divide(counts, total, out=even, where=total > 0)
    return np.concatenate([np.zeros((len(counts), 1)), shares.cumsum(axis=1)], axis=1)
