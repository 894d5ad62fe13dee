"""Ascents with momentum and with steps of their own finding, on victims whose losses are known by hand."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import ATTACKS, Attacker, make_attack
from rlattack.attacks.apgd import _checkpoints
from rlattack.attacks.ascent import Ascent
from rlattack.budget import Budget
from rlattack.errors import InvalidInput, RlattackError
from rlattack.policies import ModulePolicy
from tests.attacks.test_pgd import margin_of
from tests.kit.agents import gaussian_policy

ASCENTS = [name for name in ATTACKS if name not in ATTACKS.added and issubclass(ATTACKS.get(name), Ascent)]
ASCENTS.remove("sarsa")  # which climbs what it learned


class Hills(torch.nn.Module):
    """Two scores of numbers: the second is the sum of functions of one number each."""

    def __init__(self, *hills):
        super().__init__()
        self.hills = hills

    def forward(self, obs):
        heights = torch.stack([hill(obs[:, number]) for number, hill in enumerate(self.hills)], dim=1)
        return torch.stack([torch.full((len(obs),), 9.0), heights.sum(dim=1)], dim=1)


def climbed(name, hills, start, eps=1.0, slots=1, norm="linf", **parameters):
    """Where an attack ends from the same observation in every slot; within [-9, 9]."""
    attack = make_attack(name, Budget(norm=norm, eps=eps, space="raw"), loss="margin", **parameters)
    space = Box(-9, 9, (len(start),), np.float32)
    attacker = Attacker(attack, ModulePolicy(Hills(*hills), (len(start),), 2), space, slots)
    attacker.restart(np.arange(slots), [np.random.SeedSequence(seed) for seed in range(slots)])
    return attacker(torch.tensor([start]).expand(slots, -1).contiguous())


def tooth(at):
    """A hill of slopes 1 and -1 around a point."""
    return lambda x: -(x - at).abs()


def test_momentum_goes_on_past_a_maximum_and_its_decay_says_how_far():
    def end(decay, steps=3):
        return climbed("mim", [tooth(0.3)], [0.0], steps=steps, step=0.25, decay=decay).item()

    # the sums of slopes 1, 1 and -1: 1, 1, -1; 1, 1.5, -0.25; 1, 1.8, 0.44; 1, 2, 1
    assert [end(decay) for decay in (0.0, 0.5, 0.8, 1.0)] == pytest.approx([0.25, 0.25, 0.75, 0.75])
    assert end(1.0, steps=4) == pytest.approx(0.75)  # then 0: it stands still


def test_gradients_count_alike_whatever_their_length():
    steep, flat = lambda x: 100 * x * (x < 0.05), lambda x: x * 0.01
    # after one step the steep slope is gone: the flat one of the second number has moved it in all steps
    received = climbed("mim", [steep, flat], [0.0, 0.0], steps=4)
    assert received[0, 1].item() == pytest.approx(1.0)


def test_ni_fgsm_looks_a_step_of_the_momentum_ahead():
    def end(name, steps):
        return climbed(name, [tooth(0.35)], [0.0], steps=steps, step=0.25).item()

    assert [end(name, 1) for name in ("mim", "ni-fgsm")] == pytest.approx([0.25, 0.25])
    # from 0.25 the one still sees the way up, the other looks at 0.5, where it leads down: its sum is 0
    assert [end(name, 2) for name in ("mim", "ni-fgsm")] == pytest.approx([0.5, 0.25])


def test_apgd_looks_at_its_steps_when_the_paper_does():
    assert sorted(_checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert sorted(_checkpoints(1)) == [1]


def test_apgd_ends_on_a_top_that_steps_of_one_length_pass_over():
    for steps in (30, 60):
        (apgd,), (pgd,) = (
            climbed(name, [tooth(0.3137)], [0.0], steps=steps, random_start=False)[0].tolist()
            for name in ("apgd", "pgd")
        )
        assert abs(apgd - 0.3137) < 0.5 * abs(pgd - 0.3137)


def test_each_slot_of_apgd_halves_its_own_step():
    """A slot on a plain slope keeps its step beside one that has to halve it, and ends as it does alone."""
    both = Hills(lambda x: torch.where(x > 5, x, -(x - 0.3137).abs()))
    attack = make_attack("apgd", Budget(eps=1.0, space="raw"), loss="margin", steps=30, random_start=False)
    together = Attacker(attack, ModulePolicy(both, (1,), 2), Box(-9, 9, (1,), np.float32), 2)(
        torch.tensor([[0.0], [7.0]])
    )
    assert together[:, 0].tolist() == pytest.approx([0.3137, 8.0], abs=0.01)


@pytest.mark.parametrize("name", ASCENTS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_on_a_linear_policy_all_end_where_one_step_of_the_whole_budget_goes(obs, attack_with, two, name, norm):
    best = margin_of(two, obs, attack_with(two, "fgsm", norm, 0.01, loss="margin")(obs))
    start = margin_of(two, obs, obs)
    found = margin_of(two, obs, attack_with(two, name, norm, 0.01, loss="margin", steps=20)(obs))
    assert ((found - start) > 0.97 * (best - start)).all()


@pytest.mark.parametrize("name", ASCENTS)
def test_all_lead_to_a_target(policy, obs, attack_with, name):
    for target in range(3):
        received = attack_with(policy, name, "linf", 0.5, target=target, steps=4)(obs)
        assert (policy(received).actions.greedy == target).all()


@pytest.mark.parametrize("name", ASCENTS)
@pytest.mark.parametrize("memory", [0, 4])
def test_continuous_victims_diverge_more_than_by_noise_with_a_memory_too(name, memory):
    policy = gaussian_policy(6, 3, hidden=(8,) if memory else (), memory=memory)
    clean = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))

    def divergence(name, **parameters):
        attack = make_attack(name, Budget(eps=0.1, space="raw"), **parameters)
        attacker = Attacker(attack, policy, Box(-np.inf, np.inf, (6,), np.float32), 4)
        attacker.restart(np.arange(4), [np.random.SeedSequence(seed) for seed in range(4)])
        state = policy(attacker(clean)).state
        received = attacker(clean + 0.5)
        assert ((received - clean - 0.5).abs() <= 0.1 * (1 + 1e-5)).all()
        return policy(received, state).actions.divergence(policy(clean + 0.5, state).actions)

    assert divergence(name, random_start=True).mean() > 2 * divergence("noise").mean()


@pytest.mark.parametrize("name", ["mim", "ni-fgsm"])
def test_divergence_has_no_slope_where_momentum_starts_by_default(name):
    attack = make_attack(name, Budget(eps=0.1, space="raw"))
    with pytest.raises(InvalidInput, match=f"attack {name}: .* no slope .*; random_start=true starts elsewhere; use"):
        Attacker(attack, gaussian_policy(6, 3), Box(-np.inf, np.inf, (6,), np.float32), 4)


def test_restarts_keep_the_point_of_highest_loss():
    hills = [lambda x: torch.maximum(x - 0.5, -3 * x - 1.5)]  # a slope at 0 that leads to the lower end
    one = climbed("apgd", hills, [0.0], steps=10, random_start=False).item()
    assert one == pytest.approx(1.0)
    many = climbed("apgd", hills, [0.0], slots=4, steps=10, restarts=8)
    assert many[:, 0].tolist() == pytest.approx([-1.0] * 4)


@pytest.mark.parametrize(
    ("name", "norm", "parameters", "message"),
    [
        ("mim", "linf", {"restarts": 2}, "attack mim: restarts need random_start=true, else all start alike"),
        ("apgd", "linf", {"step": 0.1}, "attack apgd has no parameter 'step'"),
        ("apgd", "l1", {}, "attack apgd has the norms linf, l2, got l1"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(policy, attack_with, name, norm, parameters, message):
    with pytest.raises(RlattackError, match=message):
        attack_with(policy, name, norm, 0.01, **parameters)
