"""`AttackObservation` around the wrappers through which networks of Stable-Baselines3 see a game, in its evaluation."""

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecNormalize, VecTransposeImage

from rlattack import Attacker, AttackObservation, Budget, load_agent, make_attack
from rlattack.errors import InvalidInput
from rlattack.policies import from_sb3
from tests.attacks.pipelines import Acting, Picture, Weights, normalised, signs

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*GPU.*:UserWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:stable_baselines3"),
]


@pytest.mark.parametrize("space", ["raw", "sigma"])
def test_around_vecnormalize_the_size_is_in_what_the_network_sees(space):
    env = normalised()
    clean = env.reset()
    assert np.abs(clean) == pytest.approx(1, abs=0.2)  # 990 and 1010 are a standard deviation away
    attack = make_attack("fgsm", Budget(eps=0.5, space=space))
    env.seed(0)
    attacked = AttackObservation(env, Attacker(attack, signs(), env)).reset()
    assert np.abs(attacked[:, 0]) == pytest.approx(0.5, abs=0.2)
    env.seed(0)
    assert np.abs(attacked - env.reset()).max() == pytest.approx(0.5, abs=1e-6)


def test_around_vecnormalize_an_attack_takes_what_the_policy_earns():
    clean, _ = evaluate_policy(Acting(signs()), normalised(), n_eval_episodes=6, warn=False)
    returns = []
    for eps in (0.5, 1.5):
        env = normalised()
        attack = make_attack("fgsm", Budget(eps=eps, space="sigma"))
        wrapped = AttackObservation(env, Attacker(attack, signs(), env))
        returns.append(evaluate_policy(Acting(signs()), wrapped, n_eval_episodes=6, warn=False)[0])
    assert (clean, *returns) == (4.0, 4.0, 0.0)  # the numbers lie one deviation from where it turns


def test_the_bounds_of_raw_observations_are_none_of_normalised_ones():
    env = normalised()
    old = Attacker(make_attack("fgsm", Budget(eps=0.5, space="raw")), signs(), env.observation_space, 2)
    with pytest.raises(
        InvalidInput, match=r"shows Box.-10.0, 10.0, .2,., float32.; make it with the environment in place"
    ):
        AttackObservation(env, old)


def test_inside_of_vecnormalize_a_network_of_normalised_numbers_is_refused():
    inner = DummyVecEnv([Weights] * 2)
    attack = make_attack("fgsm", Budget(eps=5, space="raw"))
    env = VecNormalize(AttackObservation(inner, Attacker(attack, signs(), inner)))
    with pytest.raises(InvalidInput, match=r"is inside a VecNormalize, .* wrap it the other way round"):
        env.reset()
    single = AttackObservation(Weights(), Attacker(attack, signs(), Weights()))
    with pytest.raises(InvalidInput, match="is inside a VecNormalize"):
        VecNormalize(DummyVecEnv([lambda: single])).reset()
    with pytest.raises(InvalidInput, match="is inside a NormalizeObservation"):
        gymnasium.wrappers.NormalizeObservation(single).reset()


def test_inside_of_vecnormalize_what_asks_nothing_and_what_normalises_nothing_are_welcome():
    inner = DummyVecEnv([Weights] * 2)
    noise = Attacker(make_attack("noise", Budget(eps=5, space="raw")), signs(), inner)
    assert VecNormalize(AttackObservation(inner, noise)).reset().shape == (2, 2)
    fgsm = Attacker(make_attack("fgsm", Budget(eps=5, space="raw")), signs(), inner)
    assert VecNormalize(AttackObservation(inner, fgsm), norm_obs=False).reset().shape == (2, 2)


def test_a_model_that_learned_in_vecnormalize_is_attacked_in_raw_numbers_by_its_own_statistics():
    env = normalised()
    model = PPO("MlpPolicy", env, n_steps=8, batch_size=8, device="cpu", seed=0)
    inner = DummyVecEnv([Weights] * 2)
    attacker = Attacker(make_attack("fgsm", Budget(eps=5, space="raw")), model, inner)
    shown = torch.tensor([[990.0, 1010.0], [1010.0, 1010.0]])
    seen = torch.as_tensor(env.normalize_obs(shown.numpy()))
    expected = model.policy.get_distribution(seen).distribution.logits
    setting = attacker.target
    attacker.oracle.begin(shown, np.ones(2, dtype=np.bool_))
    assert torch.allclose(setting(shown).actions.scores.log_softmax(1), expected, atol=1e-5)
    assert VecNormalize(AttackObservation(inner, attacker)).reset().shape == (2, 2)  # right, so not refused


def test_an_agent_that_normalises_by_itself_is_not_normalised_twice(tmp_path):
    env = normalised()
    model = PPO("MlpPolicy", env, n_steps=8, batch_size=8, device="cpu")
    model.save(tmp_path / "model.zip")
    env.save(tmp_path / "vecnormalize.pkl")
    agent = load_agent(tmp_path / "model.zip")
    assert agent.policy.normaliser is not None
    with pytest.raises(InvalidInput, match="the agent normalises what it sees, and so does this environment"):
        Attacker(make_attack("fgsm", Budget(eps=0.5, space="raw")), agent.policy, env)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("grid", [False, True])
def test_stacked_pictures_are_attacked_with_channels_where_they_are(transposed, grid):
    env = VecFrameStack(DummyVecEnv([Picture] * 2), 4)
    env = VecTransposeImage(env) if transposed else env
    model = PPO("CnnPolicy", env, n_steps=8, batch_size=8, device="cpu", seed=0)
    attack = make_attack("fgsm", Budget(eps=0.02, grid=grid), loss="margin")
    wrapped = AttackObservation(env, Attacker(attack, model, env))
    env.seed(0)
    shown = wrapped.reset()
    env.seed(0)
    clean = env.reset()
    assert shown.shape == clean.shape == ((2, 4, 36, 36) if transposed else (2, 36, 36, 4))
    assert np.abs(shown.astype(np.float64) - clean).max() == pytest.approx(5 if grid else 5.1, abs=1e-4)
    mean, _ = evaluate_policy(model, wrapped, n_eval_episodes=4, warn=False)
    assert mean == 5
    seen = torch.as_tensor(np.array(clean), dtype=torch.float32)
    policy = Attacker(attack, model, env).oracle._policy
    said = policy(seen).actions.scores.log_softmax(1)
    first = torch.as_tensor(clean if transposed else clean.transpose(0, 3, 1, 2).copy())
    assert torch.allclose(said, model.policy.get_distribution(first).distribution.logits, atol=1e-5)


def test_a_model_a_module_a_name_and_a_path_are_attacked(tmp_path):
    env = gymnasium.make("CartPole-v1")
    model = PPO("MlpPolicy", env, n_steps=8, batch_size=8, device="cpu")
    model.save(tmp_path / "model.zip")
    attack = make_attack("fgsm", Budget(eps=0.1, space="raw"))
    agents = (model, model.policy, from_sb3(model), torch.nn.Linear(4, 2), "gymnasium/CartPole-v1/dqn")
    for agent in (*agents, tmp_path / "model.zip"):
        obs, _ = AttackObservation(env, Attacker(attack, agent, env)).reset(seed=0)
        assert np.abs(obs - env.reset(seed=0)[0]).max() == pytest.approx(0.1, abs=1e-6)
    with pytest.raises(InvalidInput, match=r"int: expected a Policy, .*, got int"):
        Attacker(attack, 7, env)


@pytest.mark.parametrize("kind", [PPO, SAC])
@pytest.mark.parametrize("normal", [False, True])
def test_a_model_of_continuous_actions_is_attacked_in_raw_and_in_normalised_numbers(kind, normal):
    env = VecNormalize(DummyVecEnv([lambda: gymnasium.make("Pendulum-v1")] * 2), norm_reward=False)
    env.seed(0)
    env.reset()
    model = kind("MlpPolicy", env, device="cpu", seed=0)
    for _ in range(50):
        env.step(np.zeros((2, 1), dtype=np.float32))
    env.training = False
    shown = env if normal else env.venv
    attacker = Attacker(make_attack("pgd", Budget(eps=0.1, space="sigma"), loss="kl", steps=2), model, shown)
    raw = env.get_original_obs()
    seen = torch.as_tensor(env.normalize_obs(raw) if normal else raw)
    expected, _ = model.predict(env.normalize_obs(raw), deterministic=True)
    attacker.oracle.begin(seen, np.ones(2, dtype=np.bool_))
    assert np.allclose(attacker.target(seen).actions.greedy.numpy(), expected, atol=1e-4)
    wrapped = AttackObservation(shown, attacker)
    assert wrapped.reset().shape == (2, 3)
    if normal:
        assert np.isfinite(evaluate_policy(model, wrapped, n_eval_episodes=2, warn=False)[0])


def test_what_shows_nothing_is_refused():
    with pytest.raises(InvalidInput, match="expected a space, or an environment that shows it, got str"):
        Attacker(make_attack("noise", Budget(eps=0.1, space="raw")), signs(), "CartPole-v1")
