"""Distributions of actions against numbers known by hand, and against torch's own."""

import math

import numpy as np
import pytest
import torch

from rlattack.draws import RowDraws
from rlattack.policies.distributions import Categorical, Choices, Normal, Point, SquashedNormal, Uniform, kinds
from rlattack.policies.mixed import Mixed
from rlattack.policies.policy import choose
from tests.kit.agents import streams

LOW, HIGH = torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 4.0])
LEGAL = torch.tensor([[True, True, False], [False, True, True]])


class Given:
    """Draws that were written down."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = torch.tensor(numbers)

    def uniform(self, *shape):
        return self.numbers.view(-1, *shape)

    normal = uniform


def points(*rows):
    return Point(torch.tensor(rows), LOW, HIGH)


def normal(mean=0.0, deviation=1.0, kind=Normal):
    return kind(torch.full((3, 2), mean), LOW, HIGH, torch.full((2,), deviation))


class TestCategorical:
    def test_samples_follow_the_distribution(self):
        actions = Categorical(torch.tensor([0.5, 0.0, 0.5]).log().expand(4, 3))
        assert actions.sample(Given(0.0, 0.49, 0.51, 0.999999)).tolist() == [0, 0, 2, 2]

    def test_impossible_action_is_never_drawn(self):
        assert Categorical(torch.tensor([[0.0, 1.0]]).log()).sample(Given(0.0)).tolist() == [1]

    def test_among_legal_actions_the_rest_has_no_chance_and_divergences_stay_numbers(self):
        scores = torch.tensor([[0.0, 1.0, 5.0], [2.0, 0.0, 0.0]])
        actions = Categorical(scores)
        assert actions.among(None) is actions
        masked = actions.among(LEGAL)
        torch.testing.assert_close(masked.probabilities[0, :2], scores[0, :2].softmax(0))
        assert (masked.probabilities[0, 2], masked.probabilities[1, 0]) == (0, 0)
        assert masked.greedy.tolist() == [1, 1]
        other = Categorical(scores * 2).among(LEGAL)
        one, two = scores[0, :2].log_softmax(0), (scores[0, :2] * 2).log_softmax(0)
        torch.testing.assert_close(other.divergence(masked)[0], (one.exp() * (one - two)).sum())
        assert other.divergence(masked)[1] == 0

    def test_another_greedy_action_is_moved(self):
        clean, now = (Categorical(torch.tensor(rows)) for rows in ([[1.0, 0.0], [1.0, 0.0]], [[9.0, 0.0], [0.0, 1.0]]))
        assert now.moved(clean).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("kind", [Normal, SquashedNormal])
@pytest.mark.parametrize("deviation", [1.0, 0.3])
def test_the_divergence_is_that_of_torch(kind, deviation):
    clean, now = normal(0.5, 1.0, kind), normal(-0.2, deviation, kind)
    before, after = (torch.distributions.Normal(one.mean, one.deviation) for one in (clean, now))
    expected = torch.distributions.kl_divergence(before, after).sum(dim=1)
    torch.testing.assert_close(now.divergence(clean), expected)


@pytest.mark.parametrize("kind", [Normal, SquashedNormal])
def test_the_surprise_of_an_action_is_minus_its_log_density_up_to_a_constant(kind):
    actions, tried = normal(0.5, 0.3, kind), torch.tensor([[0.1, 0.9], [0.7, 3.2]])
    density = torch.distributions.Normal(actions.mean[:1], actions.deviation[:1])
    if kind is SquashedNormal:
        half = (HIGH - LOW) / 2
        onto = [torch.distributions.TanhTransform(), torch.distributions.AffineTransform(LOW + half, half)]
        density = torch.distributions.TransformedDistribution(density, onto)
    expected = -density.log_prob(tried).sum(dim=1)
    found = kind(actions.mean[:1], LOW, HIGH, actions.deviation[:1]).surprise(tried)
    torch.testing.assert_close(found[1] - found[0], expected[1] - expected[0])


def test_the_surprise_of_a_point_is_the_squared_distance_from_it():
    actions = Point(torch.tensor([[0.0, 1.0]]), LOW, HIGH)
    assert actions.surprise(torch.tensor([[0.5, 1.0], [0.0, 0.0]])).tolist() == [0.25, 1.0]


def test_who_acts_behind_tanh_is_surprised_by_the_ends_of_the_range_and_by_no_infinite_number():
    actions = SquashedNormal(torch.zeros(1, 2), LOW, HIGH, torch.ones(1, 2))
    assert actions.surprise(torch.stack([LOW, HIGH])).isfinite().all()
    assert (actions.surprise(torch.stack([LOW, HIGH])) > actions.surprise(actions.greedy)).all()


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        ({Categorical}, "discrete"),
        ({Normal, SquashedNormal, Point}, "continuous"),
        ({Categorical, Normal}, "continuous or discrete"),
    ],
)
def test_which_actions_are_needed_is_said_in_words(needs, words):
    assert kinds(needs) == words


def test_with_one_deviation_the_divergence_is_the_squared_distance_in_deviations():
    deviation = torch.tensor([2.0, 0.5])
    clean, now = (Normal(torch.tensor([row]), LOW, HIGH, deviation) for row in ([0.0, 0.0], [2.0, 1.0]))
    assert now.divergence(clean).tolist() == [(1 + 4) / 2]


def test_normal_actions_are_drawn_around_the_mean_and_not_clipped():
    drawn = Normal(torch.ones(1, 2), LOW, HIGH, torch.tensor([3.0, 0.5])).sample(Given(1.0, -2.0))
    assert drawn.tolist() == [[4.0, 0.0]]


def test_squashed_actions_are_in_the_range():
    actions = SquashedNormal(torch.tensor([[0.0, 100.0]]), LOW, HIGH, torch.tensor([[1.0, 1.0]]))
    assert actions.greedy.tolist() == [[0.0, 4.0]]
    drawn = actions.sample(Given(0.5, -300.0))
    torch.testing.assert_close(drawn, torch.tensor([[math.tanh(0.5), 0.0]]))


def test_points_are_certain():
    actions = points([0.25, 3.0])
    assert actions.sample(None).tolist() == actions.greedy.tolist() == [[0.25, 3.0]]
    assert points([1.25, 1.0]).divergence(actions).tolist() == [5.0]


def test_uniform_actions_fill_the_range():
    actions = Uniform(((LOW + HIGH) / 2).expand(2, -1), LOW, HIGH)
    assert actions.greedy.tolist() == [[0.0, 2.0]] * 2
    assert actions.sample(Given(0.0, 0.5, 0.25, 0.0)).tolist() == [[-1.0, 2.0], [-0.5, 0.0]]
    assert actions.divergence(actions).tolist() == [0.0, 0.0]


def test_an_action_moved_by_its_share_of_the_range_as_the_game_clips_it():
    clean, now = points([0.0, 0.0], [0.0, 0.0]), points([1.0, 0.0], [5.0, 4.0])
    assert now.moved(clean).tolist() == [0.25, 0.75]


def test_an_action_without_bounds_moved_wholly_or_not_at_all():
    free = [Point(torch.tensor([row]), -torch.tensor([math.inf, 1]), torch.tensor([math.inf, 1])) for row in
            ([3.0, 0.0], [3.1, 0.0], [3.0, 0.0])]  # fmt: skip
    assert [one.moved(free[0]).tolist() for one in free] == [[0.0], [0.5], [0.0]]


def test_continuous_actions_are_all_legal():
    actions = points([0.0, 0.0])
    assert actions.among(torch.tensor([[False]])) is actions


class TestMixed:
    """Rows 0 and 2 are played by one policy, row 1 by another."""

    rows = torch.tensor([True, False, True])

    def mixed(self, *rows):
        scores = torch.tensor(rows)
        return Mixed([(self.rows, Categorical(scores[self.rows])), (~self.rows, Categorical(scores[~self.rows]))])

    def test_every_row_is_as_if_it_were_alone(self):
        rows = [[0.0, 1.0, 0.5], [2.0, 0.0, 0.1], [0.3, 0.2, 0.9]]
        other = [[1.0, 0.0, 0.5], [2.0, 0.1, 0.0], [0.3, 0.2, 0.9]]
        legal = torch.tensor([[True, False, True], [False, True, True], [True, True, True]])
        mixed, whole = self.mixed(*rows), Categorical(torch.tensor(rows))
        clean, whole_clean = self.mixed(*other), Categorical(torch.tensor(other))
        assert mixed.greedy.equal(whole.greedy)
        assert mixed.among(legal).greedy.equal(whole.among(legal).greedy)
        assert mixed.among(None) is mixed
        assert mixed.divergence(clean).equal(whole.divergence(whole_clean))
        assert mixed.moved(clean).equal(whole.moved(whole_clean))

    def test_every_part_draws_for_all_rows(self):
        mixed = self.mixed([0.0] * 9, [0.0] * 9, [0.0] * 9)
        draws, again = streams(1, 2, 3), streams(1, 2, 3)
        first, second = (part.sample(RowDraws(again, rows)) for rows, part in mixed.parts)
        drawn = mixed.sample(draws)
        assert drawn[self.rows].equal(first)
        assert drawn[~self.rows].equal(second)


@pytest.mark.parametrize(
    "make",
    [
        Categorical,
        lambda rows: Normal(rows, LOW, HIGH, rows.sum(dim=0).exp()),
        lambda rows: SquashedNormal(rows, LOW, HIGH, rows.exp()),
        lambda rows: Point(rows, LOW, HIGH),
        lambda rows: Uniform(rows, LOW, HIGH),
        lambda rows: Mixed([(torch.ones(3, dtype=torch.bool), Point(rows, LOW, HIGH))]),
    ],
)
def test_detached_actions_have_no_graph_and_are_the_same(make):
    actions = make(torch.randn(3, 2, requires_grad=True))
    detached = actions.detach()
    assert type(detached) is type(actions)
    assert not detached.greedy.requires_grad
    assert detached.sample(streams(1, 2, 3)).equal(actions.sample(streams(1, 2, 3)))


def test_choosing_greedily_draws_nothing():
    actions, draws = Categorical(torch.zeros(2, 5)), streams(1, 2)
    assert choose(actions, "greedy", draws).tolist() == [0, 0]
    assert draws.uniform(1).equal(streams(1, 2).uniform(1))
    assert choose(actions, "sampled", streams(1, 2)).equal(actions.sample(streams(1, 2)))


def test_the_numbers_drawn_are_those_of_the_slot_s_own_generator():
    """What plays today depends on it: one uniform number a choice, one normal or uniform number an entry."""
    rng = [np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed))) for seed in (4, 5)]
    shared = torch.from_numpy(np.stack([one.random((1,), np.float32) for one in rng]))
    expected = (torch.arange(1, 5) / 4 <= shared).sum(dim=1)
    assert Categorical(torch.zeros(2, 4)).sample(streams(4, 5)).equal(expected)


class TestChoices:
    """Several discrete actions at once."""

    def several(self, *rows):
        return Choices(torch.tensor(rows), (2, 3))

    def test_each_entry_has_its_own_most_likely_action(self):
        found = self.several([0.0, 1.0, 3.0, 2.0, 1.0], [5.0, 1.0, 0.0, 0.0, 9.0])
        assert found.greedy.tolist() == [[1, 0], [0, 2]]
        assert [part.scores.shape[1] for part in found.parts] == [2, 3]

    def test_entries_are_drawn_by_themselves(self):
        scores = torch.log(torch.tensor([[0.2, 0.8, 0.5, 0.25, 0.25]])).expand(4000, -1)
        drawn = Choices(scores, (2, 3)).sample(streams(*range(4000)))
        assert (drawn.shape, drawn.dtype) == ((4000, 2), torch.int64)
        assert drawn[:, 0].float().mean() == pytest.approx(0.8, abs=0.03)
        assert (drawn[:, 1] == 0).float().mean() == pytest.approx(0.5, abs=0.04)
        both = ((drawn[:, 0] == 1) & (drawn[:, 1] == 0)).float().mean()
        assert both == pytest.approx(0.4, abs=0.04)  # independent

    def test_the_divergence_is_the_sum_over_entries(self):
        now, clean = self.several([1.0, 0.0, 2.0, 0.0, 1.0]), self.several([0.0, 1.0, 1.0, 1.0, 0.0])
        parts = zip(now.parts, clean.parts, strict=True)
        assert now.divergence(clean).equal(sum(one.divergence(two) for one, two in parts))
        assert now.divergence(now).tolist() == [0.0]

    def test_the_share_of_entries_that_moved(self):
        clean = self.several([1.0, 0.0, 2.0, 0.0, 1.0])
        assert self.several([0.0, 1.0, 2.0, 0.0, 1.0]).moved(clean).tolist() == [0.5]
        assert self.several([0.0, 1.0, 0.0, 0.0, 1.0]).moved(clean).tolist() == [1.0]

    def test_only_what_is_legal_is_left(self):
        found = self.several([1.0, 0.0, 2.0, 0.0, 1.0])
        legal = torch.tensor([[False, True, False, True, True]])
        assert found.among(legal).greedy.tolist() == [[1, 2]]
        assert found.among(None) is found

    def test_a_copy_without_its_graph(self):
        scores = torch.zeros(1, 5, requires_grad=True)
        assert not Choices(scores, (2, 3)).detach().scores.requires_grad
        assert kinds([Choices]) == "discrete"
