"""A denoiser that learns on clean play: what noise it leaves, and that the same seed learns the same."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.defences import make_front
from rlattack.errors import InvalidInput
from rlattack.games import Seat
from tests.kit.agents import random_linear_policy
from tests.kit.watching import Drawn

FRAMES = Seat("player", Box(0, 255, (2, 12, 12), np.uint8), Discrete(3))
NUMBERS = Seat("player", Box(-9, 9, (5,), np.float32), Discrete(3))


def learned(seat, text, **about):
    front = make_front(text, seat)
    watching = Drawn(seat, random_linear_policy(seat.observation.shape), **about)
    front.learned = front.fit(watching)
    return front, watching


@pytest.mark.parametrize(("seat", "epochs"), [(FRAMES, 12), (NUMBERS, 100)], ids=["pictures", "numbers"])
def test_it_takes_noise_away_that_it_never_saw_and_leaves_what_has_none(seat, epochs):
    """Pictures are of one grey and numbers all one number, so that most of the noise stands out."""
    front, watching = learned(seat, f"denoiser:sigma=0.2,episodes=10,states=400,epochs={epochs}")
    facts = front.learned.facts
    assert facts["noise_left"] < 0.6
    assert facts["clean_moved"] < 0.3
    clean = torch.as_tensor(np.stack([watching.shown(99, step) for step in range(40)]).astype(np.float32))
    size = 0.2 * (255 if seat is FRAMES else float(front.known("deviation").mean()))
    noisy = clean + size * torch.randn(clean.shape, generator=torch.Generator().manual_seed(5))
    left = (front.seen(noisy, None) - clean).square().mean().sqrt()
    assert float(left) / size == pytest.approx(facts["noise_left"], abs=0.1)
    assert front.told(front.learned).startswith(f"leaves {100 * facts['noise_left']:.0f} % of noise of sigma=0.2, and")
    assert watching.said[-1].startswith(f"epoch {epochs} of {epochs}, loss ")


def test_the_same_seed_learns_the_same_and_another_does_not():
    text = "denoiser:episodes=5,states=200,epochs=1"
    one, again, other = (learned(FRAMES, text, seed=seed)[0].learned.tensors for seed in (0, 0, 1))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["weight0"], other["weight0"])


def test_too_few_states_are_refused():
    with pytest.raises(InvalidInput, match="at least 50 states to learn from, 2 tuning episodes had 10; episodes=N"):
        learned(NUMBERS, "denoiser:episodes=2", length=10)
