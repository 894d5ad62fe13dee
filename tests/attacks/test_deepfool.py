"""The smallest perturbation and its control, against distances to the boundaries of linear policies."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import Attacker, make_attack
from rlattack.attacks.oracle import Oracle
from rlattack.attacks.target import Target
from rlattack.budget import Budget
from rlattack.errors import InvalidInput
from rlattack.policies import ModulePolicy
from tests.attacks.conftest import SPACE
from tests.kit.agents import gaussian_policy, linear_policy, random_linear_policy, streams

DUAL = {"l2": 2, "linf": 1}
"""The norm of a slope that tells the distance to a boundary in each norm."""


@pytest.fixture
def obs():
    """So far from black and white that nothing is clipped."""
    return torch.randint(100, 156, (4, *SPACE.shape), generator=torch.Generator().manual_seed(3)).float()


@pytest.fixture
def policy():
    """Of four actions, all as good as each other where everything is grey."""
    weights = random_linear_policy(SPACE.shape, actions=4).module[1].weight.detach()
    return linear_policy(weights, (-128 * weights.sum(dim=1)).tolist(), SPACE.shape)


def gaps_of(policy, obs, row):
    """By how much the greedy action is above each other one, and the slopes of that."""
    scores, weight = policy(obs).actions.scores[row], policy.module[1].weight.detach()
    best = int(scores.argmax())
    others = [action for action in range(len(scores)) if action != best]
    return scores[best] - scores[others], weight[others] - weight[best]


def length(delta, norm):
    return delta.flatten().norm(p={"l2": 2, "linf": torch.inf}[norm])


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("overshoot", [0.02, 0.3])
def test_deepfool_goes_the_closed_form_distance_to_the_nearest_boundary(policy, obs, attack_with, norm, overshoot):
    received = attack_with(policy, "deepfool", norm, None, overshoot=overshoot)(obs)
    assert (policy(received).actions.greedy != policy(obs).actions.greedy).all()
    for row in range(len(obs)):
        gaps, slopes = gaps_of(policy, obs, row)
        distances = gaps / slopes.norm(p=DUAL[norm], dim=1)
        delta = received[row] - obs[row]
        assert length(delta, norm) == pytest.approx((1 + overshoot) * float(distances.min()), rel=1e-3)
        slope = slopes[distances.argmin()]
        expected = slope if norm == "l2" else slope.sign()
        assert torch.cosine_similarity(delta.flatten(), expected, dim=0) == pytest.approx(1, abs=1e-4)


def test_entries_at_an_end_of_their_range_leave_the_way_to_the_others():
    policy = linear_policy([[0.0, 0.0], [3.0, 1.0]], bias=[1.0, 0.0])
    space = Box(np.float32([-9.0, -9.0]), np.float32([0.1, 9.0]))
    attack = make_attack("deepfool", Budget(norm="l2", eps=None, space="raw"), overshoot=0.001)
    received = Attacker(attack, policy, space, 1)(torch.zeros(1, 2))
    assert received[0].tolist() == pytest.approx([0.1, 0.7], abs=1e-3)


def test_distances_are_counted_in_the_deviations_of_each_entry():
    policy = linear_policy([[0.0, 0.0], [1.0, 1.0]], bias=[1.0, 0.0])
    space, clean = Box(-9, 9, (2,), np.float32), torch.zeros(1, 2)
    budget = Budget(norm="l2", eps=None, space="sigma")
    attack = make_attack("deepfool", budget, overshoot=0.0001)
    victim = target_at(policy, clean)
    reach = budget.ball(space, deviation=torch.tensor([3.0, 1.0]))
    received = attack.perturb(victim, clean, reach, streams(0))
    assert received[0].tolist() == pytest.approx([0.9, 0.1], abs=1e-3)  # 0.3 and 0.1 deviations


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_a_random_direction_is_followed_to_its_own_boundary(policy, obs, attack_with, norm):
    received = attack_with(policy, "direction", norm, None, halvings=12)(obs)
    found = 0
    for row in range(len(obs)):
        delta = (received[row] - obs[row]).flatten()
        if not delta.any() or ((received[row] == 0) | (received[row] == 255)).any():
            continue  # what is clipped goes another way
        gaps, slopes = gaps_of(policy, obs, row)
        climb = slopes @ (delta / length(delta, norm))
        nearest = float((gaps / climb)[climb > 0].min())
        assert 0.9999 * nearest <= length(delta, norm) <= 1.001 * nearest
        found += 1
    assert found


def test_a_random_direction_of_the_largest_entry_is_one_of_signs(policy, obs, attack_with):
    received = attack_with(policy, "direction", "linf", None)(obs)
    moved = (received - obs).flatten(1)
    inner = ((received > 0) & (received < 255)).flatten(1)
    for row in moved.any(dim=1).nonzero()[:, 0]:
        sizes = moved[row][inner[row]].abs()
        assert float(sizes.min()) == pytest.approx(float(sizes.max()), rel=1e-3)


def test_a_random_direction_is_never_shorter_than_deepfool_and_its_overshoot(policy, obs, attack_with):
    shortest = (attack_with(policy, "deepfool", "l2", None)(obs) - obs).flatten(1).norm(dim=1) / 1.02
    random = (attack_with(policy, "direction", "l2", None)(obs) - obs).flatten(1).norm(dim=1)
    assert ((random == 0) | (random > shortest * 0.999)).all()
    assert (random > shortest).any()


class Curved(torch.nn.Module):
    """Two scores of one number: linear steps fall short of the boundaries at -4 and 4."""

    def forward(self, obs):
        return torch.cat([torch.full((len(obs), 1), 6.0), 3 * obs.abs().sqrt()], dim=1)


def test_steps_go_on_until_the_victim_chooses_otherwise_and_count_for_who_needs_them():
    shown = torch.tensor([[1.0], [3.99], [-1.0], [5.0]])

    def attacked(**parameters):
        attack = make_attack("deepfool", Budget(norm="l2", eps=None, space="raw"), **parameters)
        attacker = Attacker(attack, ModulePolicy(Curved(), (1,), 2), Box(-9, 9, (1,), np.float32), 4)
        return attacker(shown)[:, 0].tolist(), attacker.oracle.gradients.tolist()

    # by hand: 1 -> 3.040 -> 3.952 -> 4.001; 3.99 -> 4.000; and from 5, where the other action is best, 3.923
    received, gradients = attacked()
    assert received == pytest.approx([4.001, 4.0, -4.001, 3.923], abs=0.001)
    assert [abs(value) > 4 for value in received] == [True, True, True, False]
    assert gradients == [3, 1, 3, 1]
    received, gradients = attacked(steps=2)
    assert received[0] == 1.0  # nothing was found in two steps, so nothing is done
    assert received[1] == pytest.approx(4.0, abs=0.001)
    assert gradients == [2, 1, 2, 1]


def test_where_no_slope_leads_anywhere_nothing_is_done(obs, attack_with):
    constant = linear_policy(torch.zeros(3, obs[0].numel()), [1.0, 0.0, 0.0], SPACE.shape)
    for name in ("deepfool", "direction"):
        attacker = attack_with(constant, name, "l2", None)
        assert torch.equal(attacker(obs), obs)


@pytest.mark.parametrize("name", ["deepfool", "direction"])
def test_where_nothing_else_is_legal_nothing_is_changed(policy, obs, attack_with, name):
    labels = policy(obs).actions.greedy
    legal = torch.nn.functional.one_hot(labels, 4).bool()
    parameters = {"steps": 2} if name == "deepfool" else {}
    assert torch.equal(attack_with(policy, name, "l2", None, **parameters)(obs, legal=legal), obs)


def test_the_nearest_action_is_looked_for_among_the_legal_ones(policy, obs, attack_with):
    scores = policy(obs).actions.scores
    legal = torch.ones(4, 4, dtype=torch.bool).scatter(1, scores.argmax(dim=1, keepdim=True), value=False)
    received = attack_with(policy, "deepfool", "l2", None)(obs, legal=legal)
    before, after = (policy(seen).among(legal).actions.greedy for seen in (obs, received))
    assert (before != after).all()


def test_on_whole_bytes_the_search_goes_on_until_a_rounded_point_changes_the_choice(policy, obs, attack_with):
    received = attack_with(policy, "deepfool", "linf", None, grid=True)(obs)
    assert torch.equal(received, received.round())
    assert (policy(received).actions.greedy != policy(obs).actions.greedy).all()


@pytest.mark.parametrize("name", ["deepfool", "direction"])
def test_what_has_changed_the_choice_already_is_left_alone(policy, obs, name):
    """In the `frame` model older frames stay perturbed, which may do."""
    attack = make_attack(name, Budget(norm="l2", eps=None), **({} if name == "deepfool" else {"halvings": 20}))
    reach = attack.budget.reach(SPACE)
    flipped = make_attack("deepfool", attack.budget).perturb(target_at(policy, obs), obs, reach, None)
    received = attack.perturb(target_at(policy, obs, attack.knowledge), flipped, reach, streams(0, 1, 2, 3))
    assert (received - flipped).abs().max() < 1e-6


def target_at(policy, obs, knowledge="white"):
    """The target of an attack where the game shows these observations."""
    oracle = Oracle(policy, len(obs), knowledge)
    oracle.begin(obs, np.ones(len(obs), dtype=np.bool_))
    return Target(oracle)


@pytest.mark.parametrize("name", ["deepfool", "direction"])
def test_victims_without_a_choice_of_discrete_actions_are_refused(name, attack_with):
    attack = make_attack(name, Budget(norm="l2", eps=None, space="raw"))
    with pytest.raises(InvalidInput, match=f"attack {name}: expected discrete actions"):
        Attacker(attack, gaussian_policy(3), Box(-1, 1, (3,), np.float32), 2)
    with pytest.raises(InvalidInput, match="expected a game with a choice of actions, got 1"):
        attack_with(random_linear_policy(SPACE.shape, actions=1), name, "l2", None)
