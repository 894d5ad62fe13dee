"""What every front keeps to, on every kind of observation that it takes."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from rlattack.defences import FRONTS, defend, make_front
from rlattack.defences.front import kind_of
from rlattack.errors import InvalidInput
from rlattack.games import Seat
from tests.kit.agents import gaussian_policy, random_linear_policy, streams
from tests.kit.watching import Drawn

SPACES = {
    "stack": Box(0, 255, (4, 10, 14), np.uint8),
    "colours": Box(0, 255, (10, 14, 3), np.uint8),
    "channels": Box(-1, 1, (3, 10, 14), np.float32),
    "numbers": Box(-10, 10, (6,), np.float32),
    "endless": Box(-np.inf, np.inf, (6,), np.float32),
}
TYPED = {
    "smooth": "smooth:sigma=0.1,copies=3,space=raw", "denoiser": "denoiser:episodes=5,states=200,epochs=1",
    "detect": 'detect:detector="squeeze:rate=0.2,episodes=2"',
}  # fmt: skip
REMEMBERING = TYPED | {"detect": 'detect:detector="mahalanobis:rate=0.2,episodes=2"'}
"""Of who stands before a memory: who asks twice cannot."""
OWN = [name for name in FRONTS if name not in FRONTS.added and FRONTS.get(name).__module__.startswith("rlattack.")]


def standing(name, space):
    """A front that has learned, before whoever sees that space."""
    seat = Seat("player", space, Discrete(3))
    front = make_front(TYPED.get(name, name), seat)
    policy = random_linear_policy(space.shape)
    if front.fitted:
        front.learned = front.fit(Drawn(seat, policy))
    front.meet(policy)
    return front, seat, policy


def pairs():
    for name in OWN:
        for kind, space in SPACES.items():
            try:
                make_front(TYPED.get(name, name), Seat("player", space, Discrete(3)))
            except InvalidInput:
                continue
            yield pytest.param(name, space, id=f"{name}-{kind}")


PAIRS = list(pairs())


def drawn(space, rows=3, seed=0):
    noise = torch.rand(rows, *space.shape, generator=torch.Generator().manual_seed(seed))
    low, high = (torch.as_tensor(end, dtype=torch.float32).clamp(-3, 255) for end in (space.low, space.high))
    return low + noise * (high - low)


def seen(front, obs, draws=None, memory=None):
    return front.seen(obs, draws, *(() if memory is None else (memory,)))


def test_each_front_takes_what_it_says_and_all_kinds_are_tried():
    tried = {(param.values[0], kind_of(param.values[1])) for param in PAIRS}
    assert tried == {(name, kind) for name in OWN for kind in FRONTS.get(name).takes}


@pytest.mark.parametrize(("name", "space"), PAIRS)
def test_shape_and_range_are_kept_and_nothing_is_written_to(name, space):
    front, _, _ = standing(name, space)
    obs, draws = drawn(space), streams(1, 2, 3)
    kept, memory = obs.clone(), front.memory(3)
    found = seen(front, obs, draws, memory)
    assert (found.shape, found.dtype) == ((3 * front.copies, *space.shape), torch.float32)
    low, high = (torch.as_tensor(end, dtype=torch.float32) for end in (space.low, space.high))
    assert ((found >= low - 1e-4) & (found <= high + 1e-4)).all()
    found += 1
    assert torch.equal(obs, kept)


@pytest.mark.parametrize(("name", "space"), PAIRS)
def test_the_same_draws_show_the_same_and_rows_do_not_mix(name, space):
    front, _, _ = standing(name, space)
    obs, memory = drawn(space), front.memory(3)
    first, again = (seen(front, obs, streams(1, 2, 3), memory) for _ in range(2))
    assert torch.equal(first, again)
    other = torch.cat([obs[:1], drawn(space, seed=1)[1:]])
    rest = seen(front, other, streams(1, 8, 9), memory)
    assert torch.equal(rest[: front.copies], first[: front.copies])
    assert not torch.equal(rest[front.copies :], first[front.copies :])
    without = [seen(front, obs, None, memory) for _ in range(2)]
    assert torch.equal(*without)


@pytest.mark.parametrize(("name", "space"), PAIRS)
def test_a_gradient_goes_through_and_an_attack_down_it_does_harm(name, space):
    front, seat, policy = standing(name, space)
    learned = [front.learned] if front.fitted else []
    both = defend(policy, (TYPED.get(name, name),), seat, learned)
    obs = drawn(space)
    slope, out = both.gradient(obs, lambda out: out.actions.scores[:, 0].sum())
    assert (slope.flatten(1) != 0).any(dim=1).all()
    assert out.actions.scores.shape == (3, 3)
    assert not both(obs).actions.scores.requires_grad
    budget = Budget(eps=float(obs.max() - obs.min()) / 4, space="raw")
    attacker = Attacker(make_attack("pgd", budget, steps=4, loss="margin"), both, space, 3)
    attacker.restart(np.arange(3), [np.random.SeedSequence(seed) for seed in range(3)])
    with torch.no_grad():
        before, after = (both(one).actions.scores for one in (obs, attacker(obs)))
    chosen = before.argmax(dim=1, keepdim=True)
    assert (after.gather(1, chosen) - after.mean(dim=1, keepdim=True)).sum() < (
        before.gather(1, chosen) - before.mean(dim=1, keepdim=True)
    ).sum()


SLOPED = [one for one in PAIRS if FRONTS.get(one.values[0]).sloped and one.values[0] != "median"]


@pytest.mark.parametrize(("name", "space"), SLOPED)
def test_a_slope_is_that_of_what_is_let_through(name, space):
    front, _, _ = standing(name, space)
    obs = (drawn(space) * 0.5 + float(drawn(space).mean()) / 2).requires_grad_(True)
    way = torch.randn(obs.shape, generator=torch.Generator().manual_seed(3))
    weight = torch.randn(3 * front.copies, *space.shape, generator=torch.Generator().manual_seed(4))
    memory = front.memory(3)
    with torch.enable_grad():
        found = (seen(front, obs, streams(1, 2, 3), memory) * weight).sum()
        (slope,) = torch.autograd.grad(found, obs)
    size = 1e-3 * float(obs.detach().abs().max())
    points = [obs.detach() + sign * size * way for sign in (1, -1)]
    ends = [(seen(front, point, streams(1, 2, 3), memory) * weight).sum() for point in points]
    assert float((slope * way).sum()) == pytest.approx(float(ends[0] - ends[1]) / (2 * size), rel=0.05, abs=0.5)


@pytest.mark.parametrize("name", [name for name in OWN if "numbers" in FRONTS.get(name).takes])
def test_a_victim_of_continuous_actions_with_a_memory_stands_behind_it(name):
    space = SPACES["numbers"]
    seat = Seat("player", space, Box(-1, 1, (2,), np.float32))
    policy = gaussian_policy(6, 2, memory=3)
    front = make_front(REMEMBERING.get(name, name), seat)
    learned = [front.fit(Drawn(seat, policy))] if front.fitted else []
    both, state, obs = defend(policy, (REMEMBERING.get(name, name),), seat, learned), None, drawn(space)
    start = both.initial_state(3)
    for number in range(2):
        out = both(obs, state, streams(1, 2, 3))
        first = both(obs, start, streams(1, 2, 3)) if number == 0 else out
        assert torch.equal(out.actions.mean, first.actions.mean)
        assert (out.actions.mean.shape, out.state.shape) == ((3, 2), start.shape)
        assert not torch.equal(out.state, start)
        state = out.state
    slope, _ = both.gradient(obs, lambda out: out.actions.mean.sum(), state)
    assert (slope != 0).any(dim=1).all()
