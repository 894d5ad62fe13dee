"""Attacks that play a trained adversary: what becomes of what it says, and what is refused."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from rlattack.errors import BudgetError, InvalidInput, UnknownName
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.policies.load import load_agent
from rlattack.policies.network import NetworkSpec
from tests.kit.agents import (
    gaussian_agent,
    linear_gaussian_network,
    linear_policy,
    network_agent,
    perturber_agent,
    random_linear_policy,
    save_network,
)

ENTRIES, SLOTS, EPS = 3, 2, 0.1
SPACE = Box(-9, 9, (ENTRIES,), np.float32)
WEIGHTS = [[1.0, -2.0, 0.5], [0.0, 1.0, 3.0], [-1.0, 0.5, -1.0]]
OBS = torch.tensor([[0.3, -0.2, 1.0], [-0.5, 0.4, 0.1]])


def attacker(name, policy, *, eps=EPS, norm="linf", space="raw", over=SPACE, **parameters):
    return Attacker(make_attack(name, Budget(norm=norm, eps=eps, space=space), **parameters), policy, over, SLOTS)


def director(tmp_path, weights, attack="pa-ad", **about):
    return perturber_agent(tmp_path / "adversary", "any/game", linear_gaussian_network(weights), attack, **about)


def test_sa_rl_moves_every_entry_by_what_the_adversary_says_up_to_the_size(tmp_path):
    weights = [[1.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, -5.0]]
    made = attacker("sa-rl", linear_policy(WEIGHTS), agent=director(tmp_path, weights, "sa-rl"))
    said = (OBS @ torch.tensor(weights).T).clamp(-1, 1)
    assert (said.abs() == 1).any()
    assert (said.abs() < 1).any()
    torch.testing.assert_close(made(OBS), OBS + EPS * said)
    assert made.oracle.queries.sum() == made.oracle.gradients.sum() == 0


def test_sa_rl_counts_in_the_deviations_of_the_victim(tmp_path):
    victim = GaussianPolicy(linear_gaussian_network(WEIGHTS, scale=2.0))
    made = attacker("sa-rl", victim, space="sigma", agent=director(tmp_path, np.eye(3) * 100, "sa-rl"))
    torch.testing.assert_close(made(OBS), OBS + 2 * EPS * OBS.sign())


def test_pa_ad_moves_what_is_seen_where_continuous_actions_go_as_the_director_says(tmp_path):
    weights = torch.tensor(WEIGHTS[:2])
    leads = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    made = attacker("pa-ad", GaussianPolicy(linear_gaussian_network(WEIGHTS[:2])), agent=director(tmp_path, leads))
    wanted = OBS @ torch.tensor(leads).T
    torch.testing.assert_close(made(OBS), OBS + EPS * (wanted @ weights).sign())
    assert made.oracle.gradients.tolist() == [1, 1]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_direction_of_scores_sums_to_zero(tmp_path, norm):
    leads = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    made = attacker("pa-ad", linear_policy(WEIGHTS), norm=norm, agent=director(tmp_path, leads, norm=norm))
    said = OBS @ torch.tensor(leads).T
    slope = torch.cat([said, -said.sum(dim=1, keepdim=True)], dim=1) @ torch.tensor(WEIGHTS)
    way = slope.sign() if norm == "linf" else slope / slope.square().mean(dim=1, keepdim=True).sqrt()
    torch.testing.assert_close(made(OBS), OBS + EPS * way)


def test_what_the_director_says_is_cut_at_one(tmp_path):
    near, far = (director(tmp_path / str(size), [[size, 0.0, 0.0], [0.0, size, 0.0]]) for size in (1e3, 1e6))
    victim = linear_policy(WEIGHTS)
    assert torch.equal(attacker("pa-ad", victim, agent=near)(OBS), attacker("pa-ad", victim, agent=far)(OBS))


def test_several_steps_follow_the_slope_as_it_turns_and_stay_in_the_reach(tmp_path):
    torch.manual_seed(0)
    folder = gaussian_agent(tmp_path / "victim", "any/game", ENTRIES, 2, hidden=(16,))
    victim, agent = load_agent(folder).policy, director(tmp_path, [[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    wanted = (5 * OBS[:, :2]).clamp(-1, 1)
    reached = {}
    for steps in (1, 8):
        made = attacker("pa-ad", victim, eps=2.0, agent=agent, steps=steps)
        received = made(OBS)
        assert ((received - OBS).abs() <= 2 * (1 + 1e-6)).all()
        assert made.oracle.gradients.tolist() == [steps] * 2
        reached[steps] = ((victim(received).actions.greedy - victim(OBS).actions.greedy) * wanted).sum(dim=1)
    assert (reached[8] >= reached[1] - 1e-6).all()
    assert (reached[8] > reached[1] + 1e-3).any()


def test_a_director_of_pictures_is_a_network_of_scores(tmp_path):
    space = Box(0, 255, (3, 6, 6), np.uint8)
    spec = NetworkSpec(observation=space.shape, actions=2, head="actor-critic", scale=255.0, hidden=(8,))
    agent = network_agent(
        tmp_path / "adversary", "any/game", spec, role="adversary", provenance=about("pa-ad", space="unit")
    )
    policy, obs = random_linear_policy(space.shape), torch.full((SLOTS, *space.shape), 100.0)
    received = attacker("pa-ad", policy, space="unit", over=space, agent=agent)(obs)
    assert torch.allclose((received - obs).abs(), torch.tensor(EPS * 255))
    assert (received > obs).any()
    assert (received < obs).any()


def about(attack, **more):
    return {"perturbs": {"attack": attack, "victim": "v", "eps": EPS, "norm": "linf", "space": "raw", **more}}


def test_another_size_than_it_learned_at_is_said(tmp_path):
    agent, victim = director(tmp_path, WEIGHTS, "sa-rl"), linear_policy(WEIGHTS)
    assert attacker("sa-rl", victim, agent=agent).note == ""
    assert attacker("sa-rl", victim, eps=0.2, agent=agent).note.endswith(
        "learned at linf 0.1 raw and plays at linf 0.2 raw"
    )
    agent = director(tmp_path, WEIGHTS[:2], steps=3)
    assert attacker("pa-ad", victim, agent=agent, steps=3).note == ""
    assert attacker("pa-ad", victim, agent=agent).note.endswith(
        "learned at linf 0.1 raw, steps=3 and plays at linf 0.1 raw, steps=1"
    )


def test_another_victim_is_refused_unless_it_is_asked_for(tmp_path):
    one, other = (load_agent(gaussian_agent(tmp_path / str(seed), "any/game", 3, 2, seed=seed)) for seed in (1, 2))
    agent = director(tmp_path, WEIGHTS, "sa-rl", victim_identity=one.identity)
    attack = attacker("sa-rl", one.policy, agent=agent).attack
    attack.check_victim(one)
    with pytest.raises(InvalidInput, match=r"learned to perturb another victim, v, than .*2; transfer=true plays it"):
        attack.check_victim(other)
    attacker("sa-rl", one.policy, agent=agent, transfer=True).attack.check_victim(other)


def test_what_does_not_fit_is_refused_in_words(tmp_path):
    victim = linear_policy(WEIGHTS)
    for name in ("sa-rl", "pa-ad"):
        with pytest.raises(InvalidInput, match=f"attack {name}: expected agent=ID, .*--attack {name}` trains"):
            attacker(name, victim)
        with pytest.raises(UnknownName, match="no agent and no file 'nobody'"):
            attacker(name, victim, agent="nobody")
        plain = gaussian_agent(tmp_path / "plain", "any/game", ENTRIES, 2)
        with pytest.raises(InvalidInput, match=rf"expected an adversary that .*--attack {name}` trained, got .*plain"):
            attacker(name, victim, agent=plain)
    agent = director(tmp_path, WEIGHTS, "sa-rl")
    with pytest.raises(InvalidInput, match=r"is an adversary of sa-rl; play it as sa-rl:agent="):
        attacker("pa-ad", victim, agent=agent)
    with pytest.raises(InvalidInput, match=r"sees \(3,\) and says 2 numbers, got one that sees \(3,\) and says 3"):
        attacker("pa-ad", victim, agent=director(tmp_path, WEIGHTS))
    four, pixels = Box(-9, 9, (4,), np.float32), Box(0, 255, (3, 6, 6), np.uint8)
    with pytest.raises(InvalidInput, match=r"sees \(4,\) and says 4 numbers, got one that sees \(3,\)"):
        attacker("sa-rl", random_linear_policy((4,)), over=four, agent=director(tmp_path, WEIGHTS, "sa-rl"))
    with pytest.raises(BudgetError, match="attack sa-rl has the norms linf, got l2"):
        attacker("sa-rl", victim, norm="l2", agent=agent)
    with pytest.raises(InvalidInput, match=r"attack sa-rl: .* shows \(3, 6, 6\), too many to be .*; use pa-ad"):
        attacker("sa-rl", random_linear_policy(pixels.shape), space="unit", over=pixels, agent=agent)
    with pytest.raises(InvalidInput, match="attack pa-ad: steps: expected a number at least 1, got 0"):
        attacker("pa-ad", victim, agent=agent, steps=0)
    unsized = save_network(
        tmp_path / "unsized", "any/game", linear_gaussian_network(WEIGHTS), provenance={"perturbs": {"attack": "sa-rl"}}
    )
    with pytest.raises(InvalidInput, match=r"the card of .*unsized tells no eps that it learned at"):
        attacker("sa-rl", victim, agent=unsized)
