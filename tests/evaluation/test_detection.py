"""How well detectors tell a cell from clean play, on scores whose answers are known by hand."""

import dataclasses

import numpy as np
import pytest

from rlattack.evaluation.cell import DetectorRef
from rlattack.evaluation.detection import detections, roc
from rlattack.evaluation.episode import SeatEpisode
from rlattack.evaluation.statistics import ratio
from tests.kit.cells import attack_on, make_cell

NAME = "squeeze"


def cell(attacked=True):
    attacks = attack_on(0, "noise") if attacked else ()
    return dataclasses.replace(make_cell("coins/any", attacks=attacks), detectors=(DetectorRef(NAME, 0),))


def episode(over, attacked=()):
    traces = {NAME: list(over), "attacked": [float(step in attacked) for step in range(len(over))]}
    return SeatEpisode(score=0.0, outcome=None, traces=traces)


def told(own, clean, *, attacked=True):
    return detections(cell(attacked), 0, own, clean)[NAME]


def arrays(*rows):
    return [np.asarray(row, dtype=np.float64) for row in rows]


@pytest.mark.parametrize(
    ("clean", "attacked", "area"),
    [
        (arrays([0, 1], [2]), arrays([3], [4, 5]), 1.0),
        (arrays([3, 4], [5]), arrays([0], [1, 2]), 0.0),
        (arrays([1, 1], [1, 1]), arrays([1], [1, 1]), 0.5),
        (arrays([0, 2], []), arrays([1], [1, 3]), (2 * 1 + 2) / 6),
        (arrays([-np.inf, 0]), arrays([-np.inf, 1]), (0.5 + 2) / 4),  # what says nothing is below everything
    ],
)
def test_the_area_is_how_often_an_attacked_step_is_above_a_clean_one(clean, attacked, area):
    found, _ = roc(clean, attacked)
    assert found.mean == pytest.approx(area)
    assert found.ci[0] <= found.mean + 1e-9
    assert found.ci[1] >= found.mean - 1e-9


def test_the_area_of_two_normal_distributions_is_known():
    """One deviation apart: Phi(1 / sqrt 2) = 0.760; more levels than are kept for resamples."""
    rng = np.random.default_rng(0)
    clean = [rng.normal(size=800) for _ in range(12)]
    attacked = [rng.normal(1, 1, size=800) for _ in range(12)]
    found, points = roc(clean, attacked)
    assert found.mean == pytest.approx(0.760, abs=0.01)
    assert found.ci[0] < 0.760 < found.ci[1]
    at = next(point for point in points if point.false == 0.5)
    assert at.detected == pytest.approx(0.841, abs=0.02)  # Phi(1)
    assert at.low < at.detected < at.high


def test_a_curve_allows_no_more_false_alarms_than_its_rate():
    """Ten clean steps: below a rate of 10 % none of them may raise an alarm."""
    _, points = roc(arrays(range(10)), arrays([8.5, 9.5]))
    detected = {point.false: point.detected for point in points}
    assert detected[0.0] == detected[0.01] == 0.5
    assert detected[0.1] == detected[1.0] == 1.0


def test_intervals_are_over_episodes_and_not_over_steps():
    """Episodes that differ and have a thousand equal steps each tell no more than as many steps."""
    few = roc(arrays([0.0], [2.0], [0.0], [2.0]), arrays([1.0], [1.0], [3.0], [1.0]))[0]
    many = roc(
        [np.repeat(one, 1000) for one in (0.0, 2.0, 0.0, 2.0)], [np.repeat(one, 1000) for one in (1.0, 1.0, 3.0, 1.0)]
    )[0]
    assert (few.mean, *few.ci) == pytest.approx((many.mean, *many.ci))


def test_only_attacked_steps_count_and_all_of_clean_play():
    clean = [episode([-1.0, -1.0, 1.0, -1.0])] * 2
    own = [episode([1.0, -1.0, 1.0, -1.0], attacked=(1, 2)), episode([-1.0, -1.0, 2.0, 2.0], attacked=(3,))]
    found, before = told(own, clean), told(clean, clean, attacked=False)
    assert found.steps.mean == pytest.approx(2 / 3)
    assert before.steps.mean == pytest.approx(1 / 4)
    assert (found.auc is None, before.auc, before.roc) == (False, None, ())


def test_a_delay_is_from_the_first_attacked_step_to_the_first_alarm_from_then_on():
    """An alarm before the attack was false; one that comes after the last attacked step is late, and counts."""
    quiet = episode([-1.0] * 8)
    own = [
        episode([9.0, -1.0, -1.0, -1.0, -1.0, 5.0, 5.0, -1.0], attacked=(2, 3, 4)),  # 3 steps
        episode([None, None, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0], attacked=(2,)),  # at once
        episode([9.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, None], attacked=(1,)),  # never
    ]
    found = told(own, [quiet] * 3)
    assert found.delay.mean == pytest.approx(1.5)
    assert found.episodes.rate == pytest.approx(2 / 3)
    assert found.steps.mean == pytest.approx(1 / 5)


def test_where_nothing_was_attacked_nothing_is_said():
    found = told([episode([1.0, 1.0])] * 2, [episode([1.0, -1.0])] * 2)
    assert (found.auc, found.steps, found.episodes, found.delay, found.roc) == (None, None, None, None, ())


def test_episodes_that_were_not_watched_say_nothing():
    blank = SeatEpisode(score=0.0, outcome=None)
    assert detections(cell(), 0, [blank], [blank]) == {}
    assert detections(cell(), 1, [episode([1.0])], [episode([1.0])]) == {}


def test_long_episodes_weigh_as_many_steps_as_they_have():
    found = ratio(np.asarray([10.0, 0.0]), np.asarray([10.0, 90.0]))
    assert found.mean == pytest.approx(0.1)
    assert found.ci[0] < 0.1 < found.ci[1]
    assert ratio(np.asarray([5.0, 10.0]), np.asarray([10.0, 20.0])).degenerate
