"""What is said where an agent of a Dict does not fit a game, or cannot be read."""

import base64
import pickle

import pytest
import torch
from gymnasium.spaces import Box, Dict, MultiBinary, Text
from sb3_zips import edited
from test_sb3_dict import DONE, NUMBERS, PICTURE, Several, learner

from rlattack.errors import ContentError, InvalidInput, RefusedFile
from rlattack.games.card import GymnasiumOptions
from rlattack.games.game import PLAYER, Seat
from rlattack.games.gymnasium_spaces import Sight
from rlattack.policies import load_agent
from rlattack.policies.folder import build
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.sb3_zip import load_sb3_zip


def odd(n):
    """A space of a size that is none."""
    made = MultiBinary(2)
    made.n = n
    return made


@pytest.fixture
def path(tmp_path):
    learner("ppo", Several(NUMBERS)).save(tmp_path / "model.zip")
    return tmp_path / "model.zip"


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"vec": NUMBERS["vec"]}, "sees the key 'bits', this game shows vec"),
        (NUMBERS | {"vec": Box(-1, 1, (6,))}, r"sees 'vec' of shape \(5,\), this game shows \(6,\)"),
        (NUMBERS | {"grid": Box(-1, 1, (3, 2))}, r"sees 'grid' of shape \(2, 3\), this game shows \(3, 2\)"),
    ],
)
def test_refused_by_a_game_of_other_keys(path, space, message):
    sight = Sight(Dict(space), GymnasiumOptions())
    with pytest.raises(InvalidInput, match=message):
        load_agent(str(path), Seat(PLAYER, sight.space, DONE, parts=sight.parts))


def test_refused_by_a_game_of_one_array(path):
    with pytest.raises(InvalidInput, match=r"sees \(16,\) and acts by 2 numbers; the game shows \(4,\)"):
        load_agent(str(path), Seat(PLAYER, Box(-1, 1, (4,)), DONE))


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (Dict(a=Text(3)), "key 'a' of Text; boxes and choices are read.*--trust"),
        (Dict(a=Box(-1, 1, (1,) * 5)), "key 'a' of shape"),
        (Dict(), "a Dict whose keys cannot be read"),
        (Dict(a=odd((0, 3))), "choices of 'a': expected a whole number above 0, got 0"),
        (Dict(a=odd(("x",))), "choices of 'a': expected a whole number above 0, got 'x'"),
        (Dict(a=odd(None)), "a: expected an array of numbers, got NoneType"),
    ],
)
def test_refused_by_keys_that_are_no_numbers(path, space, message):
    text = base64.b64encode(pickle.dumps(space)).decode()
    edited(path, lambda data: data["observation_space"].update({":serialized:": text}))
    with pytest.raises(RefusedFile, match=message):
        load_sb3_zip(path)


@pytest.mark.parametrize("text", [None, "?", ""])
def test_refused_by_keys_that_are_damaged(path, text):
    edited(path, lambda data: data["observation_space"].update({":serialized:": text}))
    with pytest.raises(RefusedFile, match="observation_space"):
        load_sb3_zip(path)


def test_refused_by_a_network_of_other_keys(path):
    """One that was taken for smaller than it is."""

    text = base64.b64encode(pickle.dumps(Dict(NUMBERS | {"vec": Box(-1, 1, (4,))}))).decode()
    edited(path, lambda data: data["observation_space"].update({":serialized:": text}))
    with pytest.raises(RefusedFile, match=r"expected shape \(8, 15\), got \(8, 16\)"):
        load_sb3_zip(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keys": ("a", "a")}, "expected a name, a shape and features for each key"),
        ({"shapes": ((2,), (2,))}, "expected keys of 3 entries, got shapes"),
        ({"pictures": (0, 4)}, r"expected pictures \(channels, height, width\), got \[\(1,\)\]"),
        ({"raw": ("c",)}, "expected raw keys of a, b, got c"),
        ({"keys": ()}, "are of keys, and there are none"),
        ({"shapes": ((2,), (1, 8, 8)), "observation": (66,), "pictures": (0, 4)}, "too small for a NatureCNN"),
    ],
)
def test_refused_by_a_card_that_contradicts_itself(change, message):
    whole = {"keys": ("a", "b"), "shapes": ((2,), (1,)), "pictures": (0, 0), "observation": (3,), "actions": 2}
    with pytest.raises(ContentError, match=message):
        build(GaussianSpec(**whole | change), {}, "here")


@pytest.mark.parametrize("tensor", [torch.zeros(()), torch.zeros(3, 3)])
@pytest.mark.parametrize("name", ["linear.0.bias", "cnn.0.weight"])
def test_refused_by_tensors_of_no_picture(tmp_path, name, tensor):
    model = learner("ppo", Several(NUMBERS | PICTURE), features_extractor_kwargs={"cnn_output_dim": 8})
    model.save(tmp_path / "model.zip")
    changed = f"pi_features_extractor.extractors.pic.{name}"
    path = edited(tmp_path / "model.zip", tensors=lambda state: state.update({changed: tensor}))
    with pytest.raises(RefusedFile, match="expected"):
        load_sb3_zip(path)


@pytest.mark.parametrize("change", [{"critic.weight": torch.zeros(3, 3)}, {"critic.weight": torch.zeros(())}])
def test_refused_by_a_critic_that_does_not_fit(tmp_path, change):
    model = learner("recurrent-ppo", Several(NUMBERS), enable_critic_lstm=False)
    model.save(tmp_path / "model.zip")
    path = edited(tmp_path / "model.zip", tensors=lambda state: state.update(change))
    with pytest.raises(RefusedFile, match=r"critic.weight|expected shape"):
        load_sb3_zip(path)
