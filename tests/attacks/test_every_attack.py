"""What every registered attack keeps, in every norm it has, in both models, on and off the byte grid."""

import numpy as np
import pytest
import torch

from rlattack.attacks import ATTACKS
from rlattack.budget import CHANGES, NORMS
from rlattack.policies.distributions import Categorical
from rlattack.specs import REQUIRED, parameters_of
from tests.attacks.conftest import FEW_QUERIES

SMALL = {
    "pgd": {"steps": 2, "restarts": 2}, "pixel-de": {"population": 4, "generations": 2}, "deepfool": {"steps": 5},
    "universal": {"states": 16}, "patch": {"states": 16}, "random-patch": {"states": 16},
    "sticker": {"states": 16}, **FEW_QUERIES,
    "mim": {"steps": 2}, "ni-fgsm": {"steps": 2}, "apgd": {"steps": 5, "restarts": 2},
    "fab": {"steps": 2, "restarts": 2}, "cw": {"steps": 3, "searches": 2, "step": 0.05},
    "ead": {"steps": 5, "searches": 3, "step": 0.5}, "jsma": {"pixels": 1},
    "lbfgs": {"steps": 3, "searches": 2, "weight": 0.1},
    "search": {"population": 4, "episodes": 1, "steps": 60, "coefficients": 6}, "autoattack": {"effort": 0.001},
}  # fmt: skip
SIGHT = [name for name in ATTACKS if name not in ATTACKS.added and ATTACKS.get(name).access == "observation"]
SIGHT = [name for name in SIGHT if REQUIRED not in parameters_of(ATTACKS.get(name)).values()]
SIGHT = [name for name in SIGHT if ATTACKS.get(name).works_on(Categorical(None)) and name != "sa-rl"]
"""Attacks on what a victim sees, of images too; those that are none of images are in `test_on_numbers`."""


def ways(name, norm):
    """The models in which an attack is tried, on and off the grid: of natural changes, which share all that, a few."""
    if name == "autoattack":  # which plays one of the others
        return [("stack", False)] if norm == "l2" else [("frame", True)]
    if norm in NORMS:
        return [(model, grid) for model in ("stack", "frame") for grid in (False, True)]
    if norm in CHANGES and (norm in ("bias", "gain") or (name == "noise" and norm not in ("rotation", "delay"))):
        return []
    return [("stack", False), ("frame", True)] if norm in CHANGES else [("stack", False), ("stack", True)]


CASES = [
    pytest.param(name, norm, model, grid, id=f"{name}-{norm}-{model}{'-grid' if grid else ''}")
    for name in SIGHT for norm in ATTACKS.get(name).reaches for model, grid in ways(name, norm)
]  # fmt: skip


BY_CHANCE = ("dropped", "blank", "missing", "stale", "salt-and-pepper", "jpeg", "tint")
"""Natural changes that are seldom seen where they are small."""
ON_THE_EDGE = ("boundary", "hop-skip-jump")
"""They search where the choice turns, which the rounding of a slot's own row decides: they keep to their slot."""


def norm_of(name):
    return ATTACKS.get(name).reaches[0]


def play(show, slot_of, slots=4, steps=6, seed=0, company=0):
    """Shows one episode of shifting frames in a slot beside company; returns what was received there."""
    frames = np.random.default_rng(seed).integers(0, 256, (steps + 3, 6, 6), dtype=np.uint8)
    company = np.random.default_rng(seed + 99 + slot_of + company).integers(
        0, 256, (slots, steps + 3, 6, 6), dtype=np.uint8
    )
    company[slot_of] = frames
    return torch.stack([show(company[:, step : step + 3])[slot_of].clone() for step in range(steps)])


def alone(attacker):
    return lambda shown: attacker(torch.from_numpy(shown.astype(np.float32)))


def make(attack_with, policy, name, norm, model, grid, slots=4):
    eps = {"l0": 2, "patch": 2, **dict.fromkeys(CHANGES, 3), **dict.fromkeys(BY_CHANCE, 60)}.get(norm, 0.02)
    return attack_with(policy, name, norm, eps, slots=slots, model=model, grid=grid, **SMALL.get(name, {}))


@pytest.mark.parametrize(("name", "norm", "model", "grid"), CASES)
def test_every_attack_keeps_its_budget_before_the_judge(policy, attack_with, watched, name, norm, model, grid):
    show = watched(make(attack_with, policy, name, norm, model, grid), policy)
    received = play(show, 0)
    judgement = show.judge.judgement(0)
    assert judgement.broken == 0
    assert judgement.attacked > 0
    if grid:
        assert torch.equal(received, received.round())
    if model == "frame":
        assert torch.equal(received[1:, :-1], received[:-1, 1:])


@pytest.mark.parametrize(("name", "norm", "model", "grid"), CASES)
def test_what_a_slot_receives_depends_on_its_own_episode_alone(policy, attack_with, name, norm, model, grid):
    def episode(slot, company=0):
        attacker = make(attack_with, policy, name, norm, model, grid)
        attacker.restart(np.asarray([slot]), [np.random.SeedSequence(42)])
        received = play(alone(attacker), slot, company=company)
        return received, attacker.oracle.queries[slot], attacker.oracle.gradients[slot]

    (received, *asked), (elsewhere, *there) = episode(0), episode(0 if name in ON_THE_EDGE else 3, company=7)
    assert torch.equal(received, elsewhere)
    assert asked == there


@pytest.mark.parametrize(("name", "norm", "model", "grid"), CASES)
def test_an_attack_forgets_an_episode_when_the_next_begins(policy, attack_with, name, norm, model, grid):
    attacker = make(attack_with, policy, name, norm, model, grid)
    every = np.arange(4)
    attacker.restart(every, [np.random.SeedSequence(seed) for seed in (7, 8, 9, 10)])
    first = play(alone(attacker), 1)
    attacker.restart(every, [np.random.SeedSequence(seed) for seed in (7, 8, 9, 10)])
    assert torch.equal(first, play(alone(attacker), 1))


@pytest.mark.parametrize("name", [name for name in SIGHT if norm_of(name) not in ("bias", "gain")])
def test_idle_slots_are_neither_attacked_nor_counted(policy, attack_with, obs, name):
    attacker = make(attack_with, policy, name, norm_of(name), "stack", False)
    active = np.asarray([True, False, True, False])
    received = attacker(obs, active)
    assert torch.equal(received[~active], obs[~active])
    assert attacker.oracle.queries[~active].sum() == attacker.oracle.gradients[~active].sum() == 0


@pytest.mark.parametrize(
    ("name", "norm", "parameters", "queries", "gradients"),
    [
        ("noise", "linf", {}, 0, 0),
        ("fgsm", "linf", {}, 0, 1),
        ("fgsm", "linf", {"target": "least"}, 0, 1),
        ("pgd", "linf", {}, 1, 10),
        ("pgd", "linf", {"random_start": False, "steps": 4}, 0, 4),
        ("pgd", "linf", {"steps": 3, "restarts": 2}, 3, 6),
        ("pixel", "l0", {}, 0, 1),
        ("deepfool", "l2", {"steps": 1}, 2, 2),
        ("deepfool", "l2", {"steps": 1, "candidates": 1}, 2, 1),
        ("direction", "l2", {"doublings": 0, "halvings": 9}, 2, 0),
        ("universal", "linf", {"states": 8}, 0, 0),
        ("search", "linf", {"population": 4, "steps": 1}, 0, 1),
        ("pa-ad", "linf", {}, 0, 1),
        ("pa-ad", "l2", {"steps": 3}, 0, 3),
        ("search", "linf", {"population": 4, "steps": 1, "kind": "linear"}, 0, 0),
    ],
)
def test_queries_and_gradients_are_counted(policy, attack_with, obs, name, norm, parameters, queries, gradients):
    attacker = attack_with(policy, name, norm, 1 if norm == "l0" else 0.001, **parameters)
    attacker(obs)
    assert attacker.oracle.queries.tolist() == [queries] * 4
    assert attacker.oracle.gradients.tolist() == [gradients] * 4


def test_an_attack_by_queries_gets_no_gradient(policy, attack_with, obs):
    attacker = attack_with(policy, "pixel-de", "l0", 1, population=4, generations=2)
    attacker(obs)
    assert attacker.oracle.gradients.sum() == 0
    assert (attacker.oracle.queries <= 4 * 3 + 1).all()
    with pytest.raises(PermissionError, match="declared as `scores`"):
        attacker.target.gradient(obs, lambda out: out.actions.scores.sum())
