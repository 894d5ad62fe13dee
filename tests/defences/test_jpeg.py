"""JPEG before a policy, beside the encoder itself, frame by frame."""

import io
import math

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from PIL import Image

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from rlattack.defences import FRONTS, defend
from rlattack.errors import InvalidInput
from rlattack.games import Seat, find_game, make_game
from rlattack.policies.load import load_agent
from rlattack.specs import make

FRAMES = Box(0, 255, (4, 13, 18), np.uint8)


def jpeg(quality=75):
    return make("defence", FRONTS, f"jpeg:quality={quality}")


def frames(rows=3, shape=FRAMES.shape, seed=0):
    return torch.randint(0, 256, (rows, *shape), generator=torch.Generator().manual_seed(seed)).float()


def alone(frame, quality):
    """What the encoder makes of one frame."""
    file = io.BytesIO()
    Image.fromarray(frame.numpy().astype(np.uint8)).save(file, format="JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(file))).float()


@pytest.mark.parametrize("quality", [1, 30, 75, 100])
@pytest.mark.parametrize("shape", [(4, 13, 18), (2, 8, 16), (1, 5, 3)])
def test_a_batch_is_compressed_as_each_frame_by_itself(quality, shape):
    obs = frames(shape=shape)
    found = jpeg(quality).seen(obs, None)
    expected = torch.stack([torch.stack([alone(frame, quality) for frame in stack]) for stack in obs])
    assert torch.equal(found, expected)
    assert not torch.equal(found, obs)


def test_more_frames_than_the_encoder_takes_below_each_other_are_compressed_in_parts():
    obs = frames(rows=8200, shape=(1, 8, 8))
    found = jpeg().seen(obs, None)
    for row in (0, 8186, 8187, 8199):
        assert torch.equal(found[row], jpeg().seen(obs[row : row + 1], None)[0])


def test_pixels_are_rounded_to_bytes_first_and_nothing_is_written_to():
    obs = frames() + 0.3
    obs[0, 0, 0, :2] = torch.tensor([300.0, -9.0])
    kept = obs.clone()
    found = jpeg().seen(obs, None)
    assert torch.equal(obs, kept)
    assert torch.equal(found, jpeg().seen(obs.round().clamp(0, 255), None))
    assert found.dtype == torch.float32


@pytest.mark.parametrize(("grey", "back"), [(128, 128), (200, 199), (87, 88)])
def test_a_frame_of_one_grey_becomes_the_next_that_is_a_multiple_of_the_quantum(grey, back):
    """At quality 30 eight times the mean, from 128 on, is a multiple of 27 (16 of the standard's table, over 0.6)."""
    assert back == math.floor(128 + round((grey - 128) * 8 / 27) * 27 / 8 + 0.5)
    found = jpeg(30).seen(torch.full((1, *FRAMES.shape), float(grey)), None)
    assert torch.equal(found, torch.full((1, *FRAMES.shape), float(back)))


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (Box(-1, 1, (4,), np.float32), "pictures"),
        (Box(0, 1, (4, 8, 8), np.float32), "stacked frames of bytes .*"),
        (Box(0, 255, (8,), np.uint8), "pictures"),
        (Discrete(4), "pictures"),
    ],
)
def test_who_sees_no_frames_of_bytes_gets_no_such_front(space, expected):
    with pytest.raises(InvalidInput, match=rf"defence jpeg: expected {expected}, player sees"):
        jpeg().check(Seat("player", space, Discrete(2)))


def test_pgd_through_the_front_flips_more_than_pgd_that_does_not_know_of_it():
    """On the shipped agent, whose choices an oblivious attack of this size changes in every second state or so."""
    pytest.importorskip("ale_py")
    game, slots = make_game(find_game("atari/pong"), 4), np.arange(4)
    seat = game.seats[0]
    bare = load_agent("atari/pong/ppo", seat, game="atari/pong").policy
    victim = defend(bare, ("jpeg:quality=30",), seat)
    attack = make_attack("pgd", Budget(eps=0.005), steps=5)
    attackers = [Attacker(attack, crafted_on, seat.observation, 4, victim=victim) for crafted_on in (victim, bare)]
    for attacker in attackers:
        attacker.restart(slots, [np.random.SeedSequence(seed) for seed in slots])
    (view,) = game.reset(np.ones(4, dtype=bool), slots)
    flipped = np.zeros(2)
    with torch.no_grad():
        for step in range(160):
            shown = torch.from_numpy(view.obs.astype(np.float32))
            label = victim(shown).actions.greedy
            if step >= 100 and step % 4 == 0:
                flipped += [int((victim(one(shown)).actions.greedy != label).sum()) for one in attackers]
            (view,) = game.step([label.numpy()]).views
    game.close()
    through, oblivious = flipped / 60
    assert through > oblivious + 0.1
