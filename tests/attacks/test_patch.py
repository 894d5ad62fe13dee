"""Patches against a victim that looks at one corner of a picture."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from PIL import Image
from torch import nn

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from rlattack.errors import InvalidInput, RlattackError
from rlattack.policies import ModulePolicy
from tests.attacks.conftest import RandomTuning

SPACE = Box(0, 255, (2, 8, 8), np.uint8)
COLOURS = Box(0, 255, (8, 8, 3), np.uint8)


class Looker(nn.Module):
    """Does action 1 where rows 5 and 6 and columns 1 and 2 are bright on the whole."""

    def __init__(self, colours=False):
        super().__init__()
        self.colours = colours

    def forward(self, obs):
        square = obs[:, 5:7, 1:3] if self.colours else obs[:, :, 5:7, 1:3]
        bright = (square.flatten(1).mean(dim=1) - 200) / 255
        return torch.stack([-bright, bright], dim=1)


def shown(space=SPACE, n=4, seed=0):
    return torch.randint(0, 180, (n, *space.shape), generator=torch.Generator().manual_seed(seed)).float()


def learned(name="patch", side=2, space=SPACE, **parameters):
    policy = ModulePolicy(Looker(space is COLOURS), space.shape, 2)
    attack = make_attack(name, Budget(norm="patch", eps=side), states=8, **parameters)
    attacker = Attacker(attack, policy, space, 4)
    attack.learned = attack.fit(RandomTuning(attacker, policy, [shown(space, seed=seed) for seed in range(2)]))
    attacker.restart(np.arange(4), [np.random.SeedSequence(seed) for seed in range(4)])
    return attacker, policy


@pytest.mark.parametrize("space", [SPACE, COLOURS])
def test_a_patch_is_found_where_the_victim_looks_and_turns_what_it_does(space):
    attacker, policy = learned(space=space)
    assert {name: attacker.attack.learned.facts[name] for name in ("row", "column")} == {"row": 5, "column": 1}
    obs = shown(space, seed=9)
    received = attacker(obs)
    assert policy(obs).actions.greedy.tolist() == [0] * 4
    assert policy(received).actions.greedy.tolist() == [1] * 4
    assert attacker.reach.measure(received, obs).values[:, 0].tolist() == [2.0] * 4


def test_a_patch_is_the_same_in_every_step_and_frame():
    attacker, _ = learned()
    first, second = attacker(shown(seed=1)), attacker(shown(seed=2))
    assert torch.equal(first[:, :, 5:7, 1:3], second[:, :, 5:7, 1:3])
    assert torch.equal(first[:, 0, 5:7, 1:3], first[:, 1, 5:7, 1:3])
    assert attacker.oracle.queries.sum() == attacker.oracle.gradients.sum() == 0


@pytest.mark.parametrize(
    ("parameters", "place"),
    [({"place": "corner"}, (0, 0)), ({"place": "centre"}, (3, 3)), ({"row": 4, "column": 2}, (4, 2))],
)
def test_a_patch_is_where_it_is_asked_for(parameters, place):
    attacker, _ = learned(**parameters)
    row, column = place
    obs = shown(seed=1)
    changed = (attacker(obs) != obs).any(dim=1)
    changed[:, row : row + 2, column : column + 2] = False
    assert not changed.any()


def test_the_control_is_noise_at_the_same_place():
    attacker, policy = learned("random-patch")
    assert {name: attacker.attack.learned.facts[name] for name in ("row", "column")} == {"row": 5, "column": 1}
    obs = shown(seed=1)
    received = attacker(obs)
    assert attacker.reach.measure(received, obs).values[:, 0].tolist() == [2.0] * 4
    assert policy(received).actions.greedy.tolist() == [0] * 4
    assert str(type(attacker.attack).control_of({"place": "corner"})) == "random-patch:place=corner"


def test_a_patch_that_learned_to_be_shifted_works_beside_its_place():
    attacker, policy = learned(side=4, shift=1, row=4, column=0, epochs=20)
    values = attacker.attack.learned.tensors["values"]
    obs = shown(seed=3)
    obs[:, :, 3:7, 0:4] = values
    assert policy(obs).actions.greedy.tolist() == [1] * 4


class Bright(nn.Module):
    """Does action 1 where the picture is bright on the whole."""

    def forward(self, obs):
        bright = obs.flatten(1).mean(dim=1) - 128
        return torch.stack([-bright, bright], dim=1)


def sticker(name="sticker", space=SPACE, side=4, **parameters):
    """One that has learned on a victim that looks at all places alike, in four episodes."""
    policy = ModulePolicy(Bright(), space.shape, 2)
    attack = make_attack(name, Budget(norm="patch", eps=side), states=40, epochs=10, **parameters)
    attacker = Attacker(attack, policy, space, 4)
    attack.learned = attack.fit(RandomTuning(attacker, policy, [shown(space, seed=seed) for seed in range(2)]))
    attacker.restart(np.arange(4), [np.random.SeedSequence(seed) for seed in range(4)])
    return attacker


def places(attacker, obs):
    """The rows and columns of what was covered in each slot, and where they begin."""
    changed = attacker(obs) != obs
    changed = changed.any(dim=3 if attacker.space is COLOURS else 1)
    return [(int(one.any(dim=1).nonzero()[0]), int(one.any(dim=0).nonzero()[0]), int(one.sum())) for one in changed]


@pytest.mark.parametrize("space", [SPACE, COLOURS])
def test_a_sticker_is_a_disc_somewhere_else_in_every_episode_and_stays_there(space):
    attacker = sticker(space=space)
    obs = shown(space, seed=9)
    first = places(attacker, obs)
    assert first == places(attacker, shown(space, seed=3))
    assert {count for _, _, count in first} == {12}  # four corners of the square are not covered
    attacker.restart(np.asarray([1]), [np.random.SeedSequence(9)])
    second = places(attacker, obs)
    assert [one == other for one, other in zip(first, second, strict=True)] == [True, False, True, True]
    assert len({(row, column) for row, column, _ in first}) > 1
    assert attacker.oracle.queries.sum() == attacker.oracle.gradients.sum() == 0


def test_a_sticker_learns_what_works_wherever_it_is():
    learned = sticker().attack.learned
    mask = learned.tensors["mask"]
    assert learned.tensors["values"][0][mask].min() == 255
    assert learned.facts == {"states": 40}
    attacker = sticker(row=1, column=2)
    assert attacker.attack.learned.facts == {"states": 40, "row": 1, "column": 2}
    assert places(attacker, shown(seed=9)) == [(1, 2, 12)] * 4


def test_the_control_of_a_sticker_is_noise_of_its_shape_at_its_places():
    kind = type(sticker().attack)
    assert str(kind.control_of({})) == "random-patch:place=anywhere,shape=disc"
    assert str(kind.control_of({"shape": "square"})) == "random-patch:place=anywhere,shape=square"
    attacker = sticker("random-patch", place="anywhere", shape="disc")
    obs = shown(seed=9)
    assert places(attacker, obs) == places(sticker(), obs)
    assert len(attacker.attack.learned.tensors["values"].unique()) == 16


def test_the_shape_may_come_from_a_file_and_is_stretched_without_its_margins(tmp_path):
    cross = np.zeros((9, 7), np.uint8)
    cross[3:6, 2:5] = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    np.save(tmp_path / "cross.npy", cross)
    transparent = np.zeros((*cross.shape, 4), np.uint8)
    transparent[..., 3] = 255 * cross
    Image.fromarray(transparent).save(tmp_path / "clear.png")
    Image.fromarray(200 * cross).save(tmp_path / "dark.png")
    expected = np.kron(cross[3:6, 2:5], np.ones((2, 2))) > 0
    for name in ("cross.npy", "clear.png", "dark.png"):
        attacker = sticker(side=6, mask=str(tmp_path / name))
        assert np.array_equal(attacker.attack.learned.tensors["mask"].numpy(), expected)
    obs = shown(seed=9)
    assert attacker.reach.measure(attacker(obs), obs).values[:, 0].tolist() == [6.0] * 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 3)), r"mask .*file.npy: expected a shape of two axes that covers something, got \(3, 3\)"),
        (np.ones((3, 3, 3)), r"covers something, got \(3, 3, 3\)"),
        (np.asarray([["a"]]), "mask .*file.npy: expected a picture or a .npy file of numbers, got neither"),
        (None, "file.npy: expected a file, there is none"),
    ],
)
def test_a_file_that_holds_no_shape_is_refused(tmp_path, values, message):
    path = tmp_path / "file.npy"
    if values is not None:
        np.save(path, values)
    with pytest.raises(RlattackError, match=message):
        sticker(mask=str(path))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"place": "anywhere", "shift": 1}, "place=anywhere is every place; shift= is for a place of its own"),
        ({"row": 1}, "patch: row= and column= say together where it begins"),
        ({"row": 7, "column": 0}, "patch: row and column of a patch of 2 pixels are 0 to 6 and 0 to 6, got 7 and 0"),
    ],
)
def test_a_place_that_is_none_is_refused(parameters, message):
    with pytest.raises(InvalidInput, match=message):
        learned(**parameters)


def test_a_patch_that_learned_nothing_says_how_to_play_it():
    policy = ModulePolicy(Looker(), SPACE.shape, 2)
    attacker = Attacker(make_attack("patch", Budget(norm="patch", eps=2)), policy, SPACE, 4)
    with pytest.raises(InvalidInput, match="attack patch learns on tuning episodes first"):
        attacker(shown())
