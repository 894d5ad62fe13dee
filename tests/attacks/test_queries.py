"""Attacks without gradients, on linear victims whose worst and whose smallest perturbation are known."""

import numpy as np
import pytest
import torch

from rlattack.attacks import ATTACKS
from rlattack.errors import InvalidInput

CENTRE = 128.0


def margin_gained(policy, received, clean):
    """How far the other action of two rose above the label, shape (n,)."""
    label = policy(clean).actions.greedy[:, None]

    def margin(shown):
        scores = policy(shown).actions.scores
        return (scores.gather(1, 1 - label) - scores.gather(1, label)).squeeze(1)

    return margin(received) - margin(clean)


@pytest.fixture
def centre(obs):
    """Far from both ends of the range, so that no perturbation is cut."""
    return obs / 8 + CENTRE - 16


def optimum(policy, norm, eps):
    """The most that a perturbation of a size gains against a linear victim: the dual norm of the slope."""
    weight = policy.module[1].weight
    slope, entries = (weight[1] - weight[0]).double(), weight.shape[1]
    if norm == "linf":
        return 255 * eps * float(slope.abs().sum())
    return 255 * eps * entries**0.5 * float(slope.norm())


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_differences_along_every_entry_are_the_gradient(two, centre, attack_with, norm):
    received = attack_with(two, "finite-differences", norm, 0.01, directions=108, queries=218)(centre)
    expected = torch.full((4,), optimum(two, norm, 0.01))
    torch.testing.assert_close(margin_gained(two, received, centre), expected, rtol=1e-3, atol=0)


def test_simba_with_a_question_for_each_sign_of_each_entry_finds_the_optimum(two, centre, attack_with):
    received = attack_with(two, "simba", "linf", 0.01, queries=2 * 108 + 1)(centre)
    expected = torch.full((4,), optimum(two, "linf", 0.01))
    torch.testing.assert_close(margin_gained(two, received, centre), expected, rtol=1e-3, atol=0)


@pytest.mark.parametrize(("name", "queries", "share"), [("nes", 800, 0.55), ("spsa", 800, 0.55), ("square", 800, 0.55)])
def test_a_search_comes_near_the_optimum_and_beats_as_many_redraws(two, centre, attack_with, name, queries, share):
    found = margin_gained(two, attack_with(two, name, "linf", 0.01, queries=queries)(centre), centre)
    redrawn = margin_gained(two, attack_with(two, "redraws", "linf", 0.01, queries=queries)(centre), centre)
    most = optimum(two, "linf", 0.01)
    assert (found >= share * most).all()
    assert (found <= most * 1.001).all()
    assert (redrawn < 0.5 * most).all()


@pytest.mark.parametrize("name", ["redraws", "simba", "square", "nes", "spsa", "finite-differences"])
def test_no_more_is_asked_than_allowed(two, obs, attack_with, name):
    attacker = attack_with(two, name, "linf", 0.01, queries=50)
    attacker(obs)
    # the margin is about the label, which is a question of its own
    assert (attacker.oracle.queries >= 40).all()
    assert (attacker.oracle.queries <= 51).all()
    assert attacker.oracle.gradients.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("name", "norm", "times"), [
    ("hop-skip-jump", "l2", 1.6), ("hop-skip-jump", "linf", 2.5), ("boundary", "l2", 4.0),
])  # fmt: skip
def test_decisions_alone_find_a_perturbation_near_the_smallest(two, centre, attack_with, name, norm, times):
    received = attack_with(two, name, norm, 0.0, queries=4000)(centre)
    start = attack_with(two, "direction", norm, 0.0)(centre)
    weight, bias = two.module[1].weight.double(), two.module[1].bias.double()
    slope, shift = weight[1] - weight[0], bias[1] - bias[0]
    gap = (centre.flatten(1).double() @ slope + shift).abs()
    smallest = gap / (slope.abs().sum() if norm == "linf" else slope.norm())
    order = torch.inf if norm == "linf" else 2
    sizes, first = ((one - centre).flatten(1).norm(p=order, dim=1) for one in (received, start))
    crosses = two(start).actions.greedy != two(centre).actions.greedy  # a random direction may end at the range's end
    assert crosses.any()
    assert torch.equal(two(received).actions.greedy != two(centre).actions.greedy, crosses)
    assert (sizes <= times * smallest)[crosses].all()
    assert (sizes < first)[crosses].all()


def test_the_control_of_a_search_is_as_many_redraws_about_the_same_loss():
    control = ATTACKS.get("square").control_of({"queries": 50, "part": 0.5, "loss": "ce"})
    assert str(control) == "redraws:queries=50,loss=ce"


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("nes", {"queries": 10}, "queries: expected at least 22 for an estimate of 10 directions, got 10"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(two, attack_with, name, parameters, message):
    with pytest.raises(InvalidInput, match=message):
        attack_with(two, name, "linf" if name != "boundary" else "l2", 0.01, **parameters)


def test_a_search_of_many_entries_at_once_moves_neighbours(two, centre, attack_with):
    received = attack_with(two, "simba", "linf", 0.01, queries=3, group=36)(centre)
    changed = (received != centre).flatten(1)
    runs = changed.view(4, 3, 36)
    assert (runs.all(dim=2) | ~runs.any(dim=2)).all()
    assert np.array_equal(runs.any(dim=2).sum(dim=1), [1, 1, 1, 1])
