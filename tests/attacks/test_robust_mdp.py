"""Adversaries in a victim's place, whose worst action is known by hand."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete

from rlattack.attacks import ActionAttacker, make_attack
from rlattack.attacks.make import control_of
from rlattack.budget import Budget
from rlattack.errors import InvalidInput
from rlattack.evaluation import Study
from rlattack.evaluation.plan import plan
from tests.attacks.hands import ACTION, SLOTS, Certain, Valued, attacker_of, begun, every, judged, seen
from tests.evaluation.kinds import COINS, ROPE, run
from tests.kit.agents import linear_policy

SLOPE = (1.0, -1.0, 2.0)
WORST = torch.tensor([-1.0, 1.0, -1.0])


def robust(policy, name, eps, norm, **more):
    return attacker_of(policy, name, norm, eps, **more)


def test_nr_mdp_mixes_in_the_action_that_the_critic_values_least():
    obs, chosen = seen()
    done = robust(Valued(slope=SLOPE), "nr-mdp", 20.0, "mix")(obs, chosen, every())
    assert torch.allclose(done, 0.8 * chosen + 0.2 * WORST, atol=1e-5)


def test_without_a_critic_of_actions_it_is_the_one_that_is_least_likely():
    obs, _ = seen()
    done = robust(Certain(), "nr-mdp", 20.0, "mix")(obs, obs.clone(), every())
    assert torch.allclose((done - 0.8 * obs).abs(), torch.tensor(0.2), atol=1e-5)  # some end of the range


def test_pr_mdp_does_it_in_place_of_the_victim_s_as_often_as_chance_says():
    attacker, (obs, chosen) = robust(Valued(slope=SLOPE), "pr-mdp", 30.0, "chance"), seen()
    struck = torch.cat([(attacker(obs, chosen, every()) - WORST).abs().amax(dim=1) < 1e-5 for _ in range(200)])
    assert float(struck.float().mean()) == pytest.approx(0.3, abs=0.06)
    other = torch.stack([attacker(obs, chosen, every()) for _ in range(20)])
    alike = (other - chosen).abs().amax(dim=2) < 1e-6
    assert (alike | ((other - WORST).abs().amax(dim=2) < 1e-5)).all()


def test_of_actions_to_choose_from_it_is_the_least_likely_legal_one_asked_for_where_chance_strikes_alone():
    policy = linear_policy([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    attack = make_attack("pr-mdp", Budget(norm="chance", eps=50.0))
    attacker = begun(ActionAttacker(attack, policy, Discrete(3), SLOTS))
    obs, chosen = torch.tensor([[3.0, 2.0]]).repeat(SLOTS, 1), torch.zeros(SLOTS, dtype=torch.int64)
    done = torch.stack([attacker(obs, chosen, every()) for _ in range(50)])
    assert done.unique().tolist() == [0, 2]
    assert attacker.oracle.queries.tolist() == (done == 2).sum(dim=0).tolist()
    assert attacker.oracle.gradients.sum() == 0
    legal = torch.tensor([[True, True, False]]).repeat(SLOTS, 1)
    assert torch.stack([attacker(obs, chosen, every(), legal) for _ in range(50)]).unique().tolist() == [0, 1]


@pytest.mark.parametrize(("name", "norm"), [("nr-mdp", "mix"), ("pr-mdp", "chance"), ("action-noise", "mix")])
def test_they_keep_their_budget_before_the_judge_forget_episodes_and_leave_idle_slots(name, norm):
    obs, chosen = seen()
    attacker = robust(Certain(), name, 60.0, norm)
    first = attacker(obs, 2 * chosen, every())
    found = judged(attacker, obs, 2 * chosen, first)
    assert [one.broken for one in found] == [0] * SLOTS
    assert max(one.sizes[f"action {norm}"] for one in found) <= 60.0
    begun(attacker)
    assert torch.equal(first, attacker(obs, 2 * chosen, every()))
    active, asked = np.asarray([True, False, False, True]), attacker.oracle.queries.copy()
    assert torch.equal(attacker(obs, chosen, active)[~active], chosen[~active])
    assert (attacker.oracle.queries == asked)[~active].all()


def test_a_trained_adversary_says_the_action_and_the_victim_is_asked_nothing():
    obs, chosen = seen()
    attack = make_attack("nr-mdp", Budget(norm="mix", eps=50.0))
    attack.tell = lambda shown: torch.stack([shown[:, 0], shown[:, 1] * 9, -shown[:, 2] * 9], dim=1)
    attacker = begun(ActionAttacker(attack, Certain(), ACTION, SLOTS))
    said = torch.stack([obs[:, 0], obs[:, 1] * 9, -obs[:, 2] * 9], dim=1).clamp(-1, 1)
    assert torch.allclose(attacker(obs, chosen, every()), (chosen + said) / 2, atol=1e-6)
    assert attacker.oracle.queries.sum() == attacker.oracle.gradients.sum() == 0


def test_they_are_played_beside_another_action_of_the_same_size(tmp_path):
    clean, control, attacked = run(tmp_path / "run", **ROPE, attack=("nr-mdp:steps=3",))
    assert control.attack.name == control_of("nr-mdp", {}).name == "action-noise"
    assert (attacked.attack.reach, attacked.attack.eps, attacked.status) == ("mix", 10.0, "ok")
    assert attacked.attacked.sizes["action mix"] == pytest.approx(10.0, rel=1e-4)
    assert control.attacked.sizes["action mix"] == pytest.approx(10.0, rel=1e-4)
    assert clean.attacked.returns.mean != attacked.attacked.returns.mean


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (COINS | {"attack": ("nr-mdp",)}, "attack nr-mdp: expected continuous actions; use pr-mdp"),
        (ROPE | {"attack": ("nr-mdp:eps=110",)}, "per cent of each action, expected at most 100"),
        (ROPE | {"attack": ("pr-mdp:eps=110",)}, "chance is above 0 and at most 100 per cent"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_played(asked, message):
    with pytest.raises(InvalidInput, match=message):
        plan(Study(**asked))
