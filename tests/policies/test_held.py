"""What a file is taken for, and what is said of one that is nothing."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

from rlattack.cli.main import main
from rlattack.errors import RefusedFile
from rlattack.policies.held import Held
from rlattack.policies.importer import IMPORTERS, guess, import_agent
from rlattack.policies.load import load_agent
from tests.kit.model_files import write_model


def test_every_kind_says_what_it_reads():
    for kind in IMPORTERS:
        assert len(IMPORTERS.get(kind).reads) > 10


def test_a_zip_is_taken_for_one_of_stable_baselines3(make_model, tmp_path):
    make_model("ppo").save(tmp_path / "x.zip")
    assert guess(str(tmp_path / "x.zip")) == "sb3"


def test_the_pickle_of_an_array_is_taken_for_the_zoo_of_2018(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(np.zeros(5, np.float32)))
    assert guess(str(tmp_path / "x.pkl")) == guess("you-shall-not-pass/runner-v1") == "bansal"


@pytest.mark.parametrize("prefix", ["base.", ""])
def test_atari_networks_are_told_by_their_names(tmp_path, prefix):
    names = [f"{prefix}main.{number}" for number in (0, 2, 4, 7)] + [f"{prefix}critic_linear", "dist.linear"]
    torch.save(OrderedDict({f"{name}.weight": torch.ones(1, 1) for name in names}), tmp_path / "x.pt")
    assert guess(str(tmp_path / "x.pt")) == "a2c-ppo-acktr"


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (
            {"encoder.weight": torch.ones(2, 2)},
            r"tensors of no network that is known: encoder\.weight; name a module:f",
        ),
        ({str(n): torch.ones(1) for n in range(9)}, r"known: 0, 1, 2, 3, 4, 5, \.\.\.; name"),
        ({"iteration": 3, "advmask": torch.ones(4)}, r"x\.pt: iteration: expected a tensor of floats"),
        ([1, 2], r"x\.pt: a file of torch without the tensors of an agent: it holds list"),
        (torch.nn.Linear(2, 2), "known: weight, bias; name a module.*or --trust, which runs the code of the module"),
    ],
)
def test_what_is_no_agent_says_why(tmp_path, thing, message):
    torch.save(thing, tmp_path / "x.pt")
    for load in (guess, load_agent):
        with pytest.raises(RefusedFile, match=message):
            load(str(tmp_path / "x.pt"))


def test_what_is_no_file_says_so(tmp_path):
    for place, message in ((tmp_path, "expected a file, this is a folder"), (tmp_path / "x", "there is none")):
        with pytest.raises(RefusedFile, match=message):
            guess(str(place))
        with pytest.raises(RefusedFile, match=message):
            import_agent("sb3", place, "mine")


def test_another_zip_says_what_it_holds(make_zip):
    with pytest.raises(RefusedFile, match=r"no zip of Stable-Baselines3: it holds a\.txt, b\.txt"):
        guess(str(make_zip({"a.txt": b"", "b.txt": b""})))


def test_trust_helps_where_it_is_advised(tmp_path):
    from gymnasium.spaces import Box, Discrete

    from rlattack.games.game import PLAYER, Seat

    torch.save(torch.nn.Linear(2, 3), tmp_path / "x.pt")
    seat = Seat(PLAYER, Box(-1, 1, (2,)), Discrete(3))
    assert load_agent(str(tmp_path / "x.pt"), seat, trust=True).policy.action.n == 3


def test_the_command_line_says_what_a_file_was_taken_for(tmp_path, workplace, capsys):
    write_model(tmp_path / "x.model", 11, 3)
    assert main(["import", "auto", str(tmp_path / "x.model"), "--agent", "mujoco/hopper/mine"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "taken for a .model of SA-PPO's family" in said
    assert "can now be named as mujoco/hopper/mine" in said
    assert load_agent("mujoco/hopper/mine").card.game == "mujoco/hopper"


def test_statistics_go_into_the_agent_folder(make_model, tmp_path, workplace):
    from stable_baselines3.common.vec_env import VecNormalize

    model = make_model("ppo")
    env = VecNormalize(model.get_env())
    env.obs_rms.mean, env.obs_rms.var = np.arange(4.0), np.full(4, 4.0)
    env.save(tmp_path / "statistics.pkl")
    model.save(tmp_path / "x.zip")
    command = ["import", "sb3", str(tmp_path / "x.zip"), "--agent", "gymnasium/CartPole-v1/mine"]
    assert main([*command, "--normaliser", str(tmp_path / "statistics.pkl")]) == 0
    assert load_agent("gymnasium/CartPole-v1/mine").policy.normaliser.mean.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_an_agent_folder_is_given_statistics_once(make_agent, vector, tmp_path):
    from gymnasium.wrappers.utils import RunningMeanStd

    rms = RunningMeanStd(shape=(4,))
    rms.update(np.random.default_rng(0).normal(2.0, 3.0, size=(50, 4)))
    statistics = tmp_path / "statistics.pkl"
    statistics.write_bytes(pickle.dumps(rms))
    make_agent("gymnasium/CartPole-v1/mine", vector, "gymnasium/CartPole-v1")
    assert load_agent("gymnasium/CartPole-v1/mine", normaliser=str(statistics)).policy.normaliser.clip == 10.0
    write_model(tmp_path / "x.model", 11, 3)
    import_agent("auto", tmp_path / "x.model", "mujoco/hopper/mine")
    with pytest.raises(RefusedFile, match="has statistics of its own; leave out --normaliser"):
        load_agent("mujoco/hopper/mine", normaliser=str(statistics))


def test_pictures_behind_statistics_are_refused(make_agent, pixels, tmp_path):
    from gymnasium.wrappers.utils import RunningMeanStd

    rms = RunningMeanStd(shape=(4, 84, 84))
    rms.update(np.random.default_rng(0).normal(size=(3, 4, 84, 84)))
    (tmp_path / "statistics.pkl").write_bytes(pickle.dumps(rms))
    make_agent("atari/pong/mine", pixels)
    with pytest.raises(RefusedFile, match="statistics of pictures, or of layers shared by actor and critic, are not"):
        load_agent("atari/pong/mine", normaliser=str(tmp_path / "statistics.pkl"))


def test_an_empty_file_is_called_so(tmp_path):
    path = tmp_path / "victim.model"
    path.touch()
    assert Held(str(path)).refusal == f"{path}: an empty file"
