"""Agents that see a Dict, beside Stable-Baselines3's own play of them: zips, live models, statistics by key."""

import base64
import io
import pickle
import zipfile

import gymnasium
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete
from sb3_zips import edited
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from rlattack.errors import RefusedFile
from rlattack.games.card import GymnasiumOptions
from rlattack.games.game import PLAYER, Seat
from rlattack.games.gymnasium_spaces import Sight
from rlattack.policies import from_sb3, load_agent
from rlattack.policies.folder import read_agent
from rlattack.policies.importer import import_agent
from rlattack.policies.policy import Normaliser, judged
from rlattack.policies.statistics import read_statistics

DONE, CHOICE, SEVERAL = Box(np.float32([-1, -2]), np.float32([2, 1])), Discrete(4), MultiDiscrete([2, 3])
NUMBERS = {
    "bits": MultiBinary(2), "grid": Box(-1, 1, (2, 3), np.float32), "vec": Box(-1, 1, (5,), np.float32),
    "which": Discrete(3),
}  # fmt: skip
SEVERAL_CHOICES = {"many": MultiDiscrete([2, 3])}  # which sb3-contrib's own recurrent policies cannot see
PICTURE = {"pic": Box(0, 255, (36, 40, 3), np.uint8)}
ON, OFF = {"n_steps": 8, "batch_size": 8}, {"buffer_size": 10}
LEARNERS = {
    "ppo": (stable_baselines3.PPO, ON, (DONE, CHOICE, SEVERAL)), "a2c": (stable_baselines3.A2C, {}, (DONE,)),
    "sac": (stable_baselines3.SAC, OFF, (DONE,)), "td3": (stable_baselines3.TD3, OFF, (DONE,)),
    "ddpg": (stable_baselines3.DDPG, OFF, (DONE,)), "tqc": (sb3_contrib.TQC, OFF, (DONE,)),
    "dqn": (stable_baselines3.DQN, OFF, (CHOICE,)), "qrdqn": (sb3_contrib.QRDQN, OFF, (CHOICE,)),
    "recurrent-ppo": (sb3_contrib.RecurrentPPO, ON, (DONE, CHOICE)),
}  # fmt: skip


class Several(gymnasium.Env):
    """Shows several things at once, drawn at random; three steps an episode."""

    def __init__(self, shown, action=DONE):
        self.observation_space, self.action_space = Dict(shown), action
        self.observation_space.seed(1)

    def reset(self, *, seed=None, options=None):
        self.left = 3
        return self.observation_space.sample(), {}

    def step(self, action):
        self.left -= 1
        return self.observation_space.sample(), 0.0, self.left == 0, False, {}


def learner(name, env, **kwargs):
    """A model none of whose parts is as it began."""
    kind, settings, _ = LEARNERS[name]
    policy = "MultiInputLstmPolicy" if name == "recurrent-ppo" else "MultiInputPolicy"
    small = {"net_arch": [8]} | ({"lstm_hidden_size": 6} if name == "recurrent-ppo" else {})
    model = kind(policy, env, device="cpu", seed=0, policy_kwargs=small | kwargs, **settings)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in model.policy.state_dict().values():
            tensor += 0.05 * torch.randn(tensor.shape, generator=generator)
    return model


def shown_to(env, count=6):
    """Observations as the game's seat shows them, and as the model sees them."""
    drawn = [env.observation_space.sample() for _ in range(count)]
    sight = Sight(env.observation_space, GymnasiumOptions())
    flat = np.stack([sight.fresh(one) for one in drawn]).astype(np.float32)
    batch = {key: np.stack([one[key] for one in drawn]) for key in drawn[0]}
    seat = Seat(PLAYER, sight.space, env.action_space, parts=sight.parts)
    return torch.from_numpy(flat), batch, seat


def first(batch):
    return {key: part.transpose(0, 3, 1, 2) if key == "pic" else part for key, part in batch.items()}


CASES = [
    (name, action, pictures) for name, (_, _, spaces) in LEARNERS.items() for action in spaces
    for pictures in (False, True) if not pictures or name in ("ppo", "sac", "dqn", "recurrent-ppo")
]  # fmt: skip


@pytest.mark.parametrize(("name", "action", "pictures"), CASES)
def test_zips_and_live_models_act_as_stable_baselines3_has_them_act(tmp_path, name, action, pictures):
    looks = {"features_extractor_kwargs": {"cnn_output_dim": 8}} if pictures else {}
    more = {} if name == "recurrent-ppo" else SEVERAL_CHOICES
    env = Several(NUMBERS | more | (PICTURE if pictures else {}), action)
    model = learner(name, env, **looks)
    model.save(tmp_path / "model.zip")
    obs, batch, seat = shown_to(env)
    wanted, _ = model.predict(first(batch), deterministic=True)
    read = load_agent(str(tmp_path / "model.zip"), seat).policy
    held = load_agent(model, seat).policy
    live = judged(load_agent(from_sb3(model), seat).policy)
    for policy in (read, held, live):
        greedy = policy(obs, policy.initial_state(6)).actions.greedy.numpy(force=True)
        greedy = greedy.clip(action.low, action.high) if isinstance(action, Box) else greedy
        np.testing.assert_allclose(greedy, wanted, atol=1e-5)
    slopes = [slope(policy, obs) for policy in (judged(read), live)]
    numbers = [entry for part in seat.parts if part.numbers for entry in range(part.start, part.start + part.entries)]
    torch.testing.assert_close(slopes[0][:, numbers], slopes[1][:, numbers], atol=1e-5, rtol=1e-4)
    assert slopes[0].abs().sum() > 0


def slope(policy, obs):
    """Gradient of the critic's value, after a step where the policy remembers."""
    state = policy(obs, policy.initial_state(len(obs))).state
    point = obs.clone().requires_grad_(True)
    value = policy.value(point, None, state)
    return torch.autograd.grad(value.sum(), point)[0]


@pytest.mark.parametrize("channels", ["as-shown", "first"])
def test_an_agent_of_a_dict_is_imported_and_plays_with_keys_in_another_order(tmp_path, monkeypatch, channels):
    monkeypatch.chdir(tmp_path)
    env = Several(dict(NUMBERS) | PICTURE)
    model = learner("ppo", env, features_extractor_kwargs={"cnn_output_dim": 8})
    model.save("model.zip")
    folder = import_agent("auto", "model.zip", "mine/several", game="gymnasium/CartPole-v1")
    assert read_agent(folder)[0].network.keys == ("bits", "grid", "pic", "vec", "which")
    order = ["which", "pic", "vec", "grid", "bits", "more"]
    space = Dict([(key, (NUMBERS | PICTURE | {"more": DONE})[key]) for key in order], sort_keys=False)
    sight = Sight(space, GymnasiumOptions(channels=channels))
    drawn = [space.sample() for _ in range(4)]
    seat = Seat(PLAYER, sight.space, DONE, parts=sight.parts)
    policy = load_agent(str(folder), seat).policy
    batch = {key: np.stack([one[key] for one in drawn]) for key in order if key != "more"}
    obs = torch.from_numpy(np.stack([sight.fresh(one) for one in drawn]).astype(np.float32))
    wanted, _ = model.predict(first(batch), deterministic=True)
    np.testing.assert_allclose(policy(obs).actions.greedy.numpy().clip(DONE.low, DONE.high), wanted, atol=1e-5)
    assert policy.observation == sight.space.shape
    grad, _ = policy.gradient(obs, lambda out: out.actions.greedy.sum())
    unseen = sight.parts[-1]
    assert not grad[:, unseen.start :].any()
    seen = {key: torch.from_numpy(part) for key, part in first(batch).items()}
    torch.testing.assert_close(policy.value(obs), model.policy.predict_values(seen).squeeze(1), atol=1e-5, rtol=1e-5)
    assert policy.initial_state(2) is None


class TestStatistics:
    """Of a `VecNormalize` that normalises some keys."""

    def trained(self, tmp_path, name="ppo", keys=("vec", "grid"), **kwargs):
        env = VecNormalize(DummyVecEnv([lambda: Several(NUMBERS)]), norm_obs_keys=list(keys), clip_obs=1.5)
        model = learner(name, env, **kwargs)
        model.learn(24)
        model.save(tmp_path / "model.zip")
        env.save(tmp_path / "vecnormalize.pkl")
        return model, str(tmp_path / "model.zip"), env

    def test_a_zip_plays_behind_those_beside_it_and_a_live_model_behind_its_own(self, tmp_path):
        model, path, env = self.trained(tmp_path)
        obs, batch, seat = shown_to(Several(NUMBERS))
        wanted, _ = model.predict(env.normalize_obs(batch), deterministic=True)
        for agent in (path, model):
            policy = load_agent(agent, seat).policy
            got = policy(obs).actions.greedy.numpy().clip(DONE.low, DONE.high)
            np.testing.assert_allclose(got, wanted, atol=1e-5)
            assert policy.normaliser.unit.isnan().tolist() == [part.name in ("bits", "which") for part in seat.parts
                                                               for _ in range(part.entries)]  # fmt: skip

    def test_code_of_others_plays_behind_them(self, tmp_path):
        class Twice(stable_baselines3.common.torch_layers.CombinedExtractor):
            def forward(self, observations):
                return 2 * super().forward(observations)

        model, _, env = self.trained(tmp_path, features_extractor_class=Twice)
        obs, batch, seat = shown_to(Several(NUMBERS))
        wanted, _ = model.predict(env.normalize_obs(batch), deterministic=True)
        got = load_agent(model, seat).policy(obs).actions.greedy.numpy(force=True)
        np.testing.assert_allclose(got.clip(DONE.low, DONE.high), wanted, atol=1e-5)

    def test_they_go_into_an_agent_folder(self, tmp_path, monkeypatch):
        _, path, _ = self.trained(tmp_path)
        monkeypatch.chdir(tmp_path)
        folder = import_agent("sb3", path, "mine/several", game="gymnasium/CartPole-v1")
        obs, _, seat = shown_to(Several(NUMBERS))
        one, two = (load_agent(agent, seat).policy for agent in (path, str(folder)))
        assert one(obs).actions.greedy.equal(two(obs).actions.greedy)
        assert torch.equal(one.normaliser(obs), two.normaliser(obs))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda rms: rms.update(vec=rms["grid"]), r"statistics of 'vec' are of shape \(2, 3\), it sees \(5,\)"),
            (lambda rms: [rms.update(other=rms.pop("vec")), rms.pop("grid")],
             "its statistics are of other, it sees bits, grid, vec, which"),
        ],
    )  # fmt: skip
    def test_statistics_of_other_keys_are_refused(self, tmp_path, change, message):
        _, path, env = self.trained(tmp_path)
        change(env.obs_rms)
        env.save(tmp_path / "vecnormalize.pkl")
        with pytest.raises(RefusedFile, match=message):
            load_agent(path)

    def test_statistics_of_a_dict_are_none_of_one_array(self, tmp_path, make_model):
        self.trained(tmp_path)
        make_model("ppo").save(tmp_path / "other.zip")
        with pytest.raises(RefusedFile, match=r"statistics are of a Dict of \w+, \w+, and it sees one array"):
            load_agent(str(tmp_path / "other.zip"))


def test_old_agents_of_her_see_the_observation_and_then_the_goal(tmp_path):
    """Stable-Baselines3 before 1.1 joined them; the zip tells their sizes by what was seen last."""
    env = Several({"one": Box(-1, 1, (7,), np.float32)}).observation_space["one"]
    model = stable_baselines3.SAC("MlpPolicy", Flat(env), policy_kwargs={"net_arch": [8]}, device="cpu", **OFF)
    model.save(tmp_path / "model.zip")
    last = {"achieved_goal": np.zeros((1, 2)), "desired_goal": np.zeros((1, 2)), "observation": np.zeros((1, 5))}

    told = {":type:": "<class 'dict'>", ":serialized:": base64.b64encode(pickle.dumps(last)).decode()}
    path = edited(tmp_path / "model.zip",
                  lambda data: data.update(goal_selection_strategy="future", _last_obs=told))  # fmt: skip
    space = Dict({key: Box(-1, 1, part.shape[1:], np.float32) for key, part in last.items()})
    sight = Sight(space, GymnasiumOptions())
    policy = load_agent(str(path), Seat(PLAYER, sight.space, DONE, parts=sight.parts)).policy
    obs = torch.rand(4, 9)
    wanted, _ = model.predict(torch.cat([obs[:, 4:], obs[:, 2:4]], dim=1).numpy(), deterministic=True)
    np.testing.assert_allclose(policy(obs).actions.greedy.numpy(), wanted, atol=1e-5)
    told[":serialized:"] = base64.b64encode(pickle.dumps({"state": last["observation"]})).decode()
    edited(path, lambda data: data.update(_last_obs=told))
    with pytest.raises(RefusedFile, match="an agent of HER whose goals cannot be read, got state"):
        load_agent(str(path))


def test_the_published_agent_of_fetchreach_acts_as_its_own_tensors_say(zoo):
    """By Stable-Baselines3's own network of what the statistics make of the observation and then of the goal."""
    path = zoo.parent / "sb3" / "her" / "FetchReach-v1_1" / "FetchReach-v1.zip"
    shapes = {"achieved_goal": (3,), "desired_goal": (3,), "observation": (10,)}
    sight = Sight(Dict({key: Box(-np.inf, np.inf, shape) for key, shape in shapes.items()}), GymnasiumOptions())
    act = Box(-1, 1, (4,), np.float32)
    policy = load_agent(str(path), Seat(PLAYER, sight.space, act, parts=sight.parts)).policy
    env = Flat(Box(-np.inf, np.inf, (13,)))
    env.action_space = act
    model = stable_baselines3.SAC("MlpPolicy", env, device="cpu", **OFF)
    with zipfile.ZipFile(path) as file:
        raw = io.BytesIO(file.read("policy.pth"))
    model.policy.load_state_dict(torch.load(raw, map_location="cpu", weights_only=True))
    obs = policy.normaliser.mean + policy.normaliser.deviation * torch.randn(20, 16)
    rms = read_statistics(path.parent / "vecnormalize.pkl")
    seen = torch.cat([rms["observation"](obs[:, 6:]), rms["desired_goal"](obs[:, 3:6])], dim=1)
    wanted, _ = model.predict(seen.numpy(), deterministic=True)
    np.testing.assert_allclose(policy(obs).actions.greedy.numpy(), wanted, atol=1e-5)
    done = torch.from_numpy(wanted)
    theirs = torch.cat(model.critic(seen, done), dim=1).amin(dim=1)
    torch.testing.assert_close(policy.value(obs, done), theirs, atol=1e-4, rtol=1e-4)


class Flat(Several):
    def __init__(self, space):
        self.observation_space, self.action_space = space, DONE


def test_only_normalised_entries_have_a_unit():
    seen = Normaliser(torch.ones(2), torch.full((2,), 2.0), 3.0, torch.tensor([False, True]))
    assert seen(torch.tensor([[5.0, 50.0]])).tolist() == [[2.0, 50.0]]
    assert seen.unit[0] == 2.0
    assert seen.unit[1].isnan()
