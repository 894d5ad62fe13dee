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


def unit(policy):
    """The same as foolbox wants it of attacks whose parameters are those of pixels from 0 to 1."""
    return foolbox.PyTorchModel(nn.Sequential(Scaled(), Scores(policy)).eval(), bounds=(0, 1), device="cpu")


class Scaled(nn.Module):
    """Pixels from 0 to 1 as those of the game."""

    def forward(self, obs):
        return 255 * obs


def sizes(found, obs, order):
    return (found - obs).flatten(1).norm(p=order, dim=1)


def smallest(attack, policy, obs):
    """What foolbox finds, in the game's own range."""
    return 255 * attack(unit(policy), obs / 255, policy(obs).actions.greedy, epsilons=None)[1]


def turned(policy, found, obs):
    return (policy(found).actions.greedy != policy(obs).actions.greedy).all()


def test_cw_is_foolbox_s(policy, obs):
    about = {"steps": 12, "searches": 4, "step": 0.002, "weight": 0.01, "halvings": 0}
    attack = foolbox.attacks.L2CarliniWagnerAttack(
        binary_search_steps=4, steps=12, stepsize=0.002, initial_const=0.01, abort_early=False
    )
    mine, reference = ours(policy, obs, "cw", "l2", None, **about)[0], smallest(attack, policy, obs)
    assert turned(policy, mine, obs)
    assert (mine - reference).abs().max() / 255 < 1e-5


def test_ead_needs_no_more_than_foolbox_s(policy, obs):
    attack = foolbox.attacks.EADAttack(
        binary_search_steps=5, steps=12, initial_stepsize=0.01, initial_const=0.1, regularization=1e-3,
        decision_rule="L1", abort_early=False,
    )  # fmt: skip
    about = {"steps": 12, "searches": 5, "step": 0.01, "weight": 0.1, "shrink": 1e-3}
    mine, reference = ours(policy, obs, "ead", "l1", None, **about)[0], smallest(attack, policy, obs)
    assert turned(policy, mine, obs)
    assert sizes(mine, obs, 1).median() <= sizes(reference, obs, 1).median()


@pytest.mark.parametrize(("norm", "order", "kind"), [("l2", 2, "L2"), ("linf", torch.inf, "Linf")])
def test_deepfool_and_fab_need_no_more_than_foolbox_s_deepfool(policy, obs, norm, order, kind):
    attack = getattr(foolbox.attacks, f"{kind}DeepFoolAttack")(steps=50, candidates=10, overshoot=0.02)
    reference = sizes(smallest(attack, policy, obs), obs, order).median()
    for name in ("deepfool", "fab"):
        mine, _ = ours(policy, obs, name, norm, None)
        assert turned(policy, mine, obs)
        assert sizes(mine, obs, order).median() <= 1.001 * reference


@pytest.mark.parametrize("eps", SIZES)
def test_mim_raises_the_loss_no_less_than_foolbox_s_whose_gradients_are_not_normalised(policy, obs, eps):
    from foolbox.attacks.mi_fgsm import LinfMomentumIterativeFastGradientMethod  # nowhere else in foolbox 3.3.4

    attack = LinfMomentumIterativeFastGradientMethod(steps=10, rel_stepsize=0.1)
    labels = policy(obs).actions.greedy
    reference = 255 * attack(unit(policy), obs / 255, labels, epsilons=eps)[1]
    mine, _ = ours(policy, obs, "mim", "linf", eps)
    losses = (nn.functional.cross_entropy(policy(seen).actions.scores, labels) for seen in (mine, reference))
    assert next(losses) >= next(losses) * (1 - 1e-3)
