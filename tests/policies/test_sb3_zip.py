import base64
import hashlib
import io
import json
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from rlattack.errors import RefusedFile
from rlattack.policies.base import ModulePolicy
from rlattack.policies.sb3_zip import load_sb3_zip


def observations(model, n: int = 5) -> np.ndarray:
    space = model.observation_space
    draw = np.random.default_rng(0)
    if space.dtype == np.uint8:
        return draw.integers(0, 256, (n, *space.shape), dtype=np.uint8)
    return draw.normal(size=(n, *space.shape)).astype(np.float32)


@torch.no_grad()
def expected(model, obs: np.ndarray) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Scores and values by Stable-Baselines3's own methods."""
    policy = model.policy
    policy.set_training_mode(False)
    tensor, _ = policy.obs_to_tensor(obs)
    if hasattr(policy, "quantile_net"):
        return policy.quantile_net(tensor).mean(dim=1), None
    if hasattr(policy, "q_net"):
        return policy.q_net(tensor), None
    features = policy.extract_features(tensor)
    actor, critic = features if isinstance(features, tuple) else (features, features)
    scores = policy.action_net(policy.mlp_extractor.forward_actor(actor))
    return scores, policy.value_net(policy.mlp_extractor.forward_critic(critic)).squeeze(1)


def check_equal(model, path) -> None:
    found = load_sb3_zip(path)
    policy = ModulePolicy.of(found.network)
    obs = observations(model)
    scores, values = expected(model, obs)
    out = policy(torch.as_tensor(obs).float())
    assert out.scores.equal(scores)
    assert values is None or out.values.equal(values)
    assert out.greedy.tolist() == model.predict(obs, deterministic=True)[0].tolist()
    assert (policy.observation, policy.actions) == (model.observation_space.shape, model.action_space.n)


@pytest.fixture
def saved(tmp_path):
    def save(model):
        path = tmp_path / "model.zip"
        model.save(path)
        return path

    return save


@pytest.mark.parametrize("kind", ["cnn", "mlp"])
@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "dqn", "qrdqn"])
def test_outputs_are_those_of_the_model(make_model, saved, algorithm, kind):
    model = make_model(algorithm, kind)
    path = saved(model)
    check_equal(model, path)
    assert load_sb3_zip(path).algorithm == algorithm


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
    assert load_sb3_zip(saved(model)).network.spec.observation == (3, 84, 80)


@pytest.mark.parametrize("shape", [(128,), (3, 5), (4, 6, 6)])
def test_bytes_that_an_mlp_sees_are_read(make_model, make_screen, saved, shape):
    model = make_model("dqn", "mlp", make_screen(shape), net_arch=[8])
    check_equal(model, saved(model))


def edited(path, change=None, tensors=None, drop=(), members=None):
    """Rewrites a zip: `change` gets its data, `tensors` its state dict."""
    with zipfile.ZipFile(path) as file:
        content = {name: file.read(name) for name in file.namelist()}
    data = json.loads(content["data"])
    if change is not None:
        change(data)
    content["data"] = json.dumps(data).encode()
    if tensors is not None:
        state = torch.load(io.BytesIO(content["policy.pth"]), weights_only=True)
        tensors(state)
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content["policy.pth"] = buffer.getvalue()
    content |= members or {}
    with zipfile.ZipFile(path, "w") as file:
        for name, raw in content.items():
            if name not in drop:
                file.writestr(name, raw)
    return path


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
    assert load_sb3_zip(path).version == ""


def test_version_and_digest_are_kept(make_model, saved):
    import stable_baselines3

    path = saved(make_model("ppo"))
    found = load_sb3_zip(path)
    assert found.version == stable_baselines3.__version__
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def setting(**values):
    return lambda data: data["policy_kwargs"].update(values)


def space(name, **values):
    return lambda data: data[name].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting(features_extractor_class="<class 'mine.Extractor'>"), "features extractor .*mine.Extractor.*--trust"),
        (setting(activation_fn="<class 'torch.nn.modules.activation.ELU'>"), "activation .*ELU.*--trust"),
        (setting(normalizer="something"), "unknown policy keyword 'normalizer'"),
        (setting(squash_output=True), "squashed outputs"),
        (lambda data: data.update(use_sde=True), "state-dependent exploration"),
        (lambda data: data["policy_class"].update(__module__="mine"), "policy of 'mine' .*--trust"),
        (lambda data: data.pop("policy_class"), "policy of"),
        (lambda data: data.update(policy_kwargs="{}"), "policy_kwargs is not a table"),
        (lambda data: data.update(policy_class=3), "policy_class is not a table"),
        (space("observation_space", **{":type:": "<class 'gymnasium.spaces.dict.Dict'>"}), "observations of Dict"),
        (space("observation_space", **{":type:": "<class 'evil.Box'>"}), "observations of .*evil"),
        (space("observation_space", _shape="__import__('os')"), "observations of shape"),
        (space("observation_space", _shape=[-4]), "a side of the observation: expected a whole number"),
        (space("observation_space", _shape=[4.0]), "a side of the observation: expected a whole number"),
        (space("observation_space", _shape=[5]), "expected shape"),
        (space("action_space", **{":type:": "<class 'gymnasium.spaces.box.Box'>"}), "actions of Box"),
        (space("action_space", n="3"), "the action space has 3 actions, the network 2"),
        (space("action_space", n="two"), "the number of actions: expected a whole number"),
        (space("action_space", n=True), "the number of actions: expected a whole number"),
        (space("action_space", start="1"), "actions counted from 1"),
    ],
)
def test_what_the_readable_part_does_not_describe_is_refused(make_model, saved, change, message):
    path = edited(saved(make_model("ppo")), change)
    with pytest.raises(RefusedFile, match=message):
        load_sb3_zip(path)


def test_images_of_other_bounds_are_refused(make_model, make_screen, saved):
    model = make_model("dqn", "mlp", make_screen((4, 6, 6), high=15), net_arch=[8])
    with pytest.raises(RefusedFile, match="bounds are not 0 and 255"):
        load_sb3_zip(saved(model))


@pytest.mark.parametrize("strides", [[[8, 8]], "x", [[8, 8, 0]]])
def test_wrong_strides_are_refused(make_model, saved, strides):
    change = setting(
        features_extractor_class="<class 'rlattack.training.extractor.ConvolutionalExtractor'>",
        features_extractor_kwargs={"convolutions": strides},
    )
    with pytest.raises(RefusedFile, match=r"convolutions|a stride"):
        load_sb3_zip(edited(saved(make_model("ppo")), change))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (lambda s: s.update({"mlp_extractor.shared_net.0.weight": torch.ones(2, 2)}), "shared_net"),
        (lambda s: s.update(log_std=torch.ones(2)), "log_std"),
        (lambda s: s.update({"mlp_extractor.policy_net.1.weight": torch.ones(2)}), "is no tensor of a PPO"),
        (lambda s: s.update({"extra.0.weight": torch.ones(2, 2)}), "tensors that no PPO"),
        (lambda s: s.update({"features_extractor.mine.0.weight": torch.ones(2, 2)}), "not Stable-Baselines3's own"),
        (lambda s: s.update({"features_extractor.cnn.0.weight": torch.ones(2, 4, 3, 3)}), "convolutions need"),
        (lambda s: s.pop("action_net.bias"), "expected the tensors of a PPO"),
        (lambda s: s["action_net.bias"].fill_(float("nan")), "actor.4.bias holds values that are not finite"),
        (lambda s: s.update({"action_net.bias": torch.ones(10**6)}), "expected shape"),
    ],
)
def test_tensors_of_another_network_are_refused(make_model, saved, tensors, message):
    with pytest.raises(RefusedFile, match=message):
        load_sb3_zip(edited(saved(make_model("ppo")), tensors=tensors))


def test_recurrent_policy_is_refused_with_the_way_round(make_model, saved):
    with pytest.raises(RefusedFile, match=r"recurrent-ppo.*--trust"):
        load_sb3_zip(saved(make_model("recurrent-ppo")))


def test_continuous_actions_are_refused(saved):
    from stable_baselines3 import PPO, SAC

    with pytest.raises(RefusedFile, match="actions of Box"):
        load_sb3_zip(saved(PPO("MlpPolicy", "Pendulum-v1", n_steps=8, batch_size=8, device="cpu")))
    with pytest.raises(RefusedFile, match=r"policy of 'stable_baselines3.sac.policies' \(unknown\)"):
        load_sb3_zip(saved(SAC("MlpPolicy", "Pendulum-v1", buffer_size=10, device="cpu")))


def test_no_pickle_in_the_data_is_loaded(make_model, saved, payload, mark):
    def poison(data) -> None:
        for value in data.values():
            if isinstance(value, dict) and ":serialized:" in value:
                value[":serialized:"] = base64.b64encode(payload).decode()

    model = make_model("ppo")
    check_equal(model, edited(saved(model), poison))


@pytest.mark.parametrize("member", ["policy.optimizer.pth", "pytorch_variables.pth", "system_info.txt"])
def test_other_members_are_not_even_read(make_model, saved, payload, mark, member):
    model = make_model("ppo")
    check_equal(model, edited(saved(model), members={member: payload}))


def test_payload_in_the_weights_does_not_run(make_model, saved, payload, mark):
    with pytest.raises(RefusedFile, match=r"policy.pth: damaged, or more than tensors"):
        load_sb3_zip(edited(saved(make_model("ppo")), members={"policy.pth": payload}))


def test_member_that_points_outside_is_refused(make_model, saved):
    with pytest.raises(RefusedFile, match="points outside the zip"):
        load_sb3_zip(edited(saved(make_model("ppo")), members={"../../policy.pth": b""}))


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"a": ' + b"9" * 10_000 + b"}"])
def test_damaged_data_is_refused(make_model, saved, data):
    with pytest.raises(RefusedFile, match="no Stable-Baselines3 zip"):
        load_sb3_zip(edited(saved(make_model("ppo")), members={"data": data}))


@pytest.mark.parametrize("member", ["data", "policy.pth"])
def test_missing_member_is_named(make_model, saved, member):
    with pytest.raises(RefusedFile, match=f"expected a member '{member}'"):
        load_sb3_zip(edited(saved(make_model("ppo")), drop=(member,)))


def test_truncated_zip_is_refused(make_model, saved):
    path = saved(make_model("ppo"))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RefusedFile, match="truncated"):
        load_sb3_zip(path)
