import itertools

import numpy as np
import pytest
import torch

from rlattack.policies import ModulePolicy


def flipped(policy, obs, received):
    return policy(received).actions.greedy != policy(obs).actions.greedy


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_few_pixels_of_the_newest_frame_are_black_or_white(policy, obs, attack_with, count):
    received = attack_with(policy, "pixel-de", "l0", count)(obs)
    changed = received != obs
    assert not changed[:, :-1].any()
    assert (changed.flatten(1).sum(dim=1) <= count).all()
    assert changed.any()
    assert set(received[changed].tolist()) <= {0.0, 255.0}


def test_two_pixels_flip_what_trying_all_pairs_flips(policy, obs, attack_with):
    received = attack_with(policy, "pixel-de", "l0", 2, population=40, generations=40)(obs)
    for row in range(len(obs)):
        cases = list(itertools.product(itertools.combinations(range(36), 2), (0.0, 255.0), (0.0, 255.0)))
        places = torch.tensor([case[0] for case in cases])
        values = torch.tensor([case[1:] for case in cases])
        tried = obs[row].repeat(len(cases), 1, 1, 1)
        tried[:, -1] = tried[:, -1].flatten(1).scatter(1, places, values).view(-1, 6, 6)
        if (policy(tried).actions.greedy != policy(obs).actions.greedy[row]).any():
            assert flipped(policy, obs, received)[row]


def test_a_slot_stops_asking_when_its_victim_chooses_otherwise(policy, attack_with):
    close = torch.full((4, 3, 6, 6), 127.0)
    scores = policy(close).actions.scores[0]
    bias = policy.module[1].bias
    with torch.no_grad():
        bias -= scores  # all actions alike, so that about half of all pixels flip the choice
        bias[0] += 1e-3
    attacker = attack_with(policy, "pixel-de", "l0", 1, population=8, generations=20)
    assert flipped(policy, close, attacker(close)).all()
    assert (attacker.oracle.queries == 8 + 1).all()


def test_a_search_that_fails_asks_all_it_may_and_no_more(obs, attack_with, policy):
    with torch.no_grad():
        policy.module[1].bias[0] += 1e3
    attacker = attack_with(policy, "pixel-de", "l0", 1, population=6, generations=4)
    received = attacker(obs)
    assert not flipped(policy, obs, received).any()
    assert (attacker.oracle.queries == 6 * 5 + 1).all()


def test_generations_only_lower_the_margin_of_the_first_population(obs, attack_with, policy):
    with torch.no_grad():
        policy.module[1].bias[0] += 100

    def margin(generations):
        scores = policy(attack_with(policy, "pixel-de", "l0", 2, generations=generations)(obs)).actions.scores
        return scores[:, 0] - scores[:, 1:].amax(dim=1)

    assert (margin(1) <= margin(0)).all()
    assert (margin(20) < margin(0)).all()


def test_an_episode_is_attacked_alike_beside_neighbours_that_stop_early_late_or_never_play(policy, obs, attack_with):
    alone = attack_with(policy, "pixel-de", "l0", 2)(obs, np.asarray([False, False, True, False]))
    among = attack_with(policy, "pixel-de", "l0", 2)(obs)
    other = obs.clone()
    other[[0, 1, 3]] = 255 - other[[0, 1, 3]]
    beside = attack_with(policy, "pixel-de", "l0", 2)(other)
    assert torch.equal(alone[2], among[2])
    assert torch.equal(alone[2], beside[2])


class Placed(torch.nn.Module):
    """Scores that depend a little on the place in the batch, as float rounding may; else linear."""

    def __init__(self, linear):
        super().__init__()
        self.linear = linear

    def forward(self, obs):
        place = torch.arange(1.0, len(obs) + 1)[:, None]
        return self.linear(obs) + 30 * torch.cat([torch.sin(place), torch.cos(place), torch.zeros_like(place)], dim=1)


def test_a_slot_s_candidates_are_asked_about_in_its_own_place_of_the_batch(policy, obs, attack_with):
    placed = ModulePolicy(Placed(policy.module), obs.shape[1:], 3)
    received = [
        attack_with(placed, "pixel-de", "l0", 2, population=5, generations=3)(obs, np.asarray(active))[2]
        for active in ([False, False, True, False], [True] * 4, [True, False, True, True])
    ]
    assert torch.equal(received[0], received[1])
    assert torch.equal(received[0], received[2])
