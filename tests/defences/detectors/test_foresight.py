"""What surprises a detector that predicts what is seen next."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from rlattack.defences.detectors import check_detectors
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.distributions import Categorical
from rlattack.policies.policy import Output
from tests.kit.agents import linear_policy
from tests.kit.looks import fitted, look

NUMBERS = Seat("player", Box(-np.inf, np.inf, (2,), np.float32), Discrete(2))


def walk(steps, slots=2, jump=None):
    """Numbers that move by what is done: the first up by a tenth with action 1, else down; seen one step later."""
    rng = np.random.default_rng(0)
    place = torch.zeros(slots)
    for step in range(steps):
        action = torch.as_tensor(rng.integers(0, 2, slots))
        shown = torch.stack([place, torch.zeros(slots)], dim=1)
        if jump == step:
            shown = shown + torch.tensor([9.0, 0.0])
        yield look(shown, action=action)
        place = place + 0.1 * (2 * action - 1)


def test_foresight_is_surprised_by_a_jump_and_not_by_what_was_to_be_expected():
    detector = fitted("foresight:states=500,epochs=10", NUMBERS, walk(120))
    memory, found = detector.memory(2), []
    for one in walk(10, jump=6):
        found.append(detector.score(one, memory))
        memory = detector.after(one, memory)
    assert found[0].isnan().all()  # nothing was seen before
    assert torch.stack(found[1:6]).max() < 0.1
    assert found[6].min() > 0.5


def test_foresight_predicts_the_newest_frame_and_keeps_the_older_ones():
    seat = Seat("player", Box(0, 255, (3, 8, 8), np.uint8), Discrete(2))
    frames = torch.randint(0, 255, (40, 1, 8, 8)).float()
    stacks = [frames[at : at + 3].transpose(0, 1) for at in range(37)]
    looks = [look(one, action=torch.tensor([0])) for one in stacks * 2]
    seen = []

    def ask(other):
        seen.append(other)
        return Output(Categorical(other.flatten(1)[:, :2]))

    detector = fitted("foresight:states=100,epochs=1", seat, looks)
    memory = detector.after(looks[0], detector.memory(1))
    detector.score(look(stacks[1], ask=ask), memory)
    assert torch.equal(seen[0][:, :2], stacks[0][:, 1:])
    assert seen[0].shape == stacks[1].shape
    assert 0 <= seen[0].min() <= seen[0].max() <= 255


def test_a_detector_of_pictures_with_colours_last_is_told_what_foresight_takes():
    seat = Seat("player", Box(0, 255, (8, 9, 3), np.uint8), Discrete(2))
    policy = linear_policy(torch.zeros(2, 8 * 9 * 3), shape=(8, 9, 3))
    with pytest.raises(InvalidInput, match=r"detector foresight: expected stacked frames or numbers, player sees Box"):
        check_detectors(["foresight"], policy, seat)
    check_detectors(["squeeze", "ad3"], policy, seat)


def test_foresight_takes_several_choices_at_once_and_continuous_actions():
    for action in (MultiDiscrete([2, 3]), Box(-1, 1, (2,), np.float32)):
        seat = Seat("player", Box(-9, 9, (4,), np.float32), action)
        done = torch.zeros(2, 2, dtype=torch.int64 if isinstance(action, MultiDiscrete) else torch.float32)
        looks = [look(torch.randn(2, 4), action=done) for _ in range(60)]
        detector = fitted("foresight:states=100,epochs=1", seat, looks)
        memory = detector.after(looks[0], detector.memory(2))
        assert detector.score(looks[1], memory).isfinite().all()
