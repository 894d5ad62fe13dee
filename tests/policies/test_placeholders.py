import numpy as np
import pytest
import torch
from choices import LEGAL, check_even_chance, check_own_streams
from gymnasium.spaces import Box, Discrete, MultiDiscrete, Text

from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.placeholders import PLACEHOLDERS, Random, Zero
from tests.kit.agents import act, streams

SEEN = Box(-1, 1, (4,), np.float32)
CHOICES = Seat("player_0", SEEN, Discrete(4))
DONE = Box(np.float32([-0.4, -1]), np.float32([0.4, 3]), dtype=np.float32)
NUMBERS = Seat("runner", Box(-np.inf, np.inf, (3,), np.float32), DONE)
OBS = np.random.default_rng(0).standard_normal((5, 3))


@pytest.mark.parametrize("name", PLACEHOLDERS)
@pytest.mark.parametrize("seat", [CHOICES, NUMBERS], ids=["choices", "numbers"])
def test_what_is_seen_changes_nothing(name, seat):
    policy = PLACEHOLDERS[name](seat)
    assert (policy.observation, policy.action, policy.normaliser) == (seat.observation.shape, seat.action, None)
    assert policy.initial_state(3) is None
    obs = torch.randn(3, *policy.observation)
    grad, out = policy.gradient(obs, lambda out: out.actions.greedy.sum())
    assert grad.equal(torch.zeros_like(obs))
    assert out.actions.divergence(policy(-obs).actions).tolist() == [0.0] * 3
    assert policy.value(obs) is None


def test_random_chooses_evenly_among_the_legal_actions_of_each_slot():
    check_even_chance(Random(CHOICES))


def test_random_plays_every_action_without_a_mask():
    actions, _ = act(Random(CHOICES), np.zeros((200, 4)), streams(*range(200)))
    assert set(actions.tolist()) == {0, 1, 2, 3}


def test_random_choices_come_from_each_slot_s_own_stream():
    check_own_streams(Random(CHOICES))


def test_random_is_random_where_others_are_greedy():
    actions, _ = act(Random(CHOICES), np.zeros((200, 4)), streams(*range(200)), mode="greedy")
    assert set(actions.tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("mode", ["sampled", "greedy"])
def test_zero_plays_the_first_legal_action_and_draws_nothing(mode):
    draws = streams(1, 2, 3)
    assert act(Zero(CHOICES), np.zeros((3, 4)), draws, legal=LEGAL, mode=mode)[0].tolist() == [1, 0, 2]
    assert act(Zero(CHOICES), np.zeros((3, 4)), draws, mode=mode)[0].tolist() == [0, 0, 0]
    assert draws.uniform(1).equal(streams(1, 2, 3).uniform(1))


def test_zero_is_certain_of_the_first_legal_action():
    actions = Zero(CHOICES)(torch.zeros(3, 4)).actions.among(torch.from_numpy(LEGAL))
    assert actions.probabilities.argmax(dim=1).tolist() == [1, 0, 2]
    assert actions.probabilities.amax(dim=1).tolist() == [1.0] * 3


@pytest.mark.parametrize("mode", ["sampled", "greedy"])
def test_zero_does_nothing(mode):
    draws = streams(*range(5))
    actions, state = act(Zero(NUMBERS), OBS, draws, mode=mode)
    assert (actions.dtype, state) == (torch.float32, None)
    assert actions.equal(torch.zeros(5, 2))
    assert draws.uniform(1).equal(streams(*range(5)).uniform(1))


def test_random_fills_the_range_evenly():
    actions, state = act(Random(NUMBERS), np.zeros((4000, 3)), streams(*range(4000)))
    assert (actions.shape, actions.dtype, state) == ((4000, 2), torch.float32, None)
    assert (actions.numpy() >= DONE.low).all()
    assert (actions.numpy() <= DONE.high).all()
    width = DONE.high - DONE.low
    np.testing.assert_allclose(actions.mean(dim=0), (DONE.low + DONE.high) / 2, atol=0.02 * width.max())
    np.testing.assert_allclose(actions.std(dim=0), width / np.sqrt(12), rtol=0.05)


def test_random_numbers_come_from_each_slot_s_own_stream():
    policy, draws = Random(NUMBERS), streams(0, 1, 2, 3, 0)
    draws.active[2] = False
    actions, _ = act(policy, OBS, draws)
    alone, _ = act(policy, OBS[:1], streams(0))
    assert actions[0].equal(alone[0])
    assert actions[4].equal(alone[0])
    assert actions[2].equal(torch.from_numpy(DONE.low))
    assert (actions[1] != actions[0]).all()


def test_random_numbers_are_low_and_a_share_of_the_range_in_float32():
    drawn = streams(1, 2).uniform(2).numpy()
    actions, _ = act(Random(NUMBERS), OBS[:2], streams(1, 2))
    np.testing.assert_array_equal(actions.numpy(), DONE.low + (DONE.high - DONE.low) * drawn)


def test_a_range_without_an_end_is_nothing_to_draw_from():
    seat = Seat("runner", SEEN, Box(-np.inf, 1, (2,), np.float32))
    with pytest.raises(InvalidInput, match="random needs a range to draw from, runner takes Box"):
        Random(seat)
    assert act(Zero(seat), np.zeros((1, 4)), streams(1))[0].tolist() == [[0.0, 0.0]]


def test_several_choices_at_once_are_drawn_by_themselves_or_are_the_first_legal_ones():
    seat = Seat("joint", SEEN, MultiDiscrete([2, 3]))
    drawn, _ = act(Random(seat), np.zeros((400, 4)), streams(*range(400)))
    pairs, counts = np.unique(drawn.numpy(), axis=0, return_counts=True)
    assert pairs.tolist() == [[one, two] for one in range(2) for two in range(3)]
    assert counts.min() > 30  # of 67 expected
    legal = torch.tensor([[False, True, False, False, True]])
    chosen = Zero(seat)(torch.zeros(1, 4)).actions
    assert chosen.sample(streams(1)).tolist() == [[0, 0]]
    assert chosen.among(legal).sample(streams(1)).tolist() == [[1, 2]]


@pytest.mark.parametrize("action", [Text(3), Box(-1, 1, (2, 2))])
@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_other_actions_than_a_number_or_a_vector_are_refused(name, action):
    with pytest.raises(InvalidInput, match="expected a seat of one number or a vector to act by, joint takes"):
        PLACEHOLDERS[name](Seat("joint", SEEN, action))
