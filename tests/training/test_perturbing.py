"""The game of who perturbs: what its player receives is what was said, and what that earns is taken away."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import make_attack
from rlattack.budget import Budget
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.training.perturbing import Perturbing
from tests.kit.agents import linear_gaussian_network, linear_policy
from tests.kit.by_hand import Remembering
from tests.kit.games import Coins
from tests.kit.ledge import FALL, Ledge

SLOTS = 3


def namer():
    """Names every coin."""
    return linear_policy([[0.0, -1.0], [0.0, 1.0]])


def game(victim=None, attack="sa-rl", eps=1.5, mode="greedy"):
    made = make_attack(attack, Budget(eps=eps, space="raw"))
    return Perturbing(Coins(SLOTS), made, victim or namer(), mode)


@pytest.mark.parametrize(("attack", "says"), [("sa-rl", 2), ("pa-ad", 1)])
def test_it_shows_what_the_game_shows_and_takes_numbers_of_the_attack(attack, says):
    env = game(attack=attack)
    assert env.single_action_space.shape == (says,)
    assert env.action_space.shape == (SLOTS, says)
    obs, _ = env.reset(seed=3)
    shown = obs.copy()
    assert (obs[:, 0] == 0).all()
    env.step(np.ones((SLOTS, says), dtype=np.float32))
    assert np.array_equal(obs, shown)


def test_who_leaves_a_coin_as_it_is_loses_one_and_who_turns_it_none():
    env = game()
    obs, _ = env.reset(seed=3)
    for turns in (np.array([True, False, True]), np.array([False, True, True])):
        said = np.zeros((SLOTS, 2), dtype=np.float32)
        said[turns, 1] = -obs[turns, 1]
        obs, earned, terminated, *_ = env.step(said)
        assert earned.tolist() == np.where(turns, 0.0, -1.0).tolist()
        assert not terminated.any()


def test_a_director_turns_every_coin_by_one_number():
    env = game(attack="pa-ad")
    obs, _ = env.reset(seed=3)
    for _ in range(20):
        obs, earned, *_ = env.step(obs[:, 1:].copy())  # scores of 0 rise where the coin is 1
        assert earned.tolist() == [0.0] * SLOTS


def test_what_is_said_is_cut_and_settled_in_the_budget():
    env = game(eps=0.9)
    obs, _ = env.reset(seed=3)
    _, earned, *_ = env.step(-100 * obs)
    assert earned.tolist() == [-1.0] * SLOTS  # not far enough


def test_a_game_that_ends_begins_anew_and_tells_its_last_observation():
    env = game()
    env.reset(seed=3)
    ended = 0
    for _ in range(12):
        obs, _, terminated, _, info = env.step(np.zeros((SLOTS, 2), dtype=np.float32))
        assert (obs[terminated, 0] == 0).all()
        if terminated.any():
            ended += int(terminated.sum())
            assert (np.asarray(info["final_obs"])[terminated, 0] >= 3).all()
    assert ended >= 2 * SLOTS


def test_the_victim_forgets_when_its_game_ends():
    victim = Remembering()
    victim.observation, victim.action = (2,), Coins(1).seats[0].action
    env = game(victim)
    env.reset(seed=3)
    ends = np.zeros(SLOTS, dtype=bool)
    for _ in range(12):
        _, _, terminated, _, _ = env.step(np.zeros((SLOTS, 2), dtype=np.float32))
        states = victim.seen[-1][:, 0]
        assert (states[ends] == 0).all()
        assert (states[~ends] == states[~ends].clamp(max=4)).all()
        ends = terminated


@pytest.mark.parametrize("mode", ["greedy", "sampled"])
def test_the_same_seed_plays_the_same_games(mode):
    def played(seed):
        env = game(mode=mode)
        found = [env.reset(seed=seed)[0]]
        said = torch.randn(10, SLOTS, 2, generator=torch.Generator().manual_seed(0)).numpy()
        for one in said:
            obs, earned, *_ = env.step(one)
            found += [obs, earned]
        return np.concatenate([one.ravel() for one in found])

    assert np.array_equal(played(3), played(3))
    assert not np.array_equal(played(3), played(4))


def test_who_acts_in_a_victim_s_place_is_paid_what_that_one_loses():
    walker = GaussianPolicy(linear_gaussian_network([[0.0, 1.0]]), Box(-1, 1, (1,)))  # away from the ledge
    made = make_attack("nr-mdp", Budget(norm="mix", eps=100.0))
    env = Perturbing(Ledge(40, continuous=True), made, walker, "greedy")
    assert env.single_action_space.shape == (1,)
    obs, _ = env.reset(seed=3)
    near = np.round(obs[:, 0] * 100) == 1
    _, earned, terminated, *_ = env.step(np.full((40, 1), -1.0, dtype=np.float32))
    assert earned.tolist() == np.where(near, FALL, -1.0).tolist()
    assert terminated.tolist() == near.tolist()
    assert 0 < near.sum() < 40
