"""Our gradient attacks give what foolbox's give: same inputs, radius, step, cross-entropy summed over the batch."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import nn

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from rlattack.policies.module import ModulePolicy
from rlattack.policies.network import SMALL, Network, NetworkSpec

foolbox = pytest.importorskip("foolbox")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SPACE = Box(0, 255, (4, 84, 84), np.uint8)
SIZES = (0.001, 1 / 255, 0.01)


class Scores(nn.Module):
    """A policy as foolbox wants it."""

    def __init__(self, policy):
        super().__init__()
        self.policy = policy

    def forward(self, obs):
        return self.policy(obs).actions.scores


@pytest.fixture(scope="module")
def policy():
    torch.manual_seed(0)
    spec = NetworkSpec(observation=(4, 84, 84), actions=6, head="actor-critic", convolutions=SMALL, hidden=(64,))
    network = Network(spec)
    with torch.no_grad():
        network.actor[-1].weight.mul_(10)  # far from uniform, as a trained policy is
    return ModulePolicy.of(network)


@pytest.fixture(scope="module")
def obs():
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(8, 4, 84, 84, generator=generator) * 255).round()


@pytest.fixture(scope="module")
def model(policy):
    return foolbox.PyTorchModel(Scores(policy).eval(), bounds=(0, 255), device="cpu")


def ours(policy, obs, name, norm, eps, **parameters):
    attacker = Attacker(make_attack(name, Budget(norm=norm, eps=eps), **parameters), policy, SPACE, len(obs))
    return attacker(obs), 255 * attacker.reach.radius


def theirs(attack, model, policy, obs, radius):
    return attack(model, obs, policy(obs).actions.greedy, epsilons=radius)[1]


@pytest.mark.parametrize("eps", SIZES)
def test_fgsm_linf_is_foolbox_s_to_the_bit(policy, obs, model, eps):
    mine, _ = ours(policy, obs, "fgsm", "linf", eps)
    reference = theirs(foolbox.attacks.LinfFastGradientAttack(random_start=False), model, policy, obs, 255 * eps)
    assert torch.equal(mine, reference)


@pytest.mark.parametrize("eps", SIZES)
def test_fgsm_l2_is_foolbox_s(policy, obs, model, eps):
    mine, radius = ours(policy, obs, "fgsm", "l2", eps)
    reference = theirs(foolbox.attacks.L2FastGradientAttack(random_start=False), model, policy, obs, radius)
    assert (mine - reference).abs().max() / 255 < 1e-5


@pytest.mark.parametrize("eps", SIZES)
def test_pgd_linf_is_foolbox_s_where_the_gradient_is_not_near_zero(policy, obs, model, eps):
    mine, radius = ours(policy, obs, "pgd", "linf", eps, random_start=False)
    attack = foolbox.attacks.LinfPGD(steps=10, abs_stepsize=2.5 * radius / 10, random_start=False)
    off = (mine - theirs(attack, model, policy, obs, radius)).abs() / 255
    assert (off > 1e-5).float().mean() < 1e-3  # a sign that flips at a slope of 1e-9


@pytest.mark.parametrize("eps", SIZES)
def test_pgd_l2_is_foolbox_s(policy, obs, model, eps):
    mine, radius = ours(policy, obs, "pgd", "l2", eps, random_start=False)
    attack = foolbox.attacks.L2PGD(steps=10, abs_stepsize=2.5 * radius / 10, random_start=False)
    assert (mine - theirs(attack, model, policy, obs, radius)).abs().max() / 255 < 1e-5
