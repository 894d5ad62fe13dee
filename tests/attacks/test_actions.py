"""Attacks on what a victim does: every one keeps its reach, and what the worst action is, is known by hand."""

import itertools

import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete

from rlattack.attacks import ATTACKS, ActionAttack, ActionAttacker, Schedule, make_attack
from rlattack.budget import Budget
from rlattack.errors import BudgetError, InvalidInput
from rlattack.policies.distributions import Point
from rlattack.specs import NoParameters
from tests.attacks.hands import ACTION, SLOTS, Certain, attacker_of, begun, every, judged, seen
from tests.kit.agents import random_linear_policy

HAND = [name for name in ATTACKS if name not in ATTACKS.added and ATTACKS.get(name).access == "action"]
HAND = [name for name in HAND if Point in ATTACKS.get(name).needs and "linf" in ATTACKS.get(name).reaches]
"""Those of balls; the others: `test_natural`, `test_worst`, `test_robust_mdp`, `test_las`."""
CASES = list(itertools.product(HAND, ("linf", "l2", "l1")))


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_every_attack_on_actions_keeps_its_budget_before_the_judge(name, norm):
    attacker = attacker_of(Certain(), name, norm)
    obs, chosen = seen()
    chosen = 2 * chosen  # some beyond the range, as a sampled action may be
    kept = obs.clone(), chosen.clone()
    found = judged(attacker, obs, chosen, attacker(obs, chosen, every()))
    assert torch.equal(obs, kept[0])
    assert torch.equal(chosen, kept[1])
    assert [(one.attacked, one.broken) for one in found] == [(1, 0)] * SLOTS
    factor = {"linf": 1.0, "l2": 3**0.5, "l1": 3.0}[norm]
    assert all(0 < one.sizes[f"action {norm}"] <= 0.25 * factor + 1e-6 for one in found)


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_what_is_done_in_a_slot_depends_on_its_own_episode_alone(name, norm):
    obs, chosen = seen()
    both = []
    for slot, others in ((1, 2.0), (1, -3.0)):
        attacker = attacker_of(Certain(), name, norm, seeds=[9, 42, 9, 9])
        shown, done = others * obs, others / 4 * chosen
        shown[slot], done[slot] = obs[slot], chosen[slot]
        both.append(torch.stack([attacker(shown, done, every())[slot] for _ in range(3)]))
    assert torch.equal(*both)


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_an_attack_on_actions_forgets_an_episode_when_the_next_begins(name, norm):
    obs, chosen = seen()
    attacker = attacker_of(Certain(), name, norm)
    first = [attacker(obs, chosen, every()) for _ in range(2)]
    begun(attacker)
    assert torch.equal(torch.stack(first), torch.stack([attacker(obs, chosen, every()) for _ in range(2)]))


@pytest.mark.parametrize("name", HAND)
def test_idle_slots_do_what_the_victim_chose_and_are_not_counted(name):
    obs, chosen = seen()
    active = np.asarray([True, False, False, True])
    attacker = attacker_of(Certain(), name)
    done = attacker(obs, chosen, active)
    assert (done != chosen).any(dim=1).tolist() == active.tolist()
    assert attacker.oracle.queries[~active].sum() == attacker.oracle.gradients[~active].sum() == 0
    assert torch.equal(attacker(obs, chosen, ~every()), chosen)


class Some(Schedule):
    def now(self, victim, obs, draws):
        return torch.tensor([False, True, False, True])


@pytest.mark.parametrize("name", HAND)
def test_a_schedule_holds_for_actions(name):
    obs, chosen = seen()
    attacker = attacker_of(Certain(), name, schedule=Some())
    assert (attacker(obs, chosen, every()) != chosen).any(dim=1).tolist() == [False, True, False, True]
    assert attacker.oracle.queries.tolist() == ([0, 0, 0, 0] if name == "action-noise" else [0, 1, 0, 1])


def test_noise_on_actions_goes_as_far_as_the_budget_in_a_direction_of_each_slot():
    obs, chosen = seen()
    attacker = attacker_of(Certain(), "action-noise", eps=0.125)
    moved = [attacker(obs, 0.5 * chosen, every()) - 0.5 * chosen for _ in range(8)]
    assert torch.stack(moved).abs().numpy() == pytest.approx(0.125, abs=1e-6)
    assert len({tuple(one.sign().flatten().tolist()) for one in moved}) > 4


class Sly(ActionAttack):
    """Wants to do 100 more than it may."""

    name = "sly"

    def __init__(self):
        super().__init__(Budget(eps=0.25, space="raw"), NoParameters())
        self.kept = []

    def act(self, victim, obs, action, reach, draws):
        for tensor in self.kept:
            tensor.fill_(55.0)
        wanted = self.wish(victim, obs, action, reach)
        self.kept += [obs, action, wanted]
        return wanted

    def wish(self, victim, obs, action, reach):
        return action + 100.0


class InPlace(Sly):
    def wish(self, victim, obs, action, reach):
        obs.add_(3.0)
        return action.add_(100.0)


class Widening(Sly):
    def wish(self, victim, obs, action, reach):
        object.__setattr__(reach, "radius", 1e6)
        reach.high.mul_(1000.0)
        victim.clean_output.actions.mean.fill_(9.0)
        return action + 100.0


@pytest.mark.parametrize("kind", [Sly, InPlace, Widening])
def test_what_a_sly_attack_on_actions_does_is_kept_to_the_budget_and_judged_as_it_is(kind):
    obs, chosen = seen()
    kept, attacker = (obs.clone(), chosen.clone()), begun(ActionAttacker(kind(), Certain(), ACTION, SLOTS))
    for _ in range(3):
        done = attacker(obs, chosen, every())
        assert torch.equal(done, (kept[1] + 0.25).clamp(-1, 1))
        assert torch.equal(obs, kept[0])
        assert torch.equal(chosen, kept[1])
        found = judged(attacker, obs, chosen, done)
        assert [(one.attacked, one.broken) for one in found] == [(1, 0)] * SLOTS


@pytest.mark.parametrize("change", [0.3, 5.0])
def test_an_action_out_of_reach_is_judged_broken(change):
    obs, chosen = seen()
    done = chosen.clone()
    done[2, 1] += change
    found = judged(attacker_of(Certain()), obs, chosen, done)
    assert [one.broken for one in found] == [0, 0, 1, 0]
    assert found[2].sizes["action linf"] == pytest.approx(change)


@pytest.mark.parametrize("name", HAND)
@pytest.mark.parametrize(
    ("budget", "policy", "space", "parameters", "error", "message"),
    [
        ({"norm": "l0", "eps": 1.0}, Certain(), ACTION, {}, BudgetError, "has the norms linf, l2, l1.*, got l0"),
        ({"eps": 3.0}, Certain(), ACTION, {}, BudgetError, "more than the whole range of an entry, 2 in --space raw"),
        ({"space": "unit"}, Certain(), ACTION, {}, BudgetError, "use --space raw"),
        ({"eps": None}, Certain(), ACTION, {}, BudgetError, "needs at least one size"),
        ({}, random_linear_policy((3,)), Discrete(3), {}, InvalidInput, "expected continuous actions; use pr-mdp$"),
    ],
)
def test_what_makes_no_sense_for_actions_is_refused(name, budget, policy, space, parameters, error, message):
    values = {"eps": 0.25, "space": "raw"} | budget
    with pytest.raises(error, match=message):
        ActionAttacker(make_attack(name, Budget(**values), **parameters), policy, space, SLOTS)
