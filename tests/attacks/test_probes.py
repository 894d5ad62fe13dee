"""Signs of gradients that lie: each is raised by a victim that was made for it, and none by one that hides nothing."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import nn

from rlattack.attacks import Attacker, make_attack
from rlattack.attacks.attack import Setting
from rlattack.attacks.probes import look
from rlattack.budget import Budget
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.policies.module import ModulePolicy
from tests.attacks.conftest import RandomTuning
from tests.kit.agents import gaussian_network

SPACE = Box(-9, 9, (3,), np.float32)


class Hiding(nn.Module):
    """Two scores: 0, and what `height` makes of the mean of what is seen."""

    def __init__(self, height):
        super().__init__()
        self.height = height

    def forward(self, obs):
        score = self.height(obs.mean(dim=1)) - 5
        return torch.stack([torch.zeros_like(score), score], dim=1)


def honest(x):
    return x


def lying(x):
    """What a defence gives that answers gradients with their opposite."""
    return (2 * x).detach() - x


def stairs(x):
    return (8 * x).round() / 8


def trapped(x):
    """Climbs to a narrow trap at 0.4, which long steps leap over, and high above it."""
    in_trap, beyond = (x > 0.4) & (x < 0.5), x >= 0.5
    return torch.where(beyond, 5 + x, torch.where(in_trap, 0.8 - x, x))


def island(x):
    """Climbs as far as the smaller size reaches, and is flat and low outside."""
    return torch.where(x.abs() <= 1, x, -1 + 0 * x)


def probed(policy, norm="linf", eps=1.0):
    """What is found at a radius of 1 around zeros; signs that are raised, and the rest."""
    budget = Budget(norm=norm, eps=eps, space="raw")
    attacker = Attacker(make_attack("noise", budget), policy, SPACE, 32)
    attacker.attack = make_attack("pgd", budget)  # who may ask all
    tuning = RandomTuning(attacker, policy, [torch.zeros(32, 3)])
    found = look(tuning, budget, Setting.of(policy, SPACE), 64, 20)
    return {probe.kind: probe for probe in found.probes}, found


@pytest.mark.parametrize(
    ("height", "raised", "flat"),
    [
        (honest, set(), 0.0),
        (lying, {"black box", "random starts"}, 0.0),
        (stairs, {"black box", "random starts"}, 1.0),
        (trapped, {"steps"}, 0.0),
        (island, {"size"}, 0.0),
    ],
)
def test_a_sign_is_raised_by_the_victim_that_deserves_it(height, raised, flat):
    probes, found = probed(ModulePolicy(Hiding(height), (3,), 2))
    assert {kind for kind, probe in probes.items() if probe.failed} == raised
    assert found.flat == flat
    assert found.states == 64


def test_of_an_honest_victim_gains_are_as_far_as_the_reach_goes():
    probes, _ = probed(ModulePolicy(Hiding(honest), (3,), 2))
    assert probes["steps"].before == probes["steps"].after == pytest.approx(1)
    assert probes["size"].after == pytest.approx(2)
    assert probes["size"].most == pytest.approx(2)
    assert (probes["black box"].weaker, probes["black box"].stronger) == ("square", "apgd:steps=20,restarts=5")


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_continuous_victims_are_probed_by_their_divergence(norm):
    policy = GaussianPolicy(gaussian_network(3, 2, hidden=(16, 16)))
    probes, found = probed(policy, norm)
    assert set(probes) == {"steps", "size", "random starts"} | ({"black box"} if norm == "linf" else set())
    assert not any(probe.failed for probe in probes.values())
    assert found.flat == 0
    assert all(probe.before > 0 for probe in probes.values())


def test_where_the_weaker_one_gains_nothing_nothing_is_said():
    probes, found = probed(ModulePolicy(Hiding(lambda x: 0 * x), (3,), 2))
    assert {probe.most for probe in probes.values()} == {None}
    assert not any(probe.failed for probe in probes.values())
    assert found.flat == 1
