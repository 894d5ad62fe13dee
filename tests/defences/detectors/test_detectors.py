"""What each detector finds suspicious, where the answer is known by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.defences.detectors import (
    DETECTORS,
    check_detectors,
    check_evaded,
    detector_name,
    make_detection,
    make_detector,
)
from rlattack.defences.detectors.detector import Spread, distance
from rlattack.errors import InvalidInput, UnknownName
from rlattack.games.game import Seat
from rlattack.policies import ModulePolicy
from rlattack.policies.distributions import Categorical, Choices, Normal, Point
from rlattack.policies.policy import Output
from tests.kit.agents import CARTPOLE, gaussian_policy, linear_policy, scores_as_seen
from tests.kit.looks import fitted, look

ALL = [name for name in DETECTORS if name not in DETECTORS.added]
PICTURES = Seat("player", Box(0, 255, (2, 8, 8), np.uint8), Discrete(2))
NUMBERS = Seat("player", Box(-np.inf, np.inf, (2,), np.float32), Discrete(2))


def test_a_gaussian_s_mahalanobis_distance_is_the_squared_sum_of_its_deviations():
    torch.manual_seed(0)
    deviations = torch.tensor([1.0, 2.0, 0.5])
    rows = 3 + torch.randn(4000, 3) * deviations
    seat = Seat("player", NUMBERS.observation, Box(-1, 1, (1,)))  # one class
    looks = [look(torch.zeros(1000, 2), hidden=part) for part in rows.split(1000)]
    detector = fitted("mahalanobis:ridge=1e-9,states=4000", seat, looks)
    asked = torch.tensor([[3.0, 3.0, 3.0], [5.0, 3.0, 3.0], [3.0, 9.0, 4.0]])
    found = detector.score(look(torch.zeros(3, 2), hidden=asked), None)
    assert found.tolist() == pytest.approx([0.0, 4.0, 9.0 + 4.0], rel=0.1, abs=0.02)


def test_garbage_is_what_the_victim_itself_calls_so():
    class Sorting(torch.nn.Module):
        def forward(self, obs):
            return obs, None, None, None, obs.sum(dim=1)

    victim, seen = ModulePolicy(Sorting(), (2,), 2), torch.tensor([[0.0, 0.0], [1.0, 3.0]])
    out = victim(seen)
    scores = make_detector("garbage", NUMBERS).score(replace(look(seen), out=out), None)
    chances = torch.cat([seen, seen.sum(dim=1, keepdim=True)], dim=1).softmax(dim=1)
    torch.testing.assert_close(scores.sigmoid(), chances[:, 2])
    torch.testing.assert_close(out.actions.probabilities, seen.softmax(dim=1))  # it decides no action
    check_detectors(["garbage"], victim, NUMBERS)
    with pytest.raises(InvalidInput, match="detector garbage: expected a victim with a class of garbage, which"):
        check_detectors(["garbage"], scores_as_seen(2), NUMBERS)


def test_mahalanobis_takes_the_nearest_action_and_one_covariance_for_all():
    torch.manual_seed(1)
    action = torch.arange(2000) % 2
    rows = torch.where(action[:, None] == 0, -10.0, 10.0) + torch.randn(2000, 1)
    scores = torch.nn.functional.one_hot(action, 2).float()
    looks = [look(torch.zeros(2000, 2), hidden=rows, scores=scores)]
    detector = fitted("mahalanobis", NUMBERS, looks)
    found = detector.score(look(torch.zeros(3, 2), hidden=torch.tensor([[-10.0], [10.0], [0.0]])), None)
    assert found[:2].max() < 0.1
    assert found[2].item() == pytest.approx(100, rel=0.15)


def test_a_unit_that_clean_play_never_woke_is_suspicious_and_no_division_by_zero():
    torch.manual_seed(2)
    rows = torch.cat([torch.randn(500, 3), torch.zeros(500, 1)], dim=1)
    detector = fitted("mahalanobis", NUMBERS, [look(torch.zeros(500, 2), hidden=rows)])
    found = detector.score(look(torch.zeros(2, 2), hidden=torch.tensor([[0, 0, 0, 0.0], [0, 0, 0, 1.0]])), None)
    assert found.isfinite().all()
    assert found[1] > 100 + found[0]


def test_a_mixture_finds_what_lies_between_and_beside_its_parts_unlikely():
    pytest.importorskip("sklearn")
    torch.manual_seed(3)
    centres = torch.where(torch.arange(1000)[:, None] % 2 == 0, -5.0, 5.0)
    rows = torch.cat([centres + torch.randn(1000, 1), torch.zeros(1000, 3)], dim=1) + 0.01 * torch.randn(1000, 4)
    detector = fitted("mixture:components=2,directions=1", NUMBERS, [look(torch.zeros(1000, 2), hidden=rows)])
    at = torch.tensor([[-5.0, 0, 0, 0], [5.0, 0, 0, 0], [0, 0, 0, 0], [5.0, 1, 0, 0]])
    left, right, between, beside = detector.score(look(torch.zeros(4, 2), hidden=at), None).tolist()
    assert abs(left - right) < 0.7
    assert between - left == pytest.approx(12.5 - math.log(2), rel=0.2)  # five deviations from both
    assert beside > left + 1000  # a hundred deviations beside the only principal direction


def test_the_mixture_is_that_of_scikit_learn():
    mixture = pytest.importorskip("sklearn.mixture")
    from rlattack.defences.mixture import Mixture

    values = np.random.default_rng(0).normal(size=(400, 3)) * [1, 2, 3] + [[5, 0, 0]] * 400
    own = Mixture.fit(values, 3, 0, "")
    theirs = mixture.GaussianMixture(3, covariance_type="full", reg_covar=1e-5, random_state=0).fit(values)
    assert own.likelihood(torch.as_tensor(values)).numpy() == pytest.approx(theirs.score_samples(values), rel=1e-9)
    assert own.bic(torch.as_tensor(values)) == pytest.approx(theirs.bic(values), rel=1e-9)


def test_squeezing_tells_what_lies_between_the_levels():
    """One bit of 0..255: scores of (255, 0) stay as they are, those of (128, 127) become those of (255, 0)."""
    detector = fitted("squeeze:bits=1", PICTURES, [])
    rows = torch.zeros(2, 2, 8, 8)
    rows[0, 0, 0, 0] = 255
    rows[1, 0, 0, :2] = torch.tensor([128.0, 127.0])
    found = detector.score(look(rows), None)
    softmax = 1 / (1 + math.exp(-1))
    assert found.tolist() == pytest.approx([0.0, 2 * (1 - softmax)], abs=1e-6)


def test_squeezing_of_numbers_is_within_what_clean_play_showed():
    """Two bits over 0..3 round to whole numbers, and what never varied stays what it is."""
    shown = torch.tensor([[0.0, 5.0], [3.0, 5.0], [1.0, 5.0]])
    detector = fitted("squeeze:bits=2", NUMBERS, [look(shown)])
    asked = []

    def ask(other):
        asked.append(other)
        return Output(Categorical(other))

    detector.score(look(torch.tensor([[1.2, 5.0], [2.0, 5.0]]), ask=ask), None)
    assert asked[0].round(decimals=4).tolist() == [[1.0, 5.0], [2.0, 5.0]]


def test_a_median_may_be_a_second_squeezer_and_the_largest_distance_counts():
    rows = torch.zeros(1, 2, 8, 8)
    rows[0, 0, 0, 0] = 255  # lost in the median of nine
    one, both = (fitted(f"squeeze:bits=1,median={side}", PICTURES, []) for side in (1, 3))
    assert one.score(look(rows), None).item() == 0.0
    assert both.score(look(rows), None).item() == pytest.approx(1.0, abs=1e-4)  # (1, 0) beside (0.5, 0.5)


def test_ad3_is_the_divergence_of_pairs_that_most_of_the_last_steps_exceed():
    """Clean play alternates; an episode of one action alone has none of its pairs."""
    usual = [look(torch.zeros(1, 2), action=torch.tensor([step % 2])) for step in range(101)]
    detector = fitted("ad3:skip=2,window=4,share=0.5", NUMBERS, usual)
    assert detector.known("usual").tolist() == [[0.0, 0.5], [0.5, 0.0]]

    def scores(actions):
        memory, found = detector.memory(1), []
        for action in actions:
            one = look(torch.zeros(1, 2), action=torch.tensor([action]))
            found.append(detector.score(one, memory).item())
            memory = detector.after(one, memory)
        return found

    same, other = scores([0, 1] * 6), scores([0] * 12)
    assert [math.isnan(one) for one in same] == [True] * 6 + [False] * 6  # two are skipped, and four make a window
    assert max(same[6:]) < 0.1 * min(other[6:])
    unseen = 1e-5 / (1 + 4e-5)
    assert other[-1] == pytest.approx(math.log(0.5 / unseen), rel=1e-3)


def test_distances_of_actions_are_of_probabilities_or_in_the_unit_of_the_action():
    even, sure = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 100.0]])
    assert distance(Categorical(even), Categorical(sure)).item() == pytest.approx(1.0)
    two = [Choices(torch.cat(one, dim=1), (2, 2)) for one in ((even, even), (sure, even))]
    assert distance(*two).item() == pytest.approx(0.5)
    low, high = torch.tensor([-1.0, -math.inf]), torch.tensor([3.0, math.inf])
    means = [torch.tensor([[0.0, 0.0]]), torch.tensor([[2.0, 1.0]])]
    deviation = torch.tensor([2.0, 0.5])
    assert distance(*(Normal(one, low, high, deviation) for one in means)).item() == pytest.approx((1 + 2) / 2)
    assert distance(*(Point(one, low, high) for one in means)).item() == pytest.approx((0.5 + 1) / 2)


def test_rows_are_spread_over_all_steps():
    kept = Spread(10)
    for step in range(64):
        kept.add(np.asarray([True, step % 2 == 0]), torch.full((2, 1), float(step)))
    (steps,) = kept.tensors
    assert len(steps) == len(kept) <= 10
    assert (steps.min(), steps.max()) == (0, 48)


@pytest.mark.parametrize("name", ALL)
def test_who_was_never_fitted_says_so(name):
    with pytest.raises(InvalidInput, match=f"detector {name} learns on clean tuning episodes first: play it by"):
        make_detection(name, NUMBERS, None)
    if name == "garbage":  # it learns no more than its threshold
        return
    detector, action = make_detector(name, NUMBERS), torch.zeros(2, dtype=torch.int64)
    one, memory = look(torch.zeros(2, 2), hidden=torch.zeros(2, 3), action=action), detector.memory(2)
    asked = detector.after if name == "ad3" else detector.score
    with pytest.raises(InvalidInput, match=f"detector {name} learns on clean tuning episodes first"):
        asked(one, memory)


@pytest.mark.parametrize(
    ("text", "policy", "seat", "error", "message"),
    [
        ("mahalonobis", None, CARTPOLE, UnknownName, "no detector 'mahalonobis'; did you mean 'mahalanobis'"),
        ("squeeze:bit=3", None, CARTPOLE, UnknownName, "detector squeeze has no parameter 'bit'; did you mean 'bits'"),
        ("squeeze:rate=0", None, CARTPOLE, InvalidInput, "rate: expected a number above 0 and below 1, got 0"),
        ("squeeze:rate=1", None, CARTPOLE, InvalidInput, "rate: expected a number above 0 and below 1, got 1"),
        ("squeeze:per=episode", None, CARTPOLE, InvalidInput, "detector squeeze: expected at least 100 episodes"),
        (
            "mahalanobis",
            None,
            CARTPOLE,
            InvalidInput,
            r"mahalanobis: .*tell the last hidden layer.*; squeeze an",
        ),
        ("mixture", None, CARTPOLE, InvalidInput, "mixture: expected a victim whose outputs tell the last"),
        (
            "ad3",
            gaussian_policy(4),
            None,
            InvalidInput,
            "ad3: expected a victim of discrete actions, runner has o",
        ),
    ],
)
def test_detectors_that_do_not_fit_are_refused(text, policy, seat, error, message):
    policy = policy or linear_policy(torch.zeros(2, 4))
    seat = seat or Seat("runner", CARTPOLE.observation, policy.action)
    with pytest.raises(error, match=message):
        check_detectors([text], policy, seat)


def test_what_has_no_slope_cannot_be_evaded():
    policy = scores_as_seen(2)
    with pytest.raises(InvalidInput, match=r"evade=ad3: its score has no slope; expected one of squeeze, mahalanobis"):
        check_evaded("ad3", policy, NUMBERS)
    check_evaded("squeeze", policy, NUMBERS)


def test_a_detector_is_named_in_one_way_and_learns_the_same_whatever_raises_its_alarms():
    assert detector_name("squeeze:alarm=step,rate=0.01,bits=4") == "squeeze"
    assert detector_name("squeeze:row=4,bits=3,alarm=mad") == "squeeze:alarm=mad,bits=3,row=4"
    assert detector_name("squeeze:row=4,bits=3,alarm=mad,rate=0.1", learned=True) == "squeeze:bits=3"
