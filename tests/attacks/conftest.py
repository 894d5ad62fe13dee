"""Policies whose worst perturbation is known by hand."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import nn

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from rlattack.policies import ModulePolicy

SPACE = Box(0, 255, (3, 6, 6), np.uint8)


def linear_policy(space=SPACE, actions=3, seed=0, value_based=False):
    """Scores that are linear in what is seen, small enough that the cross-entropy's gradient does not vanish."""
    torch.manual_seed(seed)
    layer = nn.Linear(int(np.prod(space.shape)), actions)
    with torch.no_grad():
        layer.weight.mul_(0.02)
    return ModulePolicy(nn.Sequential(nn.Flatten(), layer), space.shape, actions, value_based=value_based)


@pytest.fixture
def linear():
    return linear_policy


@pytest.fixture
def policy():
    return linear_policy()


@pytest.fixture
def two():
    """Of two actions, so that one direction is worst everywhere."""
    return linear_policy(actions=2)


@pytest.fixture
def obs():
    return torch.randint(0, 256, (4, *SPACE.shape), generator=torch.Generator().manual_seed(3)).float()


@pytest.fixture
def attack_with():
    """Makes an attacker of a policy on the small space."""

    def make(policy, name, norm, eps, slots=4, model="stack", grid=False, **parameters):
        attack = make_attack(name, Budget(norm=norm, eps=eps, grid=grid), **parameters)
        attacker = Attacker(attack, policy, SPACE, slots, model=model)
        attacker.restart(np.arange(slots), [np.random.SeedSequence(seed) for seed in range(slots)])
        return attacker

    return make
