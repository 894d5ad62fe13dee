"""Attacks on linear policies, against answers found by other means."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from rlattack.errors import BudgetError, InvalidInput


def slope_of(policy, obs, row):
    """Gradient of the margin against the runner-up, as found by hand: a difference of two rows of weights."""
    scores = policy(obs).actions.scores[row]
    best = int(scores.argmax())
    other = int(scores.scatter(0, torch.tensor(best), -torch.inf).argmax())
    weight = policy.module[1].weight
    return (weight[other] - weight[best]).view(obs.shape[1:])


def test_fgsm_linf_moves_every_entry_along_its_sign_within_its_range(policy, obs, attack_with):
    received = attack_with(policy, "fgsm", "linf", 0.01, loss="margin")(obs)
    for row in range(len(obs)):
        expected = (obs[row] + 2.55 * slope_of(policy, obs, row).sign()).clamp(0, 255)
        assert torch.allclose(received[row], expected, atol=1e-4)


def test_fgsm_l2_is_as_long_as_the_root_mean_square_says(policy, obs, attack_with):
    centre = obs * 0 + 128
    received = attack_with(policy, "fgsm", "l2", 0.01, loss="margin")(centre)
    for row in range(len(obs)):
        delta, slope = (received[row] - centre[row]).flatten(), slope_of(policy, centre, row).flatten()
        assert delta.norm() == pytest.approx(255 * 0.01 * 108**0.5, rel=1e-4)
        assert torch.cosine_similarity(delta, slope, dim=0) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("eps", [0.002, 0.02, 0.2])
def test_fgsm_l1_gains_what_linear_programming_gains(policy, obs, attack_with, eps):
    received = attack_with(policy, "fgsm", "l1", eps, loss="margin")(obs)
    for row in range(len(obs)):
        slope, clean = slope_of(policy, obs, row).flatten().double().numpy(), obs[row].flatten().double().numpy()
        count = len(slope)
        best = linprog(
            np.r_[-slope, slope], A_ub=np.ones((1, 2 * count)), b_ub=[255 * eps * count],
            bounds=[*zip(np.zeros(count), 255 - clean, strict=True), *zip(np.zeros(count), clean, strict=True)],
        )  # fmt: skip
        gained = float(slope @ (received[row].flatten().double().numpy() - clean))
        assert gained == pytest.approx(-best.fun, rel=1e-4)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_pixel_gains_what_trying_all_pixels_gains(policy, obs, attack_with, count):
    received = attack_with(policy, "pixel", "l0", count, loss="margin")(obs)
    for row in range(len(obs)):
        slope, newest = slope_of(policy, obs, row)[-1].flatten(), obs[row, -1].flatten()
        gains = torch.maximum(slope * (255 - newest), -slope * newest)
        gained = (slope * (received[row, -1].flatten() - newest)).sum()
        assert gained == pytest.approx(float(gains.topk(count).values.sum()), rel=1e-4)
    assert ((received != obs).flatten(1).sum(dim=1) == count).all()
    assert torch.equal(received[:, :-1], obs[:, :-1])


def test_pixel_de_flips_what_trying_all_pixels_flips(policy, obs, attack_with):
    received = attack_with(policy, "pixel-de", "l0", 1, population=32, generations=20)(obs)
    labels = policy(obs).actions.greedy
    for row in range(len(obs)):
        tried = obs[row].repeat(72, 1, 1, 1)
        for place in range(36):
            tried[2 * place, -1].view(-1)[place], tried[2 * place + 1, -1].view(-1)[place] = 0, 255
        if (policy(tried).actions.greedy != labels[row]).any():
            assert policy(received).actions.greedy[row] != labels[row]
    assert ((received != obs).flatten(1).sum(dim=1) <= 1).all()


def test_a_targeted_attack_reaches_the_target_and_an_untargeted_one_leaves_the_label(policy, obs, attack_with):
    labels = policy(obs).actions.greedy
    for name, parameters in (("fgsm", {}), ("pgd", {"steps": 3})):
        assert (policy(attack_with(policy, name, "linf", 0.5, **parameters)(obs)).actions.greedy != labels).all()
        for target in range(3):
            received = attack_with(policy, name, "linf", 0.5, target=target, **parameters)(obs)
            assert (policy(received).actions.greedy == target).all()
        least = attack_with(policy, name, "linf", 0.5, target="least", **parameters)(obs)
        assert torch.equal(policy(least).actions.greedy, policy(obs).actions.scores.argmin(dim=1))


def test_restarts_never_end_below_one_run(policy, obs, attack_with):
    def loss(received):
        return torch.nn.functional.cross_entropy(
            policy(received).actions.scores, policy(obs).actions.greedy, reduction="none"
        )

    one = loss(attack_with(policy, "pgd", "l2", 0.02, steps=1, step=0.002)(obs))
    many = loss(attack_with(policy, "pgd", "l2", 0.02, steps=1, step=0.002, restarts=6)(obs))
    assert (many >= one - 1e-6).all()
    assert (many > one + 1e-6).any()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_noise_has_the_size_of_the_attack_where_the_range_allows(policy, attack_with, norm):
    centre = torch.full((4, 3, 6, 6), 128.0)
    attacker = attack_with(policy, "noise", norm, 0.01)
    delta = (attacker(centre) - centre).flatten(1) / 255
    size = {"linf": delta.abs().amax(1), "l2": delta.norm(dim=1), "l1": delta.abs().sum(1)}[norm]
    assert size.numpy() == pytest.approx(attacker.reach.radius, rel=1e-4)


def test_noise_of_pixels_sets_that_many_pixels_of_the_newest_frame_to_an_end(policy, attack_with):
    centre = torch.full((4, 3, 6, 6), 128.0)
    received = attack_with(policy, "noise", "l0", 5)(centre)
    changed = received != centre
    assert (changed.flatten(1).sum(dim=1) == 5).all()
    assert not changed[:, :-1].any()
    assert set(received[changed].tolist()) <= {0.0, 255.0}


@pytest.mark.parametrize(
    ("name", "norm", "parameters", "error", "message"),
    [
        ("fgsm", "l0", {}, BudgetError, "has the norms linf, l2, l1, got l0"),
        ("pixel", "linf", {}, BudgetError, "has the norms l0, got linf"),
        ("fgsm", "linf", {"target": 3}, InvalidInput, "an action 0 to 2 or 'least', got 3"),
        ("pgd", "linf", {"restarts": 2, "random_start": False}, InvalidInput, "need random_start"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(policy, attack_with, name, norm, parameters, error, message):
    with pytest.raises(error, match=message):
        attack_with(policy, name, norm, 1 if norm == "l0" else 0.01, **parameters)
