"""From scores to alarms, on sequences whose answers are known by hand."""

import pytest
import torch

from rlattack.defences.detectors import DetectorConfig
from rlattack.defences.detectors.alarms import make_rule, threshold
from rlattack.errors import InvalidInput

NAN = float("nan")


def evidence(rule, *rows):
    """What a rule makes of steps, each a row of scores."""
    memory, found = rule.memory(len(rows[0])), []
    for row in rows:
        out, memory = rule(torch.tensor(row), memory)
        found.append(out.tolist())
    return found


def test_cusum_adds_up_what_is_above_the_usual_and_forgets_the_drift():
    """Usual scores of mean 2 and deviation 1: a step change to 5 adds 3 - 1.5 a step, and back at 2 loses 1.5."""
    rule = make_rule(DetectorConfig(alarm="cusum"), torch.tensor([1.0, 3.0]))
    found = evidence(rule, [2.0], [2.0], [5.0], [5.0], [5.0], [2.0], [2.0])
    assert found == [[0.0], [0.0], [1.5], [3.0], [4.5], [3.0], [1.5]]


def test_cusum_goes_on_past_a_step_without_a_score_and_slots_do_not_mix():
    rule = make_rule(DetectorConfig(alarm="cusum", drift=1.0), torch.tensor([-1.0, 1.0]))
    found = evidence(rule, [3.0, 0.0], [NAN, 5.0], [3.0, 0.0])
    assert torch.tensor(found).isnan().tolist() == [[False, False], [True, False], [False, False]]
    assert (found[0], found[1][1], found[2]) == ([2.0, 0.0], 4.0, [4.0, 3.0])


def test_mad_is_the_least_of_the_last_steps_in_median_deviations():
    """Median 3, median deviation 1: three steps in a row must be high, and one low step breaks the row."""
    rule = make_rule(DetectorConfig(alarm="mad"), torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    found = evidence(rule, [9.0], [10.0], [11.0], [3.0], [NAN], [9.0])
    known = [row[0] for row in found if row[0] == row[0]]
    assert known == [6.0, 0.0, 0.0]  # min(6, 7, 8), min(7, 8, 0), min(8, 0, 6)


def test_each_step_is_for_itself_by_default():
    assert evidence(make_rule(DetectorConfig(), torch.zeros(2)), [1.0], [7.0]) == [[1.0], [7.0]]


def test_the_threshold_has_the_rate_of_clean_steps_above_it_and_no_more():
    scores, episode = torch.arange(1000.0), torch.zeros(1000, dtype=torch.int64)
    for rate in (0.01, 0.1, 0.5):
        limit = threshold("any", DetectorConfig(rate=rate), scores, episode)
        assert rate - 0.002 <= (scores > limit).double().mean() <= rate


def test_a_step_without_a_score_is_one_without_an_alarm():
    """Half of the steps say nothing: 1 % of all steps are 2 % of those that do."""
    scores = torch.cat([torch.full((1000,), NAN), torch.arange(1000.0)])
    limit = threshold("any", DetectorConfig(), scores, torch.zeros(2000, dtype=torch.int64))
    assert 18 <= (scores > limit).sum() <= 20


def test_a_threshold_of_episodes_is_one_of_their_highest_steps():
    """Ten episodes, of which the i-th has a step of i: 20 % of them are above 7."""
    scores = torch.zeros(10, 5)
    scores[:, 3] = torch.arange(10.0)
    config = DetectorConfig(per="episode", rate=0.2, episodes=10)
    assert threshold("any", config, scores.flatten(), torch.arange(10).repeat_interleave(5)) == pytest.approx(8.0)


def test_episodes_that_differ_raise_the_threshold_until_fresh_ones_pass_it_no_oftener_than_asked():
    """Steps about a mean of their episode's own: a quantile of eight episodes is passed in 1.4 % of fresh steps."""
    draw = torch.Generator().manual_seed(0)

    def play(episodes):
        return torch.randn(episodes, 500, generator=draw) + 0.7 * torch.randn(episodes, 1, generator=draw)

    found, pooled, fresh = [], [], play(2000)
    for _ in range(40):
        scores = play(8)
        limit = threshold("any", DetectorConfig(), scores.flatten(), torch.arange(8).repeat_interleave(500))
        found.append((fresh > limit).float().mean())
        pooled.append((fresh > scores.flatten().quantile(0.99)).float().mean())
    assert sum(pooled) / 40 > 0.014
    assert sum(found) / 40 <= 0.01


def test_rules_begin_anew_with_every_episode():
    """Two episodes of usual scores but one: CUSUM of the first does not reach into the second."""
    scores = torch.tensor([0.0] * 500 + [50.0] + [0.0] * 500)
    episode = torch.tensor([0] * 501 + [1] * 500)
    together = threshold("any", DetectorConfig(alarm="cusum", drift=0.0), scores, torch.zeros_like(episode))
    apart = threshold("any", DetectorConfig(alarm="cusum", drift=0.0), scores, episode)
    assert apart <= together


@pytest.mark.parametrize(
    ("scores", "config", "message"),
    [
        (torch.zeros(320), DetectorConfig(), r"at least 1,000 clean steps .* in 1 % of them, 2 .* had 320; episodes=N"),
        (torch.full((2000,), NAN), DetectorConfig(), "2 tuning episodes had 0 of which it can say something"),
        (torch.zeros(99), DetectorConfig(rate=0.1), "expected at least 100 clean steps for false alarms in 10 %"),
    ],
)
def test_too_few_clean_steps_for_the_rate_are_refused(scores, config, message):
    episode = (torch.arange(len(scores)) % 2).sort().values
    with pytest.raises(InvalidInput, match=message):
        threshold("any", config, scores, episode)


def test_too_few_episodes_for_a_rate_of_them_are_refused():
    with pytest.raises(InvalidInput, match=r"at least 100 episodes for false alarms in 1 % of them, got 8; raise epi"):
        DetectorConfig(per="episode")
