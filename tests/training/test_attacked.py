"""The game of a learner under attack, and the pool of examples that it keeps."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from rlattack.attacks import ATTACKS, ActionAttacker, Attacker, make_attack, make_schedule
from rlattack.budget import Budget
from rlattack.errors import BudgetError
from rlattack.games.game import Seat
from rlattack.training import GymnasiumVecEnv
from rlattack.training.hardening.actor import Actor
from rlattack.training.hardening.attacked import Attacked, check_bytes
from rlattack.training.hardening.learners import HardenedPPO
from rlattack.training.hardening.pool import Pool
from rlattack.training.hardening.smoothed import Noised
from tests.kit.learning import ARMS, SPACES, Countdown, same_step, vec

STEPS = 60


def attacked(shows, name, when="every", clean=0.0, **budget):
    """A game under an attack, and the same one without it, from one seed."""

    def arm(policy):
        made = make_attack(name, Budget(**budget))
        return [Attacker(made, policy, game.observation_space, game.num_envs, schedule=make_schedule(when))]

    game, plain = vec(shows), vec(shows)
    env = Attacked(game, arm, clean)
    env.learner = HardenedPPO("MlpPolicy", env, n_steps=8, batch_size=8, device="cpu")
    for one in (env, plain):
        one.seed(3)
    return env, plain


def played(env, plain):
    """What was shown beside what there was, and whether an episode had just ended."""
    shown, there = [env.reset()], [plain.reset()]
    ended = [np.ones(2, dtype=bool)]
    for step in range(STEPS):
        action = np.array([step % 3, (step + 1) % 3])
        for seen, one in ((shown, env), (there, plain)):
            obs, _, dones, _ = one.step(action)
            seen.append(obs)
        ended.append(dones)
    return np.stack(shown), np.stack(there), np.stack(ended)


def test_a_share_of_what_is_seen_is_attacked_within_the_size():
    shown, there, _ = played(*attacked("vectors", "noise", "random:share=0.5", eps=0.1, space="raw"))
    apart = np.abs(shown - there).max(axis=2)
    assert apart.max() == pytest.approx(0.1, rel=1e-4)
    assert 0.35 < (apart > 0).mean() < 0.65


def test_bytes_stay_bytes():
    shown, there, _ = played(*attacked("images", "noise", eps=1.2 / 255, space="unit"))
    apart = shown.astype(int) - there.astype(int)
    assert shown.dtype == np.uint8
    assert set(np.unique(apart)) == {-1, 0, 1}


def test_a_change_stays_with_an_episode_and_some_have_none():
    shown, there, ended = played(*attacked("vectors", "bias", clean=0.5, norm="bias", eps=1.0, space="raw"))
    moved = (shown - there).mean(axis=2).round(4)
    assert set(np.unique(moved)) == {0.0, 1.0}
    within = ~ended[1:]
    assert (moved[1:] == moved[:-1])[within].all()
    assert (moved[1:] != moved[:-1])[~within].any()


def test_attacks_follow_the_learner_and_are_crafted_on_what_it_would_ship(tmp_path):
    crafted = []

    def arm(policy):
        crafted.append(policy)
        return [Attacker(make_attack("noise", Budget(eps=0.1, space="sigma")), policy, game.observation_space, 2)]

    game = vec("vectors", action=ARMS)
    env = Attacked(game, arm)
    normal = VecNormalize(env)
    env.learner = HardenedPPO("MlpPolicy", normal, n_steps=512, n_epochs=1, device="cpu")
    env.learner.learn(2560)
    assert len(crafted) == 2  # as it begins, and after 2,048 steps
    first, last = (policy.network.state_dict() for policy in (crafted[0], crafted[-1]))
    assert not torch.equal(first["pi.out.weight"], last["pi.out.weight"])
    seen = torch.tensor([[0.5, 0.1, -0.4, 0.2]])
    assert not torch.equal(crafted[0].normaliser(seen), crafted[-1].normaliser(seen))


def test_an_attack_on_actions_changes_what_is_done_and_not_what_is_learned():
    games = [Countdown(number, 5, cut=False) for number in range(2)]

    def arm(policy):
        made = make_attack("action-delay", Budget(norm=ATTACKS.get("action-delay").reaches[0], eps=1.0))
        return [ActionAttacker(made, policy, game.action_space, 2)]

    game = VecMonitor(GymnasiumVecEnv(same_step([lambda number=number: games[number] for number in range(2)])))
    env = Attacked(game, arm)
    env.learner = HardenedPPO("MlpPolicy", env, n_steps=8, batch_size=8, device="cpu")
    env.seed(0)
    env.reset()
    for action in ([1, 2], [2, 0], [0, 1]):
        env.step(np.array(action))
    assert games[0].played[1:] == [1, 2]  # a step later
    assert games[1].played[1:] == [2, 0]


def test_a_pool_holds_examples_in_the_box_whose_answers_are_far_and_keeps_the_newest():
    torch.manual_seed(0)
    model = HardenedPPO("MlpPolicy", vec("vectors"), n_steps=64, seed=0, device="cpu")
    model.learn(128)
    with torch.no_grad():
        model.policy.action_net.weight *= 100
    actor = Actor.of(model)
    pool = Pool(model, actor, Budget(eps=0.2, space="raw"), 100, 10, hidden=False)
    for _ in range(12):
        pool.renew()
    assert len(pool.points) == len(pool.said) == 100
    states = torch.as_tensor(model.rollout_buffer.observations).reshape(-1, 4)
    apart = (pool.points[:, None] - states).abs().amax(dim=2).amin(dim=1)
    assert apart.max() <= 0.2 + 1e-5
    far = pool.loss(1000).item()
    noisy = states + 0.2 * torch.randn_like(states).sign()
    with torch.no_grad():
        random = actor.divergence(actor(states), actor(noisy)).mean().item()
    assert far > random


def test_a_pool_of_a_hidden_layer_teaches_the_last_layer_alone():
    model = HardenedPPO("MlpPolicy", vec("vectors"), n_steps=64, seed=0, device="cpu")
    model.learn(128)
    pool = Pool(model, Actor.of(model), Budget(eps=0.5, space="raw"), 50, 5, hidden=True)
    pool.renew()
    assert pool.points.shape == (5, 64)
    model.policy.zero_grad()
    pool.loss(20).backward()
    taught = {name for name, one in model.policy.named_parameters() if one.grad is not None and one.grad.abs().sum()}
    assert taught == {"action_net.weight", "action_net.bias"}


@pytest.mark.parametrize(("space", "sizes"), [("sigma", [0.1] * 4), ("raw", [0.05, 0.1, 0.2, 0.1])])
def test_noise_has_its_size_in_standard_deviations_or_in_the_games_own_numbers(space, sizes):
    normal = VecNormalize(vec("vectors", action=ARMS), clip_obs=1e6)
    noised = Noised(normal, 0.1, space, 0)
    normal.training = False
    normal.obs_rms.var = np.array([4.0, 1.0, 0.25, 1.0]) - normal.epsilon
    found = np.stack([noised.reset() - normal.normalize_obs(normal.get_original_obs()) for _ in range(1000)])
    found = found.reshape(-1, 4)
    assert found.std(axis=0).tolist() == pytest.approx(sizes, rel=0.05)


def test_noise_on_bytes_is_of_bytes_and_goes_through_play():
    game, plain = vec("images"), vec("images")
    env = Noised(game, 0.05, "unit", 0)
    for one in (env, plain):
        one.seed(3)
    shown, there, _ = played(env, plain)
    inside = (there > 60) & (there < 195)
    apart = (shown.astype(int) - there.astype(int))[inside]
    assert shown.dtype == np.uint8
    assert apart.std() == pytest.approx(0.05 * 255, rel=0.02)


def test_a_size_of_which_no_byte_would_be_left_is_refused():
    seat, numbers = (Seat("player", SPACES[name], Discrete(2)) for name in ("images", "vectors"))
    for budget in (Budget(eps=1 / 255), Budget(eps=1.0, space="raw"), Budget(eps=1, norm="l0")):
        check_bytes("adversarial", seat, budget)
    check_bytes("adversarial", numbers, Budget(eps=1e-6, space="raw"))
    with pytest.raises(BudgetError, match=r"what is seen is kept as bytes, .* one grey level, 0\.00392157, got 0\.003"):
        check_bytes("adversarial", seat, Budget(eps=0.003))
