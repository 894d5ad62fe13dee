"""Actions of somebody else where chance says so, as a reach."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.budget import Chance
from rlattack.draws import SharedDraws


@pytest.mark.parametrize(
    ("space", "other"),
    [
        (Discrete(6), torch.arange(6)),
        (Box(-2, 1, (1,), np.float32), torch.tensor([[-2.0], [-1.0], [-0.3], [0.0], [0.5], [1.0]])),
    ],
)
def test_the_adversary_s_action_is_done_where_chance_strikes_and_nowhere_else(space, other):
    reach, drawn = Chance(30.0, space), torch.tensor([0.0, 0.1, 0.29, 0.31, 0.9, 0.2])
    clean = torch.zeros_like(other)
    done = reach.settle(reach.replaced(drawn, other), clean)
    expected = torch.where(reach.struck(drawn).view(-1, *[1] * (other.ndim - 1)), other, clean)
    assert torch.allclose(done.float(), expected.float(), atol=1e-6)
    assert reach.measure(done, clean).legal.all()


def test_noise_strikes_as_often_as_is_allowed():
    reach, clean = Chance(30.0, Discrete(1000)), torch.full((5000,), 3)
    done = reach.settle(reach.random(clean, SharedDraws(5000, 0)), clean)
    assert float((done != clean).float().mean()) == pytest.approx(0.3, abs=0.02)
