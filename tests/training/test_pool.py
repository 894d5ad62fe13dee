import numpy as np
import pytest
import torch
from small_duels import Pusher, Remembering, Tug

from rlattack.games.draws import SharedDraws
from rlattack.games.opponent import EmbedOpponent
from rlattack.training.pool import Pool


def obs(n):
    return np.zeros((n, 3), dtype=np.float32)


def test_players_are_drawn_uniformly_and_each_row_plays_its_own():
    pool = Pool(0, [(3, Pusher(0.25)), (5, Pusher(-1.0))])
    state = pool.initial_state(4000)
    keys = state[:, 0].numpy()
    assert set(keys) == {3, 5}
    assert (keys == 3).mean() == pytest.approx(0.5, abs=0.03)
    actions, after = pool.act(obs(4000), state, SharedDraws(4000, 0))
    assert np.array_equal(actions[:, 0], np.where(keys == 3, np.float32(0.25), np.float32(-1)))
    assert after.equal(state)


def test_a_row_keeps_its_player_when_others_are_served():
    pool = Pool(0, [(0, Pusher(0.25))])
    env = EmbedOpponent(Tug(2, length=4), 0, pool)
    env.reset(seed=0)
    zeros = np.zeros((2, 1), dtype=np.float32)
    env.step(zeros)
    pool.serve([(1, Pusher(1.0))])
    assert pool.keys == {0, 1}
    seen = [float(env.step(zeros)[0][0, 2]) for _ in range(5)]
    assert seen == [0.5, 0.75, 0.0, 1.0, 2.0]  # the new one from the next episode on
    pool.serve([(1, Pusher(1.0))])
    pool.serve([(1, Pusher(1.0))])
    assert pool.keys == {1}


def test_a_player_that_was_drawn_but_has_not_acted_is_kept():
    pool = Pool(0, [(0, Pusher(0.25))])
    state = pool.initial_state(2)
    pool.serve([(1, Pusher(1.0))])
    assert pool.act(obs(2), state, SharedDraws(2, 0))[0].tolist() == [[0.25], [0.25]]


def test_states_of_recurrent_players_are_their_own():
    remembering = Remembering(width=1)
    pool = Pool(1, [(0, Pusher(0.5)), (2**24 + 1, remembering)])  # a key that float32 cannot hold
    state = pool.initial_state(6)
    mine = state[:, 0] == 2**24 + 1
    assert 0 < int(mine.sum()) < 6
    _, state = pool.act(obs(6), state, SharedDraws(6, 0))
    _, state = pool.act(obs(6), state, SharedDraws(6, 0))
    assert state[mine, 1:].eq(2).all()
    assert state[~mine, 1:].eq(0).all()
    assert remembering.seen[1].eq(1).all()
    assert remembering.seen[1].dtype == torch.float32


def test_random_numbers_of_a_row_do_not_depend_on_who_else_plays():
    together = Pool(0, [(0, Pusher(None))])
    apart = Pool(1, [(0, Pusher(None)), (1, Pusher(0.5))])
    state = apart.initial_state(50)
    first, _ = together.act(obs(50), together.initial_state(50), SharedDraws(50, 7))
    second, _ = apart.act(obs(50), state, SharedDraws(50, 7))
    rows = (state[:, 0] == 0).numpy()
    assert np.array_equal(first[rows], second[rows])
    assert (second[~rows] == 0.5).all()


@pytest.mark.parametrize("kind", ["uniform", "normal", "laplace", "signs"])
def test_every_kind_of_number_comes_for_the_rows_alone(kind):
    class Asking(Pusher):
        def act(self, obs, state, draws, *, legal=None, greedy=False):
            return getattr(draws, kind)(1).numpy(), None

    pool = Pool(0, [(0, Asking()), (1, Pusher(0.5))])
    state = pool.initial_state(20)
    actions, _ = pool.act(obs(20), state, SharedDraws(20, 7))
    rows = state[:, 0] == 0
    assert np.array_equal(actions[rows], getattr(SharedDraws(20, 7), kind)(1)[rows].numpy())


def test_legal_actions_are_those_of_the_row():
    pool = Pool(0, [(0, Remembering()), (1, Remembering())])
    legal = np.eye(3, dtype=bool)[[0, 1, 2, 1, 0, 2]]
    actions, _ = pool.act(obs(6), pool.initial_state(6), SharedDraws(6, 0), legal=legal)
    assert actions.tolist() == [0, 1, 2, 1, 0, 2]
