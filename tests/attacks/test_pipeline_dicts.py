"""`AttackObservation` around environments of Dict observations, of which some keys change."""

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from rlattack import Attacker, AttackObservation, Budget, make_attack
from rlattack.errors import InvalidInput
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
