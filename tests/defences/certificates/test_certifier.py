"""What is certain of policies whose answers are known by hand, and that no attack of ours gets outside."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, MultiDiscrete
from torch import nn

from rlattack.attacks import ATTACKS, Attacker, make_attack
from rlattack.attacks.attack import Setting
from rlattack.attacks.make import check_attack
from rlattack.budget import Ball, Budget
from rlattack.defences.certificates import Certifier, values
from rlattack.defences.certificates.crown import METHODS
from rlattack.errors import InvalidInput
from rlattack.policies import GaussianPolicy, ModulePolicy
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.module import ContinuousPolicy
from rlattack.policies.network import Network, NetworkSpec

SLOTS = 48
SPACE = Box(-5, 5, (2,), np.float32)


def linear(weight: list[list[float]]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight), bias=False)
    layer.weight.data = torch.tensor(weight)
    return layer


def ball(eps: float, norm: str = "linf", space: Box = SPACE) -> Ball:
    return Budget(norm=norm, eps=eps, space="raw").ball(space)


IDENTITY = ModulePolicy(linear([[1.0, 0.0], [0.0, 1.0]]), (2,), 2)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("norm", "radius"), [("linf", 0.25), ("l2", 0.5 / 2), ("l1", 0.5 / 2)])
def test_the_radius_of_a_linear_policy_is_half_the_lead_in_the_dual_norm(norm, radius, method):
    obs = torch.tensor([[1.0, 0.5], [0.0, 3.0], [1.0, 1.0]])
    certifier = Certifier(IDENTITY, ball(1.0, norm), method)
    # lead .5; of x - y the dual norms are 2, sqrt(2) and 1, and eps of 2 entries is 1, 1 / sqrt(2) and 1 / 2 of them
    assert certifier.radius(obs).tolist() == pytest.approx([radius, 1.0, 0.0], abs=1e-3)
    assert certifier.certified(obs).tolist() == [False, True, False]
    assert certifier.certified(obs, share=torch.full((3,), 0.9 * radius)).tolist() == [True, True, False]


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_a_lead_that_is_left_of_large_terms_is_rounding(scale):
    """x and -y, each `scale` times, leave a lead of .001: much beside terms of 1, nothing beside those of 10,000."""
    inner = linear([[1.0, 0.0], [0.0, 1.0]])
    last = nn.Linear(2, 2)
    last.weight.data, last.bias.data = torch.tensor([[scale, -scale], [0.0, 0.0]]), torch.tensor([1e-3, 0.0])
    policy = ModulePolicy(nn.Sequential(inner, nn.ReLU(), last), (2,), 2)
    certain = Certifier(policy, ball(1e-9)).certified(torch.ones(1, 2))
    assert certain.tolist() == [scale == 1.0]


def test_a_mean_that_is_left_of_large_terms_has_their_rounding():
    policy = ContinuousPolicy(
        nn.Sequential(linear([[1.0, 0.0], [1.0, 0.0]]), nn.ReLU(), linear([[1e4, -1e4]])), (2,), Box(-1, 1, (1,))
    )
    found = Certifier(policy, ball(1e-9)).outputs(torch.ones(1, 2))
    assert found.lower.item() < -0.1 < 0.1 < found.upper.item()


def test_an_illegal_action_is_no_rival():
    obs, legal = torch.tensor([[1.0, 0.9]]), torch.tensor([[True, False]])
    certifier = Certifier(IDENTITY, ball(1.0))
    assert not certifier.certified(obs)
    assert certifier.certified(obs, legal)
    assert certifier.possible(obs, legal).tolist() == [[True, False]]
    assert certifier.certified(obs, ~legal)


@pytest.mark.parametrize("method", METHODS)
def test_an_action_whose_score_overflows_is_possible(method):
    policy = ModulePolicy(linear([[3e38, 3e38], [1.0, 0.0]]), (2,), 2)
    assert Certifier(policy, ball(4.0), method).possible(torch.tensor([[1.0, 1.0]])).tolist() == [[True, True]]


def test_of_several_choices_each_must_be_certain():
    network = GaussianNetwork(GaussianSpec(observation=(2,), actions=4, choices=(2, 2), hidden=(), head="categorical"))
    network.pi.out.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    network.pi.out.bias.data.zero_()
    policy = GaussianPolicy(network)
    assert isinstance(policy.action, MultiDiscrete)
    certifier = Certifier(policy, ball(0.2))
    obs = torch.tensor([[1.0, 1.0], [0.1, 1.0], [-0.1, -0.1]])
    assert certifier.certified(obs).tolist() == [True, False, False]
    assert certifier.possible(obs)[0].tolist() == [True, False, True, False]


def test_a_mean_moves_as_far_as_it_can():
    policy = ContinuousPolicy(linear([[3.0, -4.0], [0.0, 1.0]]), (2,), Box(-10, 10, (2,)))
    certifier = Certifier(policy, ball(0.5))
    assert certifier.moves(torch.zeros(1, 2)).tolist() == [pytest.approx([3.5, 0.5], rel=1e-4)]
    assert certifier.moved(torch.zeros(1, 2)).item() == pytest.approx(3.5 / 20, rel=1e-4)
    assert certifier.radius(torch.zeros(1, 2), tolerance=0.1).item() == pytest.approx(2 / 3.5, abs=1e-3)


def test_a_squashed_action_moves_within_its_range():
    spec = GaussianSpec(observation=(2,), actions=1, hidden=(), head="squashed-point", low=(-2.0,), high=(2.0,))
    network = GaussianNetwork(spec)
    network.pi.out.weight.data, network.pi.out.bias.data = torch.tensor([[100.0, 0.0]]), torch.zeros(1)
    found = Certifier(GaussianPolicy(network), ball(1.0)).outputs(torch.zeros(1, 2))
    assert (found.lower.item(), found.upper.item()) == pytest.approx((-2.0, 2.0), abs=1e-4)


def test_values_lie_between_their_ends():
    policy = ModulePolicy.of(Network(NetworkSpec(observation=(2,), actions=3, head="q", scale=1.0, actor=(5,))))
    obs, reach = torch.randn(4, 2), ball(0.3)
    for method in METHODS:
        found = values(policy, reach, obs, method)
        for _ in range(50):
            said = policy(obs + 0.6 * torch.rand(4, 2) - 0.3).values
            assert ((said >= found.lower) & (said <= found.upper)).all()


def test_pictures_are_bounded_by_one_way_back_unless_asked_otherwise():
    policy = ModulePolicy(nn.Sequential(nn.Conv2d(1, 1, 2), nn.Flatten(), nn.Linear(1, 2)), (1, 2, 2), 2)
    reach = Budget(eps=0.1).ball(Box(0, 255, (1, 2, 2), np.uint8))
    assert Certifier(policy, reach).method == "crown-ibp"
    assert Certifier(policy, reach, "crown").method == "crown"
    assert Certifier(IDENTITY, ball(0.1)).method == "crown"


def test_a_norm_without_bounds_is_refused():
    with pytest.raises(InvalidInput, match="--norm: certificates are of linf, l2, l1, got l0"):
        Certifier(IDENTITY, Budget(norm="l0", eps=1, space="raw").ball(SPACE))


def gradient_attacks(norm: str) -> list[str]:
    """Attacks that ask for gradients, need no fit and a size, and work on discrete actions with their defaults."""
    setting = Setting.of(trained(), Box(-5, 5, (6,), np.float32))
    found = []
    for name in (name for name in ATTACKS if name not in ATTACKS.added):  # by other tests of this process
        kind = ATTACKS.get(name)
        if kind.access != "observation" or kind.knowledge != "white" or kind.fitted or kind.adversaries:
            continue
        try:
            check_attack(make_attack(name, Budget(norm=norm, eps=0.1, space="raw")), setting)
        except InvalidInput:
            continue
        found.append(name)
    return found


def trained() -> ModulePolicy:
    torch.manual_seed(1)
    spec = NetworkSpec(observation=(6,), actions=4, head="actor-critic", scale=1.0, actor=(12, 12))
    return ModulePolicy.of(Network(spec))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_no_gradient_attack_changes_a_certified_action(norm):
    policy, space, played = trained(), Box(-5, 5, (6,), np.float32), 0
    obs = torch.randn(SLOTS, 6)
    active, seeds = np.ones(SLOTS, dtype=np.bool_), [np.random.SeedSequence(slot) for slot in range(SLOTS)]
    for name in gradient_attacks(norm):
        attack = make_attack(name, Budget(norm=norm, eps=0.1, space="raw"))
        attacker = Attacker(attack, policy, space, SLOTS)
        attacker.restart(np.arange(SLOTS), seeds)
        received = attacker(obs.clone(), active)
        certifier = Certifier(policy, attacker.reach) if ATTACKS.get(name).sized else None
        changed = policy(received).actions.greedy != policy(obs).actions.greedy
        if certifier is None:  # as small as it gets: no radius is larger than what changed an action
            within = Certifier(policy, ball(1.0, norm, space)).radius(obs)
            assert (attacker.reach.size(received - obs)[changed] >= within[changed] - 1e-5).all(), name
        else:
            certified = certifier.certified(obs)
            assert 0 < certified.sum() < SLOTS
            assert not (changed & certified).any(), name
        played += 1
    assert played >= 7
