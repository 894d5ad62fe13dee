"""`AttackObservation` around environments of Dict observations, of which some keys change."""

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from rlattack import Attacker, AttackObservation, Budget, make_attack
from rlattack.errors import BudgetError, InvalidInput
from tests.attacks.pipelines import Both, Weights, signs


@pytest.mark.parametrize("keys", [("place",), ("picture",), ("place", "speed"), ()])
def test_of_a_dict_an_attack_changes_the_keys_that_it_may(keys):
    env = DummyVecEnv([Both] * 2)
    model = PPO("MultiInputPolicy", env, n_steps=8, batch_size=8, device="cpu", seed=0)
    attack = make_attack("fgsm", Budget(eps=0.1, space="raw"), loss="margin")
    wrapped = AttackObservation(env, Attacker(attack, model, env, keys=keys))
    clean, shown = env.reset(), wrapped.reset()
    moved = {name: float(np.abs(np.float64(shown[name]) - clean[name]).max()) for name in clean}
    changed = keys or ("picture", "place", "speed")
    assert moved == pytest.approx({name: 0.1 if name in changed else 0.0 for name in clean}, abs=1e-5)
    assert wrapped.observation_space["place"].dtype == np.float32
    assert evaluate_policy(model, wrapped, n_eval_episodes=4, warn=False)[0] == 3
    for _ in range(3):
        _, _, dones, infos = wrapped.step(np.zeros(2, dtype=np.int64))
    ended = [info["terminal_observation"] for info in infos]
    assert dones.all()
    assert [np.abs(one["place"] - 3).max() for one in ended] == pytest.approx(
        [0.1 * ("place" in changed)] * 2, abs=1e-5
    )


def test_the_gradient_of_a_dict_is_taken_where_the_rest_is_what_it_was():
    env = DummyVecEnv([Both] * 2)
    model = PPO("MultiInputPolicy", env, n_steps=8, batch_size=8, device="cpu", seed=0)
    attack = make_attack("fgsm", Budget(eps=0.1, space="raw"), loss="margin")
    attacker = Attacker(attack, model, env, keys=("place",))
    wrapped = AttackObservation(env, attacker)
    wrapped.reset()
    wrapped.step(np.zeros(2, dtype=np.int64))  # the door is open now
    obs = {name: torch.as_tensor(part) for name, part in env.buf_obs.items()}
    expected = model.policy.get_distribution(obs).distribution.logits
    said = attacker.oracle._policy(torch.ones(2, 3)).actions.scores.log_softmax(1)
    assert torch.allclose(said, expected, atol=1e-5)


def test_a_single_environment_of_a_dict_is_attacked():
    model = PPO("MultiInputPolicy", DummyVecEnv([Both]), n_steps=8, batch_size=8, device="cpu", seed=0)
    attack = make_attack("noise", Budget(eps=0.1, space="raw"))
    wrapped = AttackObservation(Both(), Attacker(attack, model, Both(), keys=("place",)))
    shown, _ = wrapped.reset(seed=0)
    assert wrapped.observation_space.contains(shown)
    assert np.abs(shown["place"]).max() == pytest.approx(0.1, abs=1e-6)
    assert wrapped.step(0)[0]["door"] == 1


def test_normalised_keys_of_a_dict_are_attacked_as_they_are_shown():
    env = VecNormalize(DummyVecEnv([Both] * 2), norm_obs_keys=["place"])
    model = PPO("MultiInputPolicy", env, n_steps=8, batch_size=8, device="cpu", seed=0)
    attack = make_attack("fgsm", Budget(eps=0.1, space="sigma"), loss="margin")
    attacker = Attacker(attack, model, env, keys=("place",))
    assert attacker.space == gymnasium.spaces.Box(-10, 10, (3,), np.float32)
    assert AttackObservation(env, attacker).reset()["place"].shape == (2, 3)
    with pytest.raises(InvalidInput, match="keys: expected normalised ones or raw ones, got both of place, speed"):
        Attacker(attack, model, env, keys=("place", "speed"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (("plase",), "keys: expected of picture, place, speed, got 'plase'; did you mean 'place'"),
        (("door",), "got 'door'"),
    ],
)
def test_a_key_that_is_none_is_refused(keys, message):
    attack = make_attack("noise", Budget(eps=0.1, space="raw"))
    model = PPO("MultiInputPolicy", DummyVecEnv([Both]), n_steps=8, batch_size=8, device="cpu")
    with pytest.raises(InvalidInput, match=message):
        Attacker(attack, model, Both(), keys=keys)


def test_keys_are_of_a_dict():
    attack = make_attack("noise", Budget(eps=0.1, space="raw"))
    with pytest.raises(InvalidInput, match=r"keys: expected none, since .* is no Dict"):
        Attacker(attack, signs(), Weights(), keys=("place",))


def test_a_vector_environment_of_dicts_is_refused():
    env = gymnasium.vector.SyncVectorEnv([Both] * 2)
    model = PPO("MultiInputPolicy", DummyVecEnv([Both]), n_steps=8, batch_size=8, device="cpu")
    attacker = Attacker(make_attack("noise", Budget(eps=0.1, space="raw")), model, env, keys=("place",))
    with pytest.raises(InvalidInput, match="a VectorEnv of Dict observations: expected a single environment of them"):
        AttackObservation(env, attacker)


class Steered(Both):
    """The same with continuous actions."""

    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)


@pytest.mark.parametrize("kind", [PPO, SAC])
@pytest.mark.parametrize("normal", [False, True])
@pytest.mark.parametrize("keys", [("place",), ("place", "speed")])
def test_a_dict_and_continuous_actions_are_attacked_in_raw_and_in_normalised_numbers(kind, normal, keys):
    env = VecNormalize(DummyVecEnv([Steered] * 2), norm_reward=False, norm_obs_keys=["place", "speed"])
    small = {"n_steps": 8, "batch_size": 8} if kind is PPO else {"buffer_size": 10}
    looks = {"net_arch": [8], "features_extractor_kwargs": {"cnn_output_dim": 8}}
    model = kind("MultiInputPolicy", env, device="cpu", seed=0, policy_kwargs=looks, **small)
    env.reset()
    for _ in range(20):
        env.step(np.zeros((2, 2), dtype=np.float32))
    env.training, shown = False, env if normal else env.venv
    attack = make_attack("pgd", Budget(eps=0.1, space="sigma"), loss="mad", steps=2)
    attacker = Attacker(attack, model, shown, keys=keys)
    wrapped = AttackObservation(shown, attacker)
    clean, received = env.venv.reset(), wrapped.reset()  # which shows the same at each start
    unit = np.sqrt(env.obs_rms["place"].var + env.epsilon)
    moved = received["place"] - (env.normalize_obs(clean) if normal else clean)["place"]
    assert np.abs(moved / (1 if normal else unit)).max() == pytest.approx(0.1, rel=1e-3)
    wanted, _ = model.predict(received if normal else env.normalize_obs(received), deterministic=True)
    told = attacker.pipeline.join(received)
    said = attacker.oracle._policy(torch.as_tensor(told, dtype=torch.float32)).actions.greedy
    np.testing.assert_allclose(said.numpy(force=True).clip(-1, 1), wanted, atol=1e-5)
    if normal:
        assert evaluate_policy(model, wrapped, n_eval_episodes=2, warn=False)[0] == 3


def test_only_keys_that_have_statistics_have_a_size_in_deviations():
    env = VecNormalize(DummyVecEnv([Steered] * 2), norm_obs_keys=["place"])
    model = PPO("MultiInputPolicy", env, n_steps=8, batch_size=8, device="cpu", seed=0)
    attack = make_attack("noise", Budget(eps=0.1, space="sigma"))
    with pytest.raises(BudgetError, match="the agent has no statistics of entries 3,4: leave them out by --keys"):
        Attacker(attack, model, env.venv, keys=("place", "speed"))
    with pytest.raises(BudgetError, match="needs an agent that ships observation statistics"):
        Attacker(attack, model, env.venv, keys=("speed",))
