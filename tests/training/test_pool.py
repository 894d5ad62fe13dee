import gc
import weakref

import numpy as np
import pytest
import torch

from rlattack.draws import SharedDraws
from rlattack.games.solo import EmbedOpponent
from rlattack.training.pool import Pool
from tests.kit.agents import act, scores_as_seen
from tests.kit.by_hand import ByHand, Pusher, Remembering
from tests.kit.games import Count, Tug

SEAT, TURNS = Tug(1).seats[1], Count(1).seats[1]


def obs(n):
    return np.zeros((n, 3), dtype=np.float32)


def test_policies_are_drawn_uniformly_and_each_row_plays_its_own():
    pool = Pool(SEAT, 0, [(3, Pusher(0.25)), (5, Pusher(-1.0))])
    state = pool.initial_state(4000)
    keys = state[:, 0].numpy()
    assert set(keys) == {3, 5}
    assert (keys == 3).mean() == pytest.approx(0.5, abs=0.03)
    actions, after = act(pool, obs(4000), SharedDraws(4000, 0), state=state)
    assert np.array_equal(actions[:, 0], np.where(keys == 3, np.float32(0.25), np.float32(-1)))
    assert after.equal(state)
    assert (pool.observation, pool.action) == ((3,), SEAT.action)


def test_a_row_keeps_its_policy_when_others_are_served():
    first = Pusher(0.25)
    kept, pool = weakref.ref(first), Pool(SEAT, 0, [(0, first)])
    del first
    env = EmbedOpponent(Tug(2, length=4), 0, pool)
    env.reset(seed=0)
    zeros = np.zeros((2, 1), dtype=np.float32)
    env.step(zeros)
    pool.serve([(1, Pusher(1.0))])
    assert kept() is not None
    seen = [float(env.step(zeros)[0][0, 2]) for _ in range(5)]
    assert seen == [0.5, 0.75, 0.0, 1.0, 2.0]  # the new one from the next episode on
    pool.serve([(1, Pusher(1.0))])
    pool.serve([(1, Pusher(1.0))])
    gc.collect()
    assert kept() is None


def test_a_policy_that_was_drawn_but_has_not_acted_is_kept():
    pool = Pool(SEAT, 0, [(0, Pusher(0.25))])
    state = pool.initial_state(2)
    pool.serve([(1, Pusher(1.0))])
    assert act(pool, obs(2), SharedDraws(2, 0), state=state)[0].tolist() == [[0.25], [0.25]]


def test_states_of_recurrent_policies_are_their_own():
    remembering = Remembering(width=1)
    pool = Pool(SEAT, 1, [(0, Pusher(0.5)), (2**24 + 1, remembering)])  # a key that float32 cannot hold
    state = pool.initial_state(6)
    mine = state[:, 0] == 2**24 + 1
    assert 0 < int(mine.sum()) < 6
    _, state = act(pool, obs(6), SharedDraws(6, 0), state=state)
    _, state = act(pool, obs(6), SharedDraws(6, 0), state=state)
    assert state[mine, 1:].eq(2).all()
    assert state[~mine, 1:].eq(0).all()
    assert remembering.seen[1].eq(1).all()
    assert remembering.seen[1].dtype == torch.float32


def test_random_numbers_of_a_row_do_not_depend_on_who_else_plays():
    together = Pool(SEAT, 0, [(0, Pusher(None))])
    apart = Pool(SEAT, 1, [(0, Pusher(None)), (1, Pusher(0.5))])
    state = apart.initial_state(50)
    first, _ = act(together, obs(50), SharedDraws(50, 7), state=together.initial_state(50))
    second, _ = act(apart, obs(50), SharedDraws(50, 7), state=state)
    rows = state[:, 0] == 0
    assert first[rows].equal(second[rows])
    assert (second[~rows] == 0.5).all()


def test_a_policy_that_is_random_in_itself_has_numbers_for_its_rows_alone():
    class Shaky(Pusher):
        def __call__(self, obs, state=None, draws=None):
            return Pusher(float(draws.uniform(1)[0]))(obs)

    pool = Pool(SEAT, 0, [(0, Shaky()), (1, Pusher(0.5))])
    state = pool.initial_state(20)
    actions, _ = act(pool, obs(20), SharedDraws(20, 7), state=state)
    rows = state[:, 0] == 0
    assert (actions[rows] == SharedDraws(20, 7).uniform(1)[rows][0]).all()


def test_legal_actions_are_those_of_the_row():
    pool = Pool(TURNS, 0, [(0, Remembering()), (1, Remembering())])
    legal = np.eye(3, dtype=bool)[[0, 1, 2, 1, 0, 2]]
    actions, _ = act(pool, np.ones((6, 1)), SharedDraws(6, 0), state=pool.initial_state(6), legal=legal)
    assert actions.tolist() == [0, 1, 2, 1, 0, 2]


def test_who_acts_by_q_values_never_samples_beside_who_does():
    pool = Pool(TURNS, 0, [(0, scores_as_seen(3, value_based=True)), (1, scores_as_seen(3))])
    state = pool.initial_state(300)
    actions, _ = act(pool, np.tile([0.0, 0.1, 0.0], (300, 1)), SharedDraws(300, 0), state=state)
    rows = state[:, 0] == 0
    assert set(actions[rows].tolist()) == {1}
    assert set(actions[~rows].tolist()) == {0, 1, 2}


def test_gradients_are_those_of_each_rows_policy():
    class Steep(ByHand):
        def __call__(self, obs, state=None, draws=None):
            return scores_as_seen(3)(3 * obs)

    pool = Pool(TURNS, 0, [(0, scores_as_seen(3)), (1, Steep())])
    state = pool.initial_state(10)
    gradient, _ = pool.gradient(
        torch.ones(10, 3), lambda out: sum(part.scores.sum() for _, part in out.actions.parts), state
    )
    assert gradient.equal(torch.where(state[:, :1] == 0, 1.0, 3.0).expand(10, 3).float())
    assert pool.value(torch.ones(10, 3), state=state) is None
