import hashlib

import gymnasium
import numpy as np
import pytest
import torch
from sb3_zips import check_equal, edited
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack
from torch import nn

from rlattack.games import find_game, make_game, with_variant
from rlattack.policies import load_agent
from rlattack.policies.sb3_zip import load_sb3_zip


@pytest.mark.parametrize("kind", ["cnn", "mlp"])
@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "dqn", "qrdqn"])
def test_outputs_are_those_of_the_model(make_model, saved, algorithm, kind):
    model = make_model(algorithm, kind)
    path = saved(model)
    check_equal(model, path)
    assert load_sb3_zip(path)[0].algorithm == algorithm


@pytest.mark.parametrize(
    ("algorithm", "kind", "settings"),
    [
        ("ppo", "cnn", {"share_features_extractor": False, "features_extractor_kwargs": {"features_dim": 32}}),
        ("ppo", "cnn", {"net_arch": {"pi": [16, 8], "vf": [12]}, "activation_fn": nn.ReLU}),
        ("ppo", "mlp", {"net_arch": [], "ortho_init": False}),
        ("a2c", "mlp", {"net_arch": {"vf": [8]}, "activation_fn": nn.Tanh}),
        ("dqn", "mlp", {"net_arch": [], "activation_fn": nn.Tanh}),
        ("qrdqn", "mlp", {"net_arch": [16], "n_quantiles": 7}),
        ("trpo", "mlp", {}),
    ],
)
def test_settings_of_the_policy_are_kept(make_model, saved, algorithm, kind, settings):
    model = make_model(algorithm, kind, **settings)
    check_equal(model, saved(model))


def test_a_zip_of_stacked_numbers_plays_as_in_vecframestack(make_model, saved):
    stacked = VecFrameStack(DummyVecEnv([lambda: gymnasium.make("CartPole-v1")]), 4)
    model = make_model("ppo", env=stacked)
    game = make_game(with_variant(find_game("gymnasium/CartPole-v1"), options={"stack": 4}), 1)
    policy = load_agent(str(saved(model)), game.seats[0], game="gymnasium/CartPole-v1").policy
    stacked.seed(7)
    theirs, over = stacked.reset(), False
    (view,) = game.reset(np.ones(1, dtype=np.bool_), np.asarray([7]))
    while not over:
        assert view.obs.tolist() == theirs.tolist()
        own = policy(torch.from_numpy(view.obs)).actions.greedy.numpy()
        wanted, _ = model.predict(theirs, deterministic=True)
        assert own.tolist() == wanted.tolist()
        theirs, _, (over,), _ = stacked.step(wanted)
        step = game.step([own])
        (view,) = step.views
    assert step.terminated.tolist() == [True]


def test_model_that_has_learned_is_read(make_model, saved):
    model = make_model("ppo")
    model.learn(16)
    check_equal(model, saved(model))


@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_our_own_features_extractor_is_read(make_model, saved, algorithm):
    from rlattack.training.extractor import ConvolutionalExtractor

    layers = {"convolutions": ((8, 8, 4), (8, 4, 3)), "hidden": (16,)}
    settings = {"features_extractor_class": ConvolutionalExtractor, "features_extractor_kwargs": layers}
    model = make_model(algorithm, "cnn", **settings)
    for module in model.policy.modules():
        if isinstance(module, ConvolutionalExtractor):
            module._fast = False
    check_equal(model, saved(model))


@pytest.mark.parametrize("normalize", [True, False])
def test_images_are_scaled_as_the_model_does(make_model, make_screen, saved, normalize):
    env = make_screen((3, 36, 36), 1 if not normalize else 255, np.float32 if not normalize else np.uint8)
    model = make_model("ppo", "cnn", env, normalize_images=normalize, features_extractor_kwargs={"features_dim": 8})
    check_equal(model, saved(model))


def test_channels_last_are_read_as_the_model_stored_them(make_model, make_screen, saved):
    model = make_model("dqn", "cnn", make_screen((84, 80, 3)), features_extractor_kwargs={"features_dim": 8})
    check_equal(model, saved(model))
    assert load_sb3_zip(saved(model))[0].network.observation == (3, 84, 80)


@pytest.mark.parametrize("shape", [(128,), (3, 5), (4, 6, 6)])
def test_bytes_that_an_mlp_sees_are_read(make_model, make_screen, saved, shape):
    model = make_model("dqn", "mlp", make_screen(shape), net_arch=[8])
    check_equal(model, saved(model))


def as_before_gymnasium(data) -> None:
    """What Stable-Baselines3 1.0 with gym 0.17 wrote."""
    for space in ("observation_space", "action_space"):
        table = data[space]
        table[":type:"] = table[":type:"].replace("gymnasium", "gym")
        table["shape"] = table.pop("_shape")
    data["action_space"]["n"] = int(data["action_space"]["n"])
    del data["action_space"]["start"]
    data["observation_space"].pop("low_repr")
    data["observation_space"].pop("high_repr")


def without_copies(state) -> None:
    for name in [name for name in state if name.startswith(("pi_", "vf_"))]:
        del state[name]


@pytest.mark.parametrize(("algorithm", "kind"), [("ppo", "cnn"), ("a2c", "mlp"), ("dqn", "mlp"), ("qrdqn", "mlp")])
def test_zip_of_an_old_version_is_read(make_model, saved, algorithm, kind):
    model = make_model(algorithm, kind)
    path = edited(saved(model), as_before_gymnasium, without_copies, drop=("_stable_baselines3_version",))
    check_equal(model, path)
    assert "stable-baselines3" not in load_sb3_zip(path)[0].provenance


def test_version_and_digest_are_kept(make_model, saved):
    import stable_baselines3

    path = saved(make_model("ppo"))
    provenance = load_sb3_zip(path)[0].provenance
    assert provenance["stable-baselines3"] == stable_baselines3.__version__
    assert provenance["file_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
