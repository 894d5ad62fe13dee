"""Who tells demonstrations from play, and what it pays for."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from rlattack.training.demonstrations import Experience
from rlattack.training.discriminator import Discriminator

ROWS = 400


def steps(did, way=0.0, seed=0, rows=ROWS):
    """Somebody is anywhere, does that, and goes that way."""
    shown = np.random.default_rng(seed).normal(size=(rows, 2)).astype(np.float32)
    return Experience(shown, np.broadcast_to(np.asarray(did), (rows, *np.shape(did))).copy(), shown + np.float32(way))


def taught(demonstrations, play, action, *, states_only=False, turns=30):
    """A discriminator after turns in which that was played, and what it told at each."""
    made = Discriminator(demonstrations, action, states_only, seed=3)
    told = []
    for _ in range(turns):
        for part in range(0, ROWS, 100):
            made.pay(*(getattr(play, name)[part : part + 100] for name in ("shown", "did", "then")))
        told.append(made.learn()[1])
    return made, told


def paid(made, of):
    return made.pay(of.shown, of.did, of.then)


CASES = {
    "of two": (Discrete(2), 0, 1),
    "of two choices": (MultiDiscrete([2, 3]), [0, 2], [0, 1]),
    "numbers": (Box(-1, 1, (2,)), [0.5, 0.0], [0.5, -0.5]),
}


@pytest.mark.parametrize("case", CASES)
def test_it_learns_to_tell_actions_and_pays_for_those_that_were_demonstrated(case):
    action, wanted, other = CASES[case]
    made, told = taught(steps(wanted), steps(other, seed=1), action)
    assert told[0]["accuracy"] < told[-1]["accuracy"]
    assert told[-1]["accuracy"] > 0.95
    assert told[-1]["loss"] < told[0]["loss"]
    assert paid(made, steps(wanted, seed=2)).min() > 2 * paid(made, steps(other, seed=2)).max()


def test_states_alone_tell_where_a_step_led_and_not_what_was_done():
    action = Discrete(2)
    blind, _ = taught(steps(0), steps(1, seed=1), action, states_only=True)
    assert np.array_equal(paid(blind, steps(0, seed=2)), paid(blind, steps(1, seed=2)))
    sees, told = taught(steps(0, way=0.1), steps(0, way=-0.1, seed=1), action, states_only=True)
    assert told[-1]["accuracy"] > 0.95
    assert paid(sees, steps(1, way=0.1, seed=2)).min() > 2 * paid(sees, steps(1, way=-0.1, seed=2)).max()


def test_what_is_paid_is_minus_the_logarithm_of_how_sure_it_is_of_play():
    made, _ = taught(steps(0), steps(1, seed=1), Discrete(2), turns=2)
    play = steps(0, seed=2)
    rows = torch.cat([torch.as_tensor(play.shown), torch.tensor([[1.0, 0.0]]).expand(ROWS, 2)], dim=1)
    of_play = torch.sigmoid(-made.net(rows))
    assert paid(made, play) == pytest.approx((-of_play.log()).numpy(force=True), rel=1e-4)


def test_actions_count_as_the_game_takes_them_and_what_is_far_off_as_no_further():
    action = Box(-1, 1, (1,))
    made, _ = taught(steps([0.5]), steps([0.0], seed=1), action, turns=1)
    assert np.array_equal(paid(made, steps([7.0])), paid(made, steps([1.0])))
    far = steps([0.5])
    beyond = Experience(far.shown + np.float32(1e6), far.did, far.then)
    assert np.isfinite(paid(made, beyond)).all()


def test_the_same_seed_learns_the_same_and_nobody_else_s_draws_are_taken():
    before = torch.get_rng_state()
    one, other = (taught(steps(0), steps(1, seed=1), Discrete(2), turns=2)[0] for _ in range(2))
    assert all(torch.equal(one.net.state_dict()[name], tensor) for name, tensor in other.net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), before)
    first, another = (Discriminator(steps(0), Discrete(2), False, seed=seed).net.layers[0] for seed in (3, 4))
    assert not torch.equal(first.weight, another.weight)


def test_what_was_played_is_told_once():
    made = Discriminator(steps(0), Discrete(2), False, seed=0)
    play = steps(1, rows=5)
    paid(made, play)
    play.shown[:] = 0  # the game goes on with its own array
    kept, _ = made.learn()
    assert np.array_equal(kept.shown, steps(1, rows=5).shown)
    paid(made, steps(1, rows=3))
    assert len(made.learn()[0].did) == 3
