"""The trigger of a backdoor: a plain square at a place, the same in all frames."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from rlattack.errors import InvalidInput
from tests.kit.agents import random_linear_policy

STACK, COLOURS = Box(0, 255, (2, 8, 8), np.uint8), Box(0, 255, (8, 8, 3), np.uint8)


def stamped(space, **parameters):
    policy = random_linear_policy(space.shape)
    attacker = Attacker(make_attack("trigger", Budget(norm="patch", eps=3), **parameters), policy, space, 2)
    attacker.restart(np.arange(2), [np.random.SeedSequence(seed) for seed in range(2)])
    shown = torch.full((2, *space.shape), 100.0)
    return shown, attacker(shown)


@pytest.mark.parametrize("space", [STACK, COLOURS])
def test_a_square_is_covered_with_one_grey_in_all_frames_and_nothing_else(space):
    shown, seen = stamped(space, row=1, column=4, value=0.2)
    square = (..., slice(1, 4), slice(4, 7)) if space is STACK else (slice(None), slice(1, 4), slice(4, 7))
    assert (seen[square] == 51.0).all()
    seen[square] = 100.0
    assert torch.equal(seen, shown)


@pytest.mark.parametrize("place", [{"row": 6}, {"column": 6}])
def test_a_square_that_leaves_the_picture_is_refused(place):
    with pytest.raises(InvalidInput, match="row and column of a square of 3 pixels are 0 to 5 and 0 to 5, got"):
        stamped(STACK, **place)


def test_it_is_read_beside_a_square_of_noise_at_the_same_place():
    attack = make_attack("trigger", Budget(norm="patch", eps=3))
    control = attack.control_of({"row": 2, "value": 0.5})
    assert (control.name, control.parameters) == ("random-patch", {"row": 2, "column": 0})
