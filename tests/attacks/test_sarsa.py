"""Robust Sarsa: the worst perturbation of a victim whose pay is what it does."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from rlattack.errors import InvalidInput
from rlattack.evaluation import Study
from rlattack.evaluation.plan import plan
from rlattack.policies.gaussian import GaussianPolicy
from tests.attacks.conftest import RandomTuning
from tests.kit.agents import gaussian_network, linear_gaussian_network

EPS, SCALE = 0.1, 0.5
NUMBERS = Box(-9, 9, (3,), float)
WEIGHTS = torch.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, 1.0]])
SMALL = {"rollout": 400, "updates": 64, "box": 0.1, "regulariser": 0.1, "steps": 5}


class Watched(RandomTuning):
    """Keeps who perturbs tuning episodes, in how many slots, whether the victim draws, and what is said."""

    def __init__(self, *about):
        super().__init__(*about)
        self.asked, self.told = [], []

    def rehearse(self, attack, slots, *, sampled=False):
        self.asked.append((attack and attack.name, slots, sampled))
        return super().rehearse(attack, slots, sampled=sampled)

    def say(self, line):
        self.told.append(line)


def shown(seed=0):
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))


def fitted(policy=None, **parameters):
    policy = policy or GaussianPolicy(linear_gaussian_network(WEIGHTS, scale=SCALE))
    attack = make_attack("sarsa", Budget(eps=EPS, space="sigma"), **SMALL | parameters)
    attacker = Attacker(attack, policy, NUMBERS, 4)
    tuning = Watched(attacker, policy, [shown(1), shown(2), shown(3)])
    attack.learned = attack.fit(tuning)
    return attacker, tuning


def test_what_pays_is_led_down():
    attacker, _ = fitted()
    moved = attacker(shown()) - shown()
    assert torch.allclose(moved, -SCALE * EPS * WEIGHTS[0].sign().expand(4, 3), atol=1e-6)
    assert attacker.oracle.gradients.tolist() == [5] * 4


def test_with_mad_it_leads_away_on_either_side():
    policy = GaussianPolicy(linear_gaussian_network(WEIGHTS[:1], scale=SCALE))
    for mad, ways in ((0.0, {-1.0}), (0.999, {-1.0, 1.0})):
        attacker, _ = fitted(policy, mad=mad, steps=20)
        attacker.restart(np.arange(4), [np.random.SeedSequence(seed) for seed in range(4)])
        moved = (attacker(shown()) - shown()) / (SCALE * EPS * WEIGHTS[0].sign())
        assert set(moved.mean(dim=1).round(decimals=3).tolist()) == ways


def test_the_victim_draws_its_actions_where_critics_learn_and_plays_where_they_are_chosen():
    attacker, tuning = fitted(box=None)
    assert tuning.asked == [(None, 40, True), ("sarsa", 128, False)]
    facts = attacker.attack.learned.facts
    assert facts["box"] in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
    assert facts["regulariser"] == 0.1
    assert facts["updates"] in (8, 16, 32, 64)
    assert tuning.told == [
        "440 steps seen", *(f"6 critics, {updates} updates" for updates in (8, 16, 32, 64)),
        "choosing among 8 critics, 144 steps",
    ]  # fmt: skip


def test_a_victim_whose_actions_are_certain_sees_noise_meanwhile():
    network = gaussian_network(3, 2, hidden=(), head="point")
    _, tuning = fitted(GaussianPolicy(network, Box(-1, 1, (2,))))
    assert tuning.asked[0] == ("noise", 40, True)


def test_it_has_an_objective_of_its_own():
    with pytest.raises(InvalidInput, match="sarsa: climbs down a critic of its own: leave loss and target out"):
        make_attack("sarsa", Budget(eps=EPS), loss="mad")


def test_choices_are_refused_by_a_line_that_names_what_would_do():
    study = Study(
        game="gymnasium/CartPole-v1", players="gymnasium/CartPole-v1/dqn", attack="sarsa", eps=0.1, space="raw"
    )
    with pytest.raises(InvalidInput, match=r"attack sarsa: expected continuous actions; use .*pgd"):
        plan(study)


def test_so_much_that_no_critic_learns_it_is_refused():
    wide = GaussianPolicy(gaussian_network(1999, 2, hidden=()))
    with pytest.raises(InvalidInput, match=r"its critics look at 2,000 numbers at most, this game has 2,001: use pgd"):
        Attacker(make_attack("sarsa", Budget(eps=EPS, space="raw")), wide, Box(-9, 9, (1999,)), 1)


def test_before_it_has_learned_anything_it_does_not_play():
    policy = GaussianPolicy(linear_gaussian_network(WEIGHTS))
    attacker = Attacker(make_attack("sarsa", Budget(eps=EPS, space="sigma")), policy, NUMBERS, 4)
    with pytest.raises(InvalidInput, match="sarsa learns on tuning episodes first"):
        attacker(shown())
