"""`AttackObservation` around the wrappers through which networks of Stable-Baselines3 see a game, in its evaluation."""

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecNormalize, VecTransposeImage

from rlattack import Attacker, AttackObservation, Budget, load_agent, make_attack
from rlattack.errors import BudgetError, InvalidInput
from rlattack.policies import from_sb3
from tests.attacks.frames import Clock
from tests.kit.agents import linear_policy

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*GPU.*:UserWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:stable_baselines3"),
]


class Weights(Clock):
    """Pays 1 for the action that is the sign of the first of two heavy numbers; four steps long."""

    observation_space = gymnasium.spaces.Box(900.0, 1100.0, (2,), np.float32)
    steps = 4

    def step(self, action):
        reward = float(action == (self._shown[0] > 1000))
        obs, _, *rest = super().step(action)
        return obs, reward, *rest

    def _show(self):
        self._shown = self.np_random.choice(np.float32([990, 1010]), 2)
        return self._shown


class Picture(Clock):
    """Shows grey noise with channels last; five steps long."""

    observation_space = gymnasium.spaces.Box(0, 255, (36, 36, 1), np.uint8)

    def _show(self):
        return self.np_random.integers(30, 200, (36, 36, 1), np.uint8)


class Both(Clock):
    """Shows a picture and numbers; three steps long."""

    observation_space = gymnasium.spaces.Dict(
        picture=gymnasium.spaces.Box(0, 255, (1, 36, 36), np.uint8),
        place=gymnasium.spaces.Box(-5.0, 5.0, (3,), np.float32),
        speed=gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32),
        door=gymnasium.spaces.Discrete(2),
    )
    steps = 3

    def _show(self):
        return {
            "picture": np.full((1, 36, 36), 100, np.uint8), "place": np.full(3, self._time, np.float32),
            "speed": np.zeros(2, np.float32), "door": self._time % 2,
        }  # fmt: skip


def normalised(**settings):
    """Two copies of `Weights` whose normaliser has seen enough, and no longer learns."""
    env = VecNormalize(DummyVecEnv([Weights] * 2), norm_reward=False, **settings)
    env.seed(0)
    env.reset()
    for _ in range(200):
        env.step(np.zeros(2, dtype=np.int64))
    env.training = False
    return env


def signs():
    """A policy of normalised observations that acts by the sign of the first one, and is sure of it."""
    return linear_policy([[-1.0, 0.0], [1.0, 0.0]])


class Acting:
    """A policy as `evaluate_policy` asks it."""

    def __init__(self, policy):
        self._policy = policy

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        return self._policy(torch.as_tensor(obs)).actions.greedy.numpy(), None


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


def test_a_vector_environment_of_dicts_is_refused():
    env = gymnasium.vector.SyncVectorEnv([Both] * 2)
    model = PPO("MultiInputPolicy", DummyVecEnv([Both]), n_steps=8, batch_size=8, device="cpu")
    attacker = Attacker(make_attack("noise", Budget(eps=0.1, space="raw")), model, env, keys=("place",))
    with pytest.raises(InvalidInput, match="a VectorEnv of Dict observations: expected a single environment of them"):
        AttackObservation(env, attacker)


def test_what_shows_nothing_is_refused():
    with pytest.raises(InvalidInput, match="expected a space, or an environment that shows it, got str"):
        Attacker(make_attack("noise", Budget(eps=0.1, space="raw")), signs(), "CartPole-v1")
