"""What is refused of Stable-Baselines3 zips, and that no pickle in them is loaded."""

import base64

import pytest
import torch
from sb3_zips import check_equal, edited

from rlattack.errors import RefusedFile
from rlattack.policies.sb3_zip import load_sb3_zip


def setting(**values):
    return lambda data: data["policy_kwargs"].update(values)


def space(name, **values):
    return lambda data: data[name].update(values)


def multi(**values):
    return space("action_space", **{":type:": "<class 'gymnasium.spaces.multi_discrete.MultiDiscrete'>"}, **values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting(features_extractor_class="<class 'mine.Extractor'>"), "features extractor .*mine.Extractor.*--trust"),
        (setting(activation_fn="<class 'torch.nn.modules.activation.ELU'>"), "activation .*ELU.*--trust"),
        (setting(normalizer="something"), "unknown policy keyword 'normalizer'"),
        (setting(mine=1, yours=2), "unknown policy keywords 'mine', 'yours'; --trust loads it"),
        (lambda data: data["policy_class"].update(__module__="mine"), "policy of 'mine' .*--trust"),
        (lambda data: data.pop("policy_class"), "policy of"),
        (lambda data: data.update(policy_kwargs="{}"), "policy_kwargs is not a table"),
        (lambda data: data.update(policy_class=3), "policy_class is not a table"),
        (space("observation_space", **{":type:": "<class 'gymnasium.spaces.tuple.Tuple'>"}), "observations of Tuple"),
        (space("observation_space", **{":type:": "<class 'evil.Box'>"}), "observations of .*evil"),
        (space("observation_space", _shape="__import__('os')"), "observations of shape"),
        (space("observation_space", _shape=[-4]), "a side of the observation: expected a whole number"),
        (space("observation_space", _shape=[4.0]), "a side of the observation: expected a whole number"),
        (space("observation_space", _shape=[5]), "expected shape"),
        (space("action_space", **{":type:": "<class 'gymnasium.spaces.tuple.Tuple'>"}), "actions of Tuple; discrete"),
        (space("action_space", **{":type:": "<class 'gymnasium.spaces.box.Box'>"}, _shape=[2, 2]), "actions of shape"),
        (multi(nvec="[[2 3]]"), r"actions of MultiDiscrete \[\[2 3\]\]; those of one axis"),
        (multi(nvec="[2 0]"), "the number of actions: expected a whole number above 0"),
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


def test_a_memory_of_several_layers_is_refused_with_the_way_round(make_model, saved):
    with pytest.raises(RefusedFile, match=r"an LSTM of several layers; --trust loads it"):
        load_sb3_zip(saved(make_model("recurrent-ppo", n_lstm_layers=2)))


def test_continuous_actions_behind_pictures_are_refused_with_the_way_round(make_screen, saved):
    from gymnasium.spaces import Box
    from stable_baselines3 import PPO

    env = make_screen((3, 36, 36))
    env.action_space = Box(-1, 1, (2,))
    with pytest.raises(RefusedFile, match=r"observations of shape \(3, 36, 36\).*those of one axis are read; --trust"):
        load_sb3_zip(saved(PPO("CnnPolicy", env, n_steps=8, batch_size=8, device="cpu")))


@pytest.mark.parametrize("clip", ["-1", "nan", "text"])
def test_a_wrong_clip_of_means_is_refused(saved, clip):
    from stable_baselines3 import SAC

    model = SAC("MlpPolicy", "Pendulum-v1", use_sde=True, buffer_size=10, device="cpu")
    with pytest.raises(RefusedFile, match="clip_mean: expected a number of 0 or more"):
        load_sb3_zip(edited(saved(model), setting(clip_mean=clip)))


def test_damage_is_not_met_with_advice_to_trust(make_model, saved):
    """It would not help: Stable-Baselines3 cannot load it either."""
    for tensors in (lambda s: s.pop("action_net.bias"), lambda s: s["action_net.bias"].fill_(float("nan"))):
        with pytest.raises(RefusedFile) as caught:
            load_sb3_zip(edited(saved(make_model("ppo")), tensors=tensors))
        assert "--trust" not in str(caught.value)


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
