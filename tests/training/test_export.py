"""The agent is the policy that was trained."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.errors import InvalidInput
from rlattack.policies import ModulePolicy, load_agent
from rlattack.policies.folder import AgentCard, read_agent, save_agent
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.policies.sb3_live import from_sb3
from rlattack.training import extractor
from rlattack.training.algorithms import make_learner
from rlattack.training.export import export
from rlattack.training.ppo import make_perturber
from rlattack.training.recipes import TrainPerturber, TrainSingle
from rlattack.training.settings import CONTROL, VECTORS
from rlattack.training.vecenv import GymnasiumVecEnv
from tests.kit.learning import ARMS, CARD, SPACES, noise, seated, tug, vec


def configure(algo):
    return TrainSingle(game=CARD.id, algo=algo, steps=600, envs=2)


def learned(steps=512):
    return seated("unused", tug()).make(0).learn(steps)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("algo", VECTORS)
def test_the_agent_is_the_policy_that_was_trained(tmp_path, monkeypatch, algo, space):
    monkeypatch.setattr(extractor, "_processor", lambda: "")  # no bfloat16 in the trunk
    env = vec(space)
    learner = make_learner(configure(algo), env, 0)
    learner.learn(300 if space == "vectors" else 64)
    network = export(learner)
    card = AgentCard(game=CARD.id, role="victim", algorithm=algo, network=network.spec)
    save_agent(tmp_path / "agent", card, network, half=False)
    policy = load_agent(str(tmp_path / "agent")).policy
    seen = torch.as_tensor(np.stack([env.observation_space.sample() for _ in range(20)]))
    with torch.no_grad():
        ours, theirs = policy(seen.float()), from_sb3(learner)(seen)
    torch.testing.assert_close(ours.actions.probabilities, theirs.actions.probabilities)
    assert ours.actions.scores.std(dim=0).min() > 0  # it looks at what it sees
    if ours.q is None:
        torch.testing.assert_close(ours.values, theirs.values)
    else:
        torch.testing.assert_close(ours.q, theirs.q)
        assert np.array_equal(ours.actions.greedy, learner.predict(seen.numpy(), deterministic=True)[0])


@pytest.mark.parametrize("algo", CONTROL)
def test_an_agent_of_continuous_actions_plays_as_its_learner_predicts(tmp_path, algo):
    learner = make_learner(configure(algo), vec("vectors", action=ARMS), 0).learn(40)
    network = export(learner)
    card = AgentCard(game=CARD.id, role="victim", algorithm=algo, network=network.spec)
    save_agent(tmp_path / "agent", card, network)
    _, read = read_agent(tmp_path / "agent")
    policy, normal = GaussianPolicy(read, ARMS), learner.get_vec_normalize_env()
    seen = np.random.default_rng(0).uniform(-5, 5, (200, 4)).astype(np.float32)
    fed = seen if normal is None else normal.normalize_obs(seen)
    with torch.no_grad():
        ours = policy(torch.from_numpy(seen)).actions.greedy.numpy().clip(ARMS.low, ARMS.high)
    theirs, _ = learner.predict(fed, deterministic=True)
    assert theirs.std(axis=0).min() > 1e-4  # it looks at what it sees
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert (policy.normaliser is None) == (algo != "ppo")
    if normal is not None:
        np.testing.assert_allclose(policy.normaliser.mean, normal.obs_rms.mean, atol=1e-6)
        np.testing.assert_allclose(policy.normaliser.deviation, np.sqrt(normal.obs_rms.var + 1e-8), rtol=1e-6)
        assert policy.normaliser.clip == normal.clip_obs
        return
    actions = ARMS.low + (ARMS.high - ARMS.low) * np.random.default_rng(1).uniform(size=(200, 2)).astype(np.float32)
    share = torch.from_numpy(learner.policy.scale_action(actions))
    with torch.no_grad():
        told = learner.critic(torch.from_numpy(seen), share)
        least = told.mean(dim=2).amin(dim=1) if algo == "tqc" else torch.cat(told, dim=1).amin(dim=1)
        value = policy.value(torch.from_numpy(seen), torch.from_numpy(actions))
    torch.testing.assert_close(value, least, atol=1e-5, rtol=1e-5)


def test_a_perturber_of_pictures_says_in_its_scores_what_it_means(monkeypatch):
    monkeypatch.setattr(extractor, "_processor", lambda: "")  # no bfloat16 in the trunk
    recipe = TrainPerturber(game="any", victim="any", attack="pa-ad", eps=0.1, batch=32, minibatch=16, envs=2)
    env = noise("images", 2, Box(-1, 1, (3,), np.float32))
    learner = make_perturber(recipe, GymnasiumVecEnv(env), 0).learn(64)
    seen = np.stack([env.single_observation_space.sample() for _ in range(5)])
    said = ModulePolicy.of(export(learner), 1.0)(torch.as_tensor(seen).float()).actions.scores
    meant = learner.policy.get_distribution(torch.as_tensor(seen)).mode()
    torch.testing.assert_close(said, meant.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("space", [SPACES["floats"], SPACES["table"], Box(0, 255, (40, 36, 3), np.uint8)], ids=str)
def test_what_a_perturber_cannot_look_at_is_refused(space):
    recipe = TrainPerturber(game="any", victim="any", attack="pa-ad", eps=0.1, batch=32, minibatch=16, envs=2)
    env = GymnasiumVecEnv(noise(space, 2, Box(-1, 1, (3,), np.float32)))
    with pytest.raises(InvalidInput, match=r"expected numbers in a row, or pictures \(channels, height, width\)"):
        make_perturber(recipe, env, 0)


def test_a_trunk_in_bfloat16_is_the_same_agent_but_for_rounding(monkeypatch):
    monkeypatch.setattr(extractor, "_processor", lambda: "flags: avx512_bf16")
    learner = make_learner(configure("ppo"), vec("images"), 0)
    network = export(learner)
    seen = torch.randint(0, 256, (20, *SPACES["images"].shape))
    with torch.no_grad():
        logits, values, *_ = network(seen.float())
        distribution = learner.policy.get_distribution(seen).distribution
        torch.testing.assert_close(logits.softmax(1), distribution.probs, atol=0.01, rtol=0)
        torch.testing.assert_close(values, learner.policy.predict_values(seen).squeeze(1), atol=0.02, rtol=0)


@pytest.mark.parametrize("algo", VECTORS)
def test_weights_and_heads_stay_single_precision_whatever_the_trunk_computes_in(monkeypatch, algo):
    monkeypatch.setattr(extractor, "_processor", lambda: "flags: avx512_bf16")
    learner = make_learner(configure(algo), vec("images"), 0)
    learner.learn(64)
    assert {tensor.dtype for tensor in learner.policy.state_dict().values()} == {torch.float32}
    assert from_sb3(learner)(torch.zeros(2, *SPACES["images"].shape)).actions.scores.dtype == torch.float32


def test_a_gaussian_agent_acts_and_values_as_its_learner_does():
    learner = learned()
    network, normal = export(learner), learner.get_vec_normalize_env()
    rng = np.random.default_rng(0)
    spread = np.sqrt(normal.obs_rms.var)
    obs = (normal.obs_rms.mean + rng.normal(size=(1000, 3)) * spread * rng.choice([1, 30], (1000, 1))).astype(
        np.float32
    )
    seen = torch.from_numpy(normal.normalize_obs(obs))
    assert float(seen.abs().max()) == normal.clip_obs == network.spec.clip
    out = GaussianPolicy(network)(torch.from_numpy(obs))
    with torch.no_grad():
        theirs = learner.policy.get_distribution(seen).distribution
        ours, _ = network.values(torch.from_numpy(obs))
        values = learner.policy.predict_values(seen)[:, 0] * np.sqrt(normal.ret_rms.var + normal.epsilon)
    assert float(theirs.mean.std()) > 0.01
    torch.testing.assert_close(out.actions.mean, theirs.mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(out.actions.deviation.expand(1000, 1), theirs.stddev)
    torch.testing.assert_close(ours, values.float(), atol=1e-4, rtol=1e-4)


def test_an_entry_that_hardly_varies_is_seen_as_the_learner_sees_it():
    """Its mean in float32 is more than a thousandth of a deviation off, as that of a body's mass is."""
    learner = learned(128)
    normal = learner.get_vec_normalize_env()
    normal.obs_rms.mean[:], normal.obs_rms.var[:] = 5.852784449356555, 0.0
    obs = np.asarray(5.8527844 + 1e-4 * np.random.default_rng(0).normal(size=(50, 3)), dtype=np.float32)
    network = export(learner)
    assert abs(float(network.obs_mean[0]) - 5.852784449356555) / float(network.obs_std[0]) > 1e-3
    with torch.no_grad():
        theirs = learner.policy.get_distribution(torch.from_numpy(normal.normalize_obs(obs))).distribution
    torch.testing.assert_close(
        GaussianPolicy(network)(torch.from_numpy(obs)).actions.mean, theirs.mean, atol=1e-6, rtol=0
    )
