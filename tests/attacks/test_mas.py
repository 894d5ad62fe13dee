"""MAS on what a victim does, whose worst action is known by hand."""

import itertools

import pytest
import torch

from rlattack.policies.distributions import Normal, Point, SquashedNormal
from rlattack.policies.gaussian import GaussianPolicy
from tests.attacks.hands import SLOTS, Certain, Stateful, Valued, attacker_of, every, seen
from tests.kit.agents import linear_gaussian_network


def best_of_ends(reach, chosen, value):
    """The corner of the box around each action at which `value` is largest, by trying all."""
    low, high = (chosen - reach).clamp(-1, 1), (chosen + reach).clamp(-1, 1)
    corners = torch.stack(
        [torch.where(torch.tensor(up), high, low) for up in itertools.product((False, True), repeat=3)]
    )
    return torch.stack([value(corner) for corner in corners]).amax(dim=0)


def test_mas_takes_the_action_that_the_victim_is_least_likely_to_take_as_trying_all_corners_finds():
    policy, (obs, chosen) = Certain(deviation=(0.5, 0.1, 2.0)), seen()
    actions = policy(obs).actions
    done = attacker_of(policy)(obs, chosen, every())
    assert actions.surprise(done).tolist() == pytest.approx(best_of_ends(0.25, chosen, actions.surprise).tolist())


def test_mas_leads_away_from_the_mean_of_equal_deviations_in_a_straight_line():
    obs, chosen = seen()
    done = attacker_of(Certain(), norm="l2", eps=0.05)(obs, 0.5 * chosen, every())
    away = (0.5 * chosen - obs) / (0.5 * chosen - obs).norm(dim=1, keepdim=True)
    assert torch.allclose(done, 0.5 * chosen + 0.05 * 3**0.5 * away, atol=2e-4)


@pytest.mark.parametrize("kind", [Normal, SquashedNormal, Point])
def test_mas_moves_who_acts_greedily_too(kind):
    policy, (obs, _) = Certain(kind), seen()
    chosen = policy(obs).actions.greedy
    done = attacker_of(policy)(obs, chosen, every())
    if kind is not SquashedNormal:
        assert (done - chosen).abs().numpy() == pytest.approx(0.25, abs=1e-6)
    assert (policy(obs).actions.surprise(done) > policy(obs).actions.surprise(chosen)).all()


def test_mas_descends_the_victim_s_own_critic_where_it_looks_at_actions():
    obs, chosen = seen()
    slope = (0.3, -2.0, 0.01)
    sign, weight = torch.tensor(slope).sign(), torch.tensor(slope)
    linf = attacker_of(Valued(slope=slope))(obs, chosen, every())
    assert torch.allclose(linf, (chosen - 0.25 * sign).clamp(-1, 1))
    l2 = attacker_of(Valued(slope=slope), norm="l2", eps=0.05)(obs, 0.5 * chosen, every())
    assert torch.allclose(l2, 0.5 * chosen - 0.05 * 3**0.5 * weight / weight.norm(), atol=1e-4)
    l1 = attacker_of(Valued(slope=slope), norm="l1", eps=0.05)(obs, 0.5 * chosen, every())
    assert torch.allclose(l1, 0.5 * chosen + torch.tensor([0.0, 0.15, 0.0]), atol=1e-3)


def test_mas_finds_the_least_valued_action_of_a_critic_with_a_peak():
    policy, (obs, chosen) = Valued(best=(0.9, -0.9, 0.0)), seen()
    done = attacker_of(policy)(obs, chosen, every())
    worst = best_of_ends(0.25, chosen, lambda action: -policy.value(obs, action))
    assert (-policy.value(obs, done)).tolist() == pytest.approx(worst.tolist(), rel=1e-4)


def test_mas_asks_the_critic_with_what_the_victim_remembers():
    obs, chosen = seen()
    attacker = attacker_of(Stateful())
    moved = [(attacker(obs, chosen, every()) - chosen).sign()[0, 0].item() for _ in range(3)]
    assert moved == [1, 1, -1]


@pytest.mark.parametrize(
    ("policy", "queries", "gradients"),
    [
        (Valued(slope=(1.0, 1.0, 1.0)), 0, 4),
        (Certain(), 1, 0),
        (GaussianPolicy(linear_gaussian_network(torch.eye(3))), 1, 0),
    ],
)
def test_what_mas_asks_is_counted_and_a_critic_that_looks_at_no_action_is_none(policy, queries, gradients):
    attacker = attacker_of(policy, steps=4)
    attacker(*seen(), every())
    assert attacker.oracle.queries.tolist() == [queries] * SLOTS
    assert attacker.oracle.gradients.tolist() == [gradients] * SLOTS
