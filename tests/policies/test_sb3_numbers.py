"""Zips of agents that see numbers, beside Stable-Baselines3's own play of them."""

import gymnasium
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from rlattack.errors import RefusedFile
from rlattack.games.game import PLAYER, Seat
from rlattack.policies import load_agent
from rlattack.policies.distributions import Categorical, Normal, Point, SquashedNormal
from rlattack.policies.policy import judged

DONE = Box(np.float32([-0.4, -1, 0]), np.float32([0.4, 3, 2]))
SEEN = Box(-np.inf, np.inf, (5,), np.float32)


class Numbers(gymnasium.Env):
    """Shows random numbers far from 0 and of unlike sizes; five steps an episode."""

    observation_space = SEEN

    def __init__(self, action=DONE):
        self.action_space = action

    def reset(self, *, seed=None, options=None):
        self.left = 5
        return self._shown(), {}

    def step(self, action):
        self.left -= 1
        return self._shown(), float(np.sum(action)), self.left == 0, False, {}

    def action_masks(self):
        return np.asarray([True] * int(self.action_space.n))

    def _shown(self):
        return (self.np_random.normal(size=5) * [1, 2, 3, 4, 0.1] + [0, 5, -5, 1, 0]).astype(np.float32)


ON_POLICY = {"n_steps": 8, "batch_size": 8}
OFF_POLICY = {"buffer_size": 50, "learning_starts": 5, "batch_size": 4}
SMALL = {"net_arch": [16, 8]}
LEARNERS = {
    "ppo": (stable_baselines3.PPO, "MlpPolicy", ON_POLICY, {}),
    "ppo-one-net": (stable_baselines3.PPO, "MlpPolicy", ON_POLICY, {"net_arch": []}),
    "a2c": (stable_baselines3.A2C, "MlpPolicy", {"n_steps": 8}, {"activation_fn": torch.nn.ReLU}),
    "trpo": (sb3_contrib.TRPO, "MlpPolicy", ON_POLICY, {"net_arch": {"pi": [8], "vf": [12]}}),
    "ppo-sde": (stable_baselines3.PPO, "MlpPolicy", ON_POLICY | {"use_sde": True}, {}),
    "ppo-sde-expln": (stable_baselines3.PPO, "MlpPolicy", ON_POLICY | {"use_sde": True},
                      {"use_expln": True, "log_std_init": 0.5, "full_std": False}),
    "ppo-sde-squashed": (stable_baselines3.PPO, "MlpPolicy", ON_POLICY | {"use_sde": True}, {"squash_output": True}),
    "sac": (stable_baselines3.SAC, "MlpPolicy", OFF_POLICY, SMALL),
    "sac-sde": (stable_baselines3.SAC, "MlpPolicy", OFF_POLICY | {"use_sde": True}, SMALL),
    "sac-sde-clip": (stable_baselines3.SAC, "MlpPolicy", OFF_POLICY | {"use_sde": True}, SMALL | {"clip_mean": 0.01}),
    "sac-sde-no-clip": (stable_baselines3.SAC, "MlpPolicy", OFF_POLICY | {"use_sde": True}, SMALL | {"clip_mean": 0.0}),
    "tqc": (sb3_contrib.TQC, "MlpPolicy", OFF_POLICY, SMALL | {"n_quantiles": 7, "n_critics": 3}),
    "td3": (stable_baselines3.TD3, "MlpPolicy", OFF_POLICY, SMALL),
    "ddpg": (stable_baselines3.DDPG, "MlpPolicy", OFF_POLICY, SMALL),
    "ars-linear": (sb3_contrib.ARS, "LinearPolicy", {"n_delta": 2}, {}),
    "ars": (sb3_contrib.ARS, "MlpPolicy", {"n_delta": 2}, SMALL),
    "ars-open": (sb3_contrib.ARS, "MlpPolicy", {"n_delta": 2}, SMALL | {"squash_output": False}),
    "ars-linear-squashed": (sb3_contrib.ARS, "LinearPolicy", {"n_delta": 2}, {"squash_output": True}),
}  # fmt: skip


def trained(name, folder, action=DONE, *, normalised=False, **more):
    """A model that has learned a little, its zip, and the environment with its statistics beside it."""
    learner, policy, settings, kwargs = LEARNERS[name]
    env = DummyVecEnv([lambda: Numbers(action)])
    if normalised:
        env = VecNormalize(env, clip_obs=2.0)
    model = learner(policy, env, device="cpu", seed=3, policy_kwargs=dict(kwargs), **settings | more)
    model.learn(16)
    with torch.no_grad():  # so that no part is as it began
        generator = torch.Generator().manual_seed(1)
        for tensor in model.policy.state_dict().values():
            tensor += 0.05 * torch.randn(tensor.shape, generator=generator)
    model.save(folder / "model.zip")
    if normalised:
        env.save(folder / "vecnormalize.pkl")
    return model, str(folder / "model.zip"), env


def shown(env, count=20):
    """Observations as the game shows them, and as the model sees them."""
    obs = (np.random.default_rng(0).normal(size=(count, 5)) * 5).astype(np.float32)
    return obs, env.normalize_obs(obs).astype(np.float32) if isinstance(env, VecNormalize) else obs


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("name", LEARNERS)
def test_continuous_agents_act_as_stable_baselines3_has_them_act(tmp_path, name, normalised):
    model, path, env = trained(name, tmp_path, normalised=normalised)
    agent = load_agent(path, Seat(PLAYER, SEEN, DONE))
    obs, seen = shown(env)
    wanted, _ = model.predict(seen, deterministic=True)
    greedy = agent.policy(torch.from_numpy(obs)).actions.greedy
    np.testing.assert_allclose(np.clip(greedy.numpy(), DONE.low, DONE.high), wanted, atol=1e-5)
    assert (agent.policy.normaliser is not None) == normalised


@pytest.mark.parametrize("name", [name for name in LEARNERS if name.startswith(("ppo", "a2c", "trpo"))])
def test_distributions_and_values_of_actors_with_critics_are_theirs(tmp_path, name):
    model, path, env = trained(name, tmp_path, normalised=True)
    agent = load_agent(path, Seat(PLAYER, SEEN, DONE))
    obs, seen = shown(env)
    theirs = model.policy.get_distribution(torch.from_numpy(seen)).distribution
    ours = agent.policy(torch.from_numpy(obs)).actions
    assert type(ours) is (SquashedNormal if name == "ppo-sde-squashed" else Normal)
    torch.testing.assert_close(ours.mean, theirs.mean, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.deviation.expand(20, 3), theirs.stddev, atol=1e-5, rtol=1e-5)
    values = model.policy.predict_values(torch.from_numpy(seen)).squeeze(1)
    torch.testing.assert_close(agent.policy.value(torch.from_numpy(obs)), values, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("name", ["sac", "sac-sde", "sac-sde-clip", "sac-sde-no-clip", "tqc"])
def test_distributions_of_soft_actors_are_theirs(tmp_path, name):
    model, path, env = trained(name, tmp_path)
    obs, seen = shown(env)
    mean, log_std, settings = model.actor.get_action_dist_params(torch.from_numpy(seen))
    theirs = model.actor.action_dist.proba_distribution(mean, log_std, **settings).distribution
    ours = load_agent(path, Seat(PLAYER, SEEN, DONE)).policy(torch.from_numpy(obs)).actions
    torch.testing.assert_close(ours.mean, theirs.mean, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.deviation, theirs.stddev, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["sac", "tqc", "td3", "ddpg"])
def test_the_value_of_an_action_is_the_least_that_a_critic_says(tmp_path, name):
    model, path, env = trained(name, tmp_path, normalised=True)
    policy = load_agent(path, Seat(PLAYER, SEEN, DONE)).policy
    obs, seen = shown(env)
    done = np.random.default_rng(1).uniform(DONE.low, DONE.high, (20, 3)).astype(np.float32)
    scaled = torch.from_numpy(model.policy.scale_action(done))
    told = model.critic(torch.from_numpy(seen), scaled)
    told = told.mean(dim=2).T if name == "tqc" else torch.cat(told, dim=1).T  # of quantiles, or one number a critic
    wanted = told.amin(dim=0)
    found = policy.value(torch.from_numpy(obs), torch.from_numpy(done))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-5)
    assert type(policy(torch.from_numpy(obs)).actions) is (Point if name in ("td3", "ddpg") else SquashedNormal)


@pytest.mark.parametrize("action", [DONE, Discrete(4)])
@pytest.mark.parametrize(
    ("settings", "normalised"),
    [
        ({}, True),
        ({"shared_lstm": True, "enable_critic_lstm": False}, False),
        ({"net_arch": []}, False),
        ({"enable_critic_lstm": False}, False),
        ({"enable_critic_lstm": False, "net_arch": []}, True),
    ],
)
def test_recurrent_agents_act_as_theirs_over_a_sequence(tmp_path, action, settings, normalised):
    LEARNERS["recurrent"] = (sb3_contrib.RecurrentPPO, "MlpLstmPolicy", ON_POLICY, {"lstm_hidden_size": 8} | settings)
    model, path, env = trained("recurrent", tmp_path, action, normalised=normalised)
    del LEARNERS["recurrent"]
    policy = load_agent(path, Seat(PLAYER, SEEN, action)).policy
    state, theirs, starts = policy.initial_state(20), None, np.ones(20, dtype=bool)
    for _ in range(5):
        obs, seen = shown(env)
        out = policy(torch.from_numpy(obs), state)
        wanted, theirs = model.predict(seen, theirs, starts, deterministic=True)
        greedy = out.actions.greedy.numpy()
        clipped = greedy if isinstance(action, Discrete) else np.clip(greedy, action.low, action.high)
        np.testing.assert_allclose(clipped, wanted, atol=1e-5)
        np.testing.assert_allclose(out.state.numpy(), np.concatenate([theirs[1][0], theirs[0][0]], axis=1), atol=1e-5)
        state, starts = out.state, np.zeros(20, dtype=bool)


@pytest.mark.parametrize("settings", [{}, {"net_arch": []}, {"enable_critic_lstm": False},
                                      {"enable_critic_lstm": False, "net_arch": []},
                                      {"shared_lstm": True, "enable_critic_lstm": False}])  # fmt: skip
def test_critics_of_recurrent_agents_and_their_slopes_are_theirs_over_a_sequence(tmp_path, settings):
    LEARNERS["recurrent"] = (sb3_contrib.RecurrentPPO, "MlpLstmPolicy", ON_POLICY, {"lstm_hidden_size": 8} | settings)
    model, path, env = trained("recurrent", tmp_path)
    del LEARNERS["recurrent"]
    policy, theirs = judged(load_agent(path, Seat(PLAYER, SEEN, DONE)).policy), model.policy
    state, starts = policy.initial_state(20), torch.zeros(20)
    after = (torch.zeros(1, 20, 8), torch.zeros(1, 20, 8))
    for _ in range(3):
        points = [torch.from_numpy(shown(env)[0]).requires_grad_(True) for _ in range(2)]
        own = policy.value(points[0], None, state)
        lstm = theirs.lstm_critic if theirs.lstm_critic is not None else theirs.lstm_actor
        features = theirs.extract_features(points[1], theirs.vf_features_extractor)
        latent, later = theirs._process_sequence(features, after, starts, lstm)
        latent = theirs.critic(features) if theirs.critic is not None else latent
        by_hand = theirs.value_net(theirs.mlp_extractor.forward_critic(latent)).squeeze(1)
        torch.testing.assert_close(
            own, theirs.predict_values(points[1], after, starts).squeeze(1), atol=1e-5, rtol=1e-5
        )
        slopes = [torch.autograd.grad(one.sum(), point)[0] for one, point in zip((own, by_hand), points, strict=True)]
        torch.testing.assert_close(*slopes, atol=1e-5, rtol=1e-5)
        state, after = policy(points[0], state).state.detach(), tuple(one.detach() for one in later)


@pytest.mark.parametrize("name", ["ppo", "a2c", "trpo", "dqn", "qrdqn", "ars", "ars-linear"])
def test_discrete_agents_behind_statistics_act_as_theirs(tmp_path, name):
    values = {
        "dqn": (stable_baselines3.DQN, "MlpPolicy", OFF_POLICY, SMALL),
        "qrdqn": (sb3_contrib.QRDQN, "MlpPolicy", OFF_POLICY, SMALL | {"n_quantiles": 7}),
    }
    LEARNERS.update(values)
    model, path, env = trained(name, tmp_path, Discrete(4), normalised=True)
    for known in values:
        del LEARNERS[known]
    policy = load_agent(path, Seat(PLAYER, SEEN, Discrete(4))).policy
    obs, seen = shown(env)
    out = policy(torch.from_numpy(obs))
    assert out.actions.greedy.tolist() == model.predict(seen, deterministic=True)[0].tolist()
    if name in values:
        net = model.policy.q_net if name == "dqn" else model.policy.quantile_net
        told = net(torch.from_numpy(seen)) if name == "dqn" else net(torch.from_numpy(seen)).mean(dim=1)
        torch.testing.assert_close(out.q, told, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(policy.value(torch.from_numpy(obs), out.actions.greedy), told.amax(dim=1))
        assert policy.acts == "greedy"


def test_several_actions_at_once_are_theirs(tmp_path):
    model, path, env = trained("ppo", tmp_path, MultiDiscrete([2, 3, 4]), normalised=True)
    policy = load_agent(path, Seat(PLAYER, SEEN, MultiDiscrete([2, 3, 4]))).policy
    obs, seen = shown(env)
    actions = policy(torch.from_numpy(obs)).actions
    assert actions.greedy.tolist() == model.predict(seen, deterministic=True)[0].tolist()
    theirs = model.policy.get_distribution(torch.from_numpy(seen)).distribution
    for ours, one in zip(actions.parts, theirs, strict=True):
        torch.testing.assert_close(ours.probabilities, one.probs, atol=1e-6, rtol=1e-5)


def test_a_maskable_agent_keeps_to_what_is_legal(tmp_path):
    LEARNERS["maskable"] = (sb3_contrib.MaskablePPO, "MlpPolicy", ON_POLICY, {})
    model, path, env = trained("maskable", tmp_path, Discrete(4), normalised=True)
    del LEARNERS["maskable"]
    policy = load_agent(path, Seat(PLAYER, SEEN, Discrete(4))).policy
    obs, seen = shown(env)
    legal = np.random.default_rng(2).random((20, 4)) < 0.5
    legal[:, 1] = True
    actions = policy(torch.from_numpy(obs)).among(torch.from_numpy(legal)).actions
    assert isinstance(actions, Categorical)
    wanted, _ = model.predict(seen, deterministic=True, action_masks=legal)
    assert actions.greedy.tolist() == wanted.tolist()
    theirs = model.policy.get_distribution(torch.from_numpy(seen), legal).distribution
    torch.testing.assert_close(actions.probabilities, theirs.probs, atol=1e-6, rtol=1e-5)


def test_an_agent_of_another_range_of_actions_is_refused(tmp_path):
    _, path, _ = trained("sac", tmp_path)
    seat = Seat(PLAYER, SEEN, Box(-1, 1, (3,)))
    with pytest.raises(ValueError, match=r"acts within \[-1, 3\], and not within the range \[-1, 1\] of the game"):
        load_agent(path, seat)
    assert load_agent(path).policy.action == DONE


class TestStatistics:
    """Which statistics an agent plays behind, and what is refused without."""

    def test_the_zip_itself_says_that_it_was_normalised(self, tmp_path):
        _, path, _ = trained("ppo", tmp_path, normalised=True)
        (tmp_path / "vecnormalize.pkl").unlink()
        with pytest.raises(RefusedFile, match=r"_last_original_obs says .* normalised .*--normaliser none plays it"):
            load_agent(path)
        assert load_agent(path, normaliser="none").policy.normaliser is None

    def test_an_agent_that_keeps_others_play_says_nothing(self, tmp_path):
        """It keeps the observation before, normalised or not."""
        _, path, _ = trained("sac", tmp_path)
        assert load_agent(path).policy.normaliser is None

    def test_trusting_the_zip_does_not_pass_over_statistics(self, tmp_path):
        _, path, _ = trained("ppo", tmp_path, normalised=True)
        (tmp_path / "vecnormalize.pkl").unlink()
        with pytest.raises(RefusedFile, match="--normaliser none plays it without"):
            load_agent(path, trust=True)

    def test_statistics_of_another_agent_are_refused(self, tmp_path):
        _, path, env = trained("ppo", tmp_path, normalised=True)
        env.obs_rms.mean, env.obs_rms.var = np.zeros(4), np.ones(4)
        env.save(tmp_path / "vecnormalize.pkl")
        with pytest.raises(RefusedFile, match=r"statistics are of observations of shape \(4,\), it sees \(5,\)"):
            load_agent(path)

    def test_statistics_are_found_where_the_zoo_keeps_them(self, tmp_path):
        run = tmp_path / "Numbers-v0_1"
        (run / "Numbers-v0").mkdir(parents=True)
        _, path, _ = trained("ppo", run, normalised=True)
        (run / "vecnormalize.pkl").rename(run / "Numbers-v0" / "vecnormalize.pkl")
        assert load_agent(path).policy.normaliser.clip == 2.0

    def test_a_file_that_leaves_observations_as_they_are_is_told(self, tmp_path):
        _, path, env = trained("ppo", tmp_path, normalised=True)
        env.norm_obs = False
        env.save(tmp_path / "vecnormalize.pkl")
        assert load_agent(path).policy.normaliser is None
