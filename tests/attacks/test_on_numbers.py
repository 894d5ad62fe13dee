"""What every attack on observations keeps where victims see numbers and act continuously, with all entries and some."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import ATTACKS, Attacker, make_attack
from rlattack.budget import NORMS, Budget
from rlattack.evaluation.judge import Judge
from rlattack.policies.distributions import Normal
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.policies.sa_ppo import load_sa_ppo
from tests.attacks.conftest import FEW_QUERIES, RandomTuning, Watched
from tests.kit.agents import gaussian_network, perturber_agent
from tests.kit.model_files import write_model

ENTRIES, SLOTS = 5, 4
SPACE = Box(-50, 50, (ENTRIES,), np.float64)
FREE = (1, 3, 4)
SMALL = {
    "pgd": {"steps": 2, "restarts": 2}, "fgsm": {"random_start": True}, "universal": {"states": 50},
    "pixel": {"loss": "value"}, "mim": {"random_start": True, "steps": 2}, "apgd": {"steps": 3, "restarts": 2},
    "ni-fgsm": {"random_start": True, "steps": 2}, **FEW_QUERIES,
    "search": {"population": 4, "episodes": 1, "steps": 60},
    "autoattack": {"effort": 0.001},
    "sarsa": {"rollout": 200, "updates": 2, "box": 0.1, "regulariser": 1.0, "steps": 2, "restarts": 2},
}  # fmt: skip
MORE = {"pgd value": {"loss": "value", "steps": 2}, "fgsm value": {"loss": "value"}}
"""Further parameters of attacks, for victims with a critic that can be asked."""


def victim_of(tmp_path, memory):
    path = write_model(tmp_path / f"victim-{memory}.model", ENTRIES, 2, memory=memory)
    return path, GaussianPolicy(load_sa_ppo(tmp_path / f"victim-{memory}.model")[1], Box(-1, 1, (2,), np.float32))


def fits(name):
    """Whether an attack is one on what a victim of continuous actions sees."""
    kind = ATTACKS.get(name)
    if name == "recorded":  # which acts in episodes of a run alone: `test_recorded`
        return False
    return kind.access == "observation" and name not in ATTACKS.added and (not kind.needs or Normal in kind.needs)


CASES = [
    pytest.param(name, norm, memory, free, id=f"{name}-{norm}-{memory}-{len(free)}")
    for name in (*filter(fits, ATTACKS), *MORE) for norm in ATTACKS.get(name.split()[0]).reaches
    for memory in ((0,) if name in (*MORE, "pixel") else (0, 6)) for free in ((), FREE) if norm in NORMS
    if name != "autoattack" or (memory > 0) == bool(free) == (norm == "linf")
]  # fmt: skip
"""Attacks by name, their norms, victims without and with a memory, all entries free and some; of ensembles a few."""


def make(tmp_path, name, norm, memory, free, schedule=None):
    path, policy = victim_of(tmp_path, memory)
    kind = ATTACKS.get(name.split()[0])
    parameters = MORE.get(name) or SMALL.get(name, {}) | dict.fromkeys(kind.files, path)
    if kind.adversaries:
        says = gaussian_network(ENTRIES, ENTRIES if name == "sa-rl" else 2)
        parameters["agent"] = perturber_agent(tmp_path / "adversary", "any/game", says, name)
    budget = Budget(norm=norm, eps=(2 if norm == "l0" else 0.1) if kind.sized else None, space="sigma", free=free)
    attack = make_attack(kind.name, budget, **parameters)
    attacker = Attacker(attack, policy, SPACE, SLOTS, schedule=schedule)
    if attack.fitted:
        attack.learned = attack.fit(
            RandomTuning(attacker, policy, [torch.from_numpy(shown(seed, 0)[0]).float() for seed in range(4)])
        )
    return attacker, policy


def shown(seed, slot, steps=6):
    """An episode in a slot beside company, float64 as MuJoCo shows it, shape (steps, slots, entries)."""
    company = np.random.default_rng(seed + 99 + slot).normal(size=(steps, SLOTS, ENTRIES))
    company[:, slot] = np.random.default_rng(seed).normal(size=(steps, ENTRIES))
    return company


@pytest.mark.parametrize(("name", "norm", "memory", "free"), CASES)
def test_every_attack_keeps_its_budget_and_what_is_not_free(tmp_path, name, norm, memory, free):
    attacker, policy = make(tmp_path, name, norm, memory, free)
    attacker.restart(np.arange(SLOTS), [np.random.SeedSequence(seed) for seed in range(SLOTS)])
    watched = Watched(attacker, policy)
    for clean in shown(0, 0):
        received = watched(clean)
        changed = (received != torch.from_numpy(clean).float()).any(dim=0).nonzero()[:, 0].tolist()
        assert set(changed) <= set(free or range(ENTRIES))
        assert changed
    found = watched.judge.judgement(0)
    assert (found.broken, found.steps) == (0, 6)
    assert found.attacked == 6


@pytest.mark.parametrize(("name", "norm", "memory", "free"), CASES)
def test_what_a_slot_receives_depends_on_its_own_episode_alone(tmp_path, name, norm, memory, free):
    attacker, _ = make(tmp_path, name, norm, memory, free)

    def episode(slot):
        attacker.restart(np.arange(SLOTS), [np.random.SeedSequence(42 if one == slot else one) for one in range(SLOTS)])
        return torch.stack([attacker(torch.from_numpy(clean).float())[slot] for clean in shown(7, slot)])

    first = episode(0)
    torch.testing.assert_close(episode(3), first, rtol=1e-6, atol=1e-4)  # rows of a batch round by their place
    assert torch.equal(episode(0), first)


@pytest.mark.parametrize(("name", "norm", "memory", "free"), CASES)
def test_idle_slots_are_neither_attacked_nor_counted(tmp_path, name, norm, memory, free):
    attacker, _ = make(tmp_path, name, norm, memory, free)
    attacker.restart(np.arange(SLOTS), [np.random.SeedSequence(seed) for seed in range(SLOTS)])
    clean, active = torch.from_numpy(shown(0, 0)[0]).float(), np.asarray([True, False, True, False])
    received = attacker(clean, active)
    assert torch.equal(received[~active], clean[~active])
    assert attacker.oracle.queries[~active].sum() == attacker.oracle.gradients[~active].sum() == 0


@pytest.mark.parametrize("entry", [0, 2])
def test_the_judge_fails_what_changes_an_entry_that_is_not_free(tmp_path, entry):
    attacker, _ = make(tmp_path, "noise", "linf", 0, FREE)
    clean, judge = shown(0, 0)[0], Judge(0, [attacker])
    received = torch.from_numpy(clean).float()
    (fine,) = judge.look(received, torch.from_numpy(clean))
    assert fine.legal.all()
    received[1, entry] += 1e-3
    (found,) = judge.look(received, torch.from_numpy(clean))
    assert found.legal.tolist() == [True, False, True, True]


def test_free_entries_are_all_that_sizes_count(tmp_path):
    for norm, size in (("l2", 0.1), ("l1", 0.1), ("linf", 0.1)):
        attacker, _ = make(tmp_path, "noise", norm, 0, FREE)
        clean = shown(0, 0)[0] * 0
        found = attacker.reach.measure(attacker(torch.from_numpy(clean).float()), torch.from_numpy(clean))
        np.testing.assert_allclose(attacker.reach.as_eps(found), size, rtol=1e-4)
