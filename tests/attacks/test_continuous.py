"""Attacks on what a victim of continuous actions sees: the divergence from its clean action is climbed."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import ATTACKS, Attacker, make_attack
from rlattack.attacks.attack import Setting
from rlattack.attacks.fgsm import FGSM
from rlattack.attacks.make import check_attack
from rlattack.attacks.objective import Objective
from rlattack.budget import Budget
from rlattack.errors import InvalidInput
from rlattack.policies.module import ModulePolicy
from tests.kit.agents import gaussian_policy

SPACE = Box(-np.inf, np.inf, (6,), np.float32)
SLOTS = 4


def gaussian(memory=0):
    policy = gaussian_policy(6, 3, hidden=(8,) if memory else (), memory=memory)
    policy.network.obs_mean += 0.5
    policy.network.obs_std *= torch.linspace(0.5, 2.0, 6)
    policy.network.log_std.data -= 1
    return policy


def attacker(policy, name="pgd", *, eps=0.1, norm="l2", space="raw", **parameters):
    attack = make_attack(name, Budget(norm=norm, eps=eps, space=space), **parameters)
    made = Attacker(attack, policy, SPACE, SLOTS)
    made.restart(np.arange(SLOTS), [np.random.SeedSequence(seed) for seed in range(SLOTS)])
    return made


def obs():
    return torch.randn(SLOTS, 6, generator=torch.Generator().manual_seed(1))


def divergence(policy, received, clean, state=None):
    return policy(received, state).actions.divergence(policy(clean, state).actions)


def test_divergence_is_that_of_torch_distributions():
    policy, clean = gaussian(), obs()
    one, two = policy(clean).actions, policy(clean + 0.3).actions
    normal = [torch.distributions.Normal(out.mean, out.deviation) for out in (one, two)]
    expected = torch.distributions.kl_divergence(*normal).sum(dim=1)
    torch.testing.assert_close(two.divergence(one), expected)


@pytest.mark.parametrize("space", ["raw", "sigma"])
def test_pgd_finds_the_worst_l2_perturbation_of_a_linear_policy(space):
    policy, clean = gaussian(), obs()
    made = attacker(policy, space=space, steps=100)
    received = made(clean)
    # the mean is linear: the worst direction is the first singular vector of its map, in units of the deviation
    scale = policy.network.obs_std if space == "raw" else torch.ones(6)
    slopes = policy.network.pi.out.weight / scale / policy(clean).actions.deviation[:, None]
    radius = 0.1 * 6**0.5
    worst = (radius * torch.linalg.svdvals(slopes)[0]) ** 2 / 2
    found = divergence(policy, received, clean)
    assert (found <= worst * (1 + 1e-4)).all()
    assert (found > 0.95 * worst).all()


def test_pgd_does_more_than_noise_of_the_same_size_inside_the_budget():
    policy, clean = gaussian(), obs()
    received, noised = (attacker(policy, name, norm="linf")(clean) for name in ("pgd", "noise"))
    assert ((received - clean).abs() <= 0.1 * (1 + 1e-5)).all()
    assert (divergence(policy, received, clean) > divergence(policy, noised, clean)).all()


def test_the_attack_knows_the_recurrent_state():
    policy, clean = gaussian(memory=4), obs()
    made = attacker(policy, norm="linf")
    state = policy(made(clean)).state
    assert state.abs().sum() > 0
    assert torch.equal(made.target(clean).state, policy(clean, state).state)
    received = made(clean)
    assert (divergence(policy, received, clean, state) > 0).all()
    made.restart(np.arange(2), [np.random.SeedSequence(0)] * 2)
    fresh, after = policy(clean).state, made.target(clean).state
    assert torch.equal(after[:2], fresh[:2])
    assert (after[2:] != fresh[2:]).any()


def test_kl_moves_a_discrete_policy_away_from_its_whole_distribution():
    torch.manual_seed(0)
    policy = ModulePolicy(torch.nn.Linear(6, 3), (6,), 3)
    made = Attacker(make_attack("pgd", Budget(eps=0.1, space="raw"), loss="mad"), policy, SPACE, SLOTS)
    clean = obs()
    received = made(clean)
    found = divergence(policy, received, clean)
    expected = torch.distributions.kl_divergence(
        *(torch.distributions.Categorical(logits=policy(seen).actions.scores) for seen in (clean, received))
    )
    torch.testing.assert_close(found, expected)
    assert (found > 1e-4).all()


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("fgsm", {}, "attack fgsm: the divergence from the clean actions has no slope .* use pgd"),
        ("pgd", {"random_start": False}, "has no slope where the attack starts"),
        ("pgd", {"loss": "ce"}, "continuous actions take loss=mad, value or q, and no target"),
        ("pgd", {"target": 1}, "continuous actions take loss=mad, value or q, and no target"),
    ],
)
def test_what_continuous_actions_do_not_have_is_refused(name, parameters, message):
    with pytest.raises(InvalidInput, match=message):
        attacker(gaussian(), name, **parameters)


def test_pixel_de_is_refused_for_continuous_actions():
    with pytest.raises(
        InvalidInput, match=r"pixel-de: expected discrete actions; use nes --norm linf or .* --norm linf$"
    ):
        check_attack(make_attack("pixel-de", Budget(norm="l0", eps=1, space="raw")), Setting.of(gaussian(), SPACE))


@pytest.mark.parametrize(("name", "norm"), [("deepfool", "linf"), ("boundary", "l2"), ("cw", "l2")])
def test_an_attack_that_needs_no_size_is_replaced_by_a_few_that_fit_what_is_seen(name, norm):
    with pytest.raises(InvalidInput, match=r"expected discrete actions; use (\S+ or ){3}\S+$") as refused:
        check_attack(make_attack(name, Budget(norm=norm, eps=None, space="raw")), Setting.of(gaussian(), SPACE))
    for other in str(refused.value).partition("; use ")[2].split(" or "):
        assert not ATTACKS.get(other).is_control
        check_attack(make_attack(other, Budget(norm=norm, eps=0.1, space="raw")), Setting.of(gaussian(), SPACE))


def test_kl_takes_no_target():
    policy = ModulePolicy(torch.nn.Linear(6, 3), (6,), 3)
    with pytest.raises(InvalidInput, match="loss=mad has no target"):
        check_attack(make_attack("pgd", Budget(eps=0.1, space="raw"), loss="mad", target=1), Setting.of(policy, SPACE))


class Careless(FGSM):
    name = "careless"

    def check(self, setting):
        raise KeyError("size of\nan image")


def test_an_attack_of_others_that_fails_where_it_is_checked_is_one_line():
    with pytest.raises(InvalidInput, match=r"^attack careless: KeyError: .*an image'$"):
        check_attack(Careless(Budget(eps=0.1, space="raw"), Objective()), Setting.of(gaussian(), SPACE))
