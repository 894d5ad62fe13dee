"""Certificates of smoothed policies, of linear ones whose smoothed answers are known by hand."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from scipy import stats
from torch import nn

from rlattack.defences.certificates.returns import SmoothedReturns
from rlattack.defences.certificates.smoothed import Smoothed
from rlattack.draws import SharedDraws
from rlattack.errors import InvalidInput
from rlattack.policies import ModulePolicy
from rlattack.policies.module import ContinuousPolicy
from tests.kit.agents import linear_policy
from tests.kit.players import memory

SIDES = linear_policy([[1.0, 0.0], [-1.0, 0.0]])
"""Chooses 0 to the right of 0 and 1 to the left of it, so that its radius is how far that is."""
SIGMA = torch.full((1,), 0.5)


def draws(rows, seed=0):
    return SharedDraws(rows, seed)


def test_the_radius_of_votes_is_the_distance_from_the_border_but_for_what_noise_leaves_open():
    obs = torch.tensor([[0.5, 9.0], [-0.25, 0.0], [0.0, 0.0]])
    action, radius = Smoothed(SIDES, SIGMA, 20_000).radius(obs, draws(3))
    assert action[:2].tolist() == [0, 1]
    assert (radius <= obs[:, 0].abs() / 0.5 + 1e-6).all()
    assert radius.tolist() == pytest.approx([1.0, 0.5, 0.0], abs=0.05)


def test_no_certificate_of_votes_is_wrong_more_often_than_alpha():
    obs = torch.full((2000, 2), 0.1)
    _, radius = Smoothed(SIDES, SIGMA, 200, alpha=0.1).radius(obs, draws(2000))
    assert 0.05 < (radius > 0.2).float().mean() < 0.12


class Half(nn.Module):
    """Q values 1 and 0 to the right of 0, else 0 and 1: twice that, in ends from 0 to 2."""

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        right = (obs[:, :1] > 0).float()
        return 2 * torch.cat([right, 1 - right], dim=1)


def test_loact_is_half_the_difference_of_the_two_quantiles():
    policy = ModulePolicy(Half(), (2,), 2, value_based=True)
    obs, noises = torch.tensor([[0.5, 0.0]]), 10_000
    action, radius = Smoothed(policy, SIGMA, noises, vote="mean", ends=(0.0, 2.0)).radius(obs, draws(1))
    assert action.tolist() == [0]
    share, error = stats.norm.cdf(1.0), np.sqrt(np.log(4 / 0.05) / (2 * noises))
    expected = (stats.norm.ppf(share - error) - stats.norm.ppf(1 - share + error)) / 2
    assert radius.item() == pytest.approx(expected, abs=0.03)
    assert radius.item() <= 1.0


def test_loact_of_a_policy_without_q_values_is_of_probabilities():
    policy = linear_policy([[100.0, 0.0], [-100.0, 0.0]])
    _, radius = Smoothed(policy, SIGMA, 4000, vote="mean").radius(torch.tensor([[0.5, 0.0], [0.0, 0.0]]), draws(2))
    assert radius.tolist() == pytest.approx([0.95, 0.0], abs=0.06)


def test_copies_of_many_states_are_those_of_each_alone():
    obs = torch.randn(5, 2)
    many = Smoothed(SIDES, SIGMA, 500).radius(obs.expand(5, 2), draws(5))
    again = Smoothed(SIDES, SIGMA, 500).radius(obs, draws(5))
    assert torch.equal(many[1], again[1])


def test_the_median_of_a_linear_action_moves_as_far_as_it_does():
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data = torch.ones(1, 1)
    smoothed = Smoothed(ContinuousPolicy(layer, (1,), Box(-9, 9, (1,))), SIGMA, 20_000, vote="median")
    middle, lower, upper = smoothed.moves(torch.ones(1, 1), draws(1), 0.4)
    assert middle.item() == pytest.approx(1.0, abs=0.02)
    assert lower.item() == pytest.approx(0.8, abs=0.03)
    assert upper.item() == pytest.approx(1.2, abs=0.03)
    assert lower.item() <= 0.8
    assert upper.item() >= 1.2
    _, lower, upper = Smoothed(smoothed.policy, SIGMA, 100, vote="median").moves(torch.ones(1, 1), draws(1), 5.0)
    assert (lower.item(), upper.item()) == (-torch.inf, torch.inf)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sigma": torch.zeros(1)}, "sigma: expected noise above 0, got 0"),
        ({"alpha": 0.0}, "alpha: expected a probability above 0 and below 1, got 0"),
        ({"alpha": 1.0}, "alpha: expected a probability above 0 and below 1, got 1"),
        ({"ends": (1.0, 1.0)}, "ends: expected a lower end below the upper one, got 1 and 1"),
        ({"policy": memory()}, "expected a policy without memory, got one with a state"),
    ],
)
def test_what_cannot_be_smoothed_is_refused(changes, message):
    with pytest.raises(InvalidInput, match=message):
        Smoothed(**{"policy": SIDES, "sigma": SIGMA, **changes})


def test_a_vote_that_is_none_of_the_policy_s_actions_is_refused():
    continuous = ContinuousPolicy(nn.Linear(2, 1), (2,), Box(-9, 9, (1,)))
    with pytest.raises(InvalidInput, match="expected discrete actions for a majority or a mean"):
        Smoothed(continuous, SIGMA).radius(torch.zeros(1, 2), draws(1))
    with pytest.raises(InvalidInput, match="expected continuous actions for a median"):
        Smoothed(SIDES, SIGMA).moves(torch.zeros(1, 2), draws(1), 0.1)
    with pytest.raises(InvalidInput, match="ends= are of Q values, which the policy has not"):
        Smoothed(SIDES, SIGMA, vote="mean", ends=(0.0, 1.0)).radius(torch.zeros(1, 2), draws(1))


def test_a_bound_of_the_median_return_is_the_quantile_that_is_left():
    returns = SmoothedReturns(np.arange(1000.0), alpha=0.05, low=0.0, high=1000.0)
    band = np.sqrt(np.log(1 / 0.05) / 2000)
    assert returns.percentile(0.5, 0.0) == pytest.approx(1000 * (0.5 - band), abs=1.5)
    assert returns.percentile(0.5, 1.0) == pytest.approx(1000 * (stats.norm.cdf(-1) - band), abs=1.5)
    assert returns.percentile(0.5, 9.0) == 0.0
    assert SmoothedReturns(np.arange(10.0)).percentile(0.5, 9.0) is None


def test_a_bound_of_the_mean_return_is_kept_of_each_step_of_its_distribution():
    # all episodes return 10 in [0, 10]: what is left is the probability that stays, times 10
    returns = SmoothedReturns(np.full(1000, 10.0), alpha=0.05, low=0.0, high=10.0)
    band = np.sqrt(np.log(1 / 0.05) / 2000)
    assert returns.expectation(0.5) == pytest.approx(10 * stats.norm.cdf(stats.norm.ppf(1 - band) - 0.5))
    assert returns.lipschitz(0.5) == pytest.approx(10 - 10 * band - 10 * np.sqrt(2 / np.pi) * 0.5)
    assert returns.lipschitz(50.0) == 0.0  # no lower than the game can give
    assert SmoothedReturns(np.ones(3)).expectation(0.1) is None
    assert SmoothedReturns(np.ones(3), low=0.0).lipschitz(0.1) is None


def test_bounds_of_returns_hold_for_a_game_whose_worst_is_known():
    """An episode of one step returns 1 where noised 0.3 is above 0; the worst of a ball moves it by its radius."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(200):
        returns = SmoothedReturns((0.3 + rng.standard_normal(300) > 0).astype(float), 0.05, 0.0, 1.0)
        least = stats.norm.cdf(0.3 - 0.4)
        wrong += returns.expectation(0.4) > least
        assert returns.lipschitz(0.4) <= returns.expectation(0.4) + 0.05
    assert wrong <= 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(0),), "return bound: expected returns of at least one episode, got none"),
        ((np.ones(2), 1.5), "alpha: expected a probability above 0 and below 1, got 1.5"),
        ((np.ones(2), 0.05, 2.0), "expected low and high around all returns, which are 1 to 1"),
    ],
)
def test_returns_that_say_nothing_are_refused(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        SmoothedReturns(*arguments)
