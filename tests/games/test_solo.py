"""A game for one who learns while policies hold the other seats."""

import dataclasses
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

from rlattack.errors import InvalidInput
from rlattack.games import EmbedOpponent, find_game, make_game
from rlattack.games.game import NOBODY, Seat, Step, View, always
from rlattack.games.solo import SoloEnv
from tests.games.small_pettingzoo import Sticks
from tests.kit.by_hand import Pusher, Remembering
from tests.kit.games import Coins, Count, SmallGame, Tug


def push(*numbers):
    return np.asarray(numbers, dtype=np.float32)[:, None]


@pytest.mark.parametrize("seat", [0, 1])
def test_a_learner_of_either_seat_sees_its_own_side_and_meets_the_opponent(seat):
    env = EmbedOpponent(Tug(2), seat, Pusher(0.5))
    obs, info = env.reset(seed=0)
    assert (obs.tolist(), info) == ([[0, 0, 0]] * 2, {})
    obs, *_ = env.step(push(0.25, 1))
    assert obs.tolist() == [[1, 0.25, 0.5], [1, 1, 0.5]]


def test_a_game_that_ended_starts_again_at_once_and_the_rest_stands_beside():
    game = Tug(3, length=2)
    env = EmbedOpponent(game, 0, Pusher(0.5))
    env.reset(seed=0)
    env.step(push(1, 0.5, 0))
    obs, rewards, terminated, truncated, info = env.step(push(1, 0.5, 0))
    assert obs.tolist() == [[0, 0, 0]] * 3
    assert info["final_obs"].tolist() == [[2, 2, 1], [2, 1, 1], [2, 0, 1]]
    assert rewards.tolist() == [10, 0, -10]  # a hundredth of the sparse part
    assert (terminated.all(), truncated.any()) == (True, False)
    assert info["final_info"]["outcome"].tolist() == [1, 0, -1]
    assert info["final_info"]["ending"].tolist() == ["over"] * 3
    assert info["_final_info"].all()
    assert len(game.seeds) == len(set(game.seeds)) == 6


def test_the_outcome_is_the_learners_in_the_other_seat_too():
    env = EmbedOpponent(Tug(2, length=1, cut=True), 1, Pusher(0.5))
    env.reset(seed=0)
    _, _, terminated, truncated, info = env.step(push(1, 0))
    assert info["final_info"]["outcome"].tolist() == [1, -1]
    assert info["final_info"]["ending"].tolist() == ["time"] * 2
    assert (terminated.any(), truncated.all()) == (False, True)


def test_rewards_are_weighted_sums_of_what_came_for_the_end_and_on_the_way():
    env = EmbedOpponent(Tug(1, length=2), 0, Pusher(0.0), sparse=0.01, dense=0.1)
    env.reset(seed=0)
    assert env.step(push(1))[1].tolist() == [0.1]
    assert env.step(push(1))[1].tolist() == [10.1]
    bare = EmbedOpponent(Tug(1, length=2), 0, Pusher(0.0))
    bare.reset(seed=0)
    assert bare.step(push(1))[1].tolist() == [0]  # the paper's default: sparse only


def test_the_same_seed_gives_the_same_games_and_draws():
    def play(seed):
        env = EmbedOpponent(game := Tug(2), 0, Pusher(None))
        env.reset(seed=seed)
        return [env.step(push(0, 0))[0].tolist() for _ in range(9)], game.seeds

    assert play(3) == play(3)
    assert play([3, 4]) == play([3, 4])
    assert play(3) != play(4)


def test_resetting_without_a_seed_goes_on_with_other_games():
    env = EmbedOpponent(game := Tug(2), 0, Pusher())
    env.reset(seed=1)
    env.reset()
    assert len(set(game.seeds)) == 4


def test_the_memory_of_an_opponent_is_cleared_where_an_episode_starts():
    class Uneven(Tug):
        """Slot 1 is twice as long."""

        def step(self, actions):
            step = super().step(actions)
            step.terminated[1] &= self.time[1] >= 2 * self.length
            return step

    player = Remembering(width=1)
    env = EmbedOpponent(Uneven(2, length=2), 0, player)
    env.reset(seed=0)
    for _ in range(5):
        env.step(push(0, 0))
    assert [state[:, 0].tolist() for state in player.seen] == [[0, 0], [1, 1], [0, 2], [1, 3], [0, 0]]


class Chooser:
    """Plays the learner's side of `Count` at random among what is legal."""

    def __init__(self, seed=0):
        self._rng = np.random.default_rng(seed)

    def __call__(self, info):
        mask = info["action_mask"]
        assert mask.dtype == np.int8
        assert mask.any(axis=1).all()  # it is always to act
        return np.asarray([self._rng.choice(np.flatnonzero(row)) for row in mask])


@pytest.mark.parametrize("seat", [0, 1])
def test_in_a_game_of_turns_the_opponent_plays_until_the_learner_is_to_act(seat):
    game = Count(5)
    env = EmbedOpponent(game, seat, Remembering())
    choose, ends = Chooser(), 0
    obs, info = env.reset(seed=1)
    for _ in range(60):
        assert np.array_equal(game.turn, [seat] * 5)
        assert (game.heap > 0).all()
        heaps = obs[:, 0].copy()
        for slot, moves in enumerate(game.moves):
            assert [who for who, _ in moves] == [(game.moves[slot][0][0] + i) % 2 for i in range(len(moves))]
        actions = choose(info)
        obs, rewards, terminated, truncated, info = env.step(actions)
        assert not truncated.any()
        for slot in range(5):
            if terminated[slot]:
                won = info["final_info"]["outcome"][slot] == 1
                assert rewards[slot] == (0.01 if won else -0.01)
                assert info["final_obs"][slot] == 0
                assert won == (heaps[slot] == actions[slot] + 1)  # took the last itself
            else:
                assert obs[slot] == heaps[slot] - actions[slot] - 1 - 1  # the opponent takes one
        ends += int(terminated.sum())
    assert ends > 10


def test_in_a_game_of_turns_memory_goes_on_only_where_the_opponent_acts():
    class Checking(Remembering):
        def __call__(self, obs, state=None, draws=None):
            assert state[:, 0].tolist() == [sum(who == 1 for who, _ in moves) for moves in game.moves]
            return super().__call__(obs, state, draws)

    player = Checking()
    env = EmbedOpponent(game := Count(4), 0, player)
    _, info = env.reset(seed=1)
    choose = Chooser()
    for _ in range(30):
        *_, info = env.step(choose(info))
    assert len(player.seen) > 30


def test_a_game_that_the_opponent_ends_before_the_learner_acts_is_not_shown():
    class Rush(Count):
        def reset(self, mask, seeds):
            super().reset(mask, seeds)
            self.heap[mask] = [1 if seed % 2 else 5 for seed in seeds]
            return self.views()

    env = EmbedOpponent(game := Rush(6), 0, Remembering())  # which takes the last one where it is first
    obs, _ = env.reset(seed=0)
    assert obs[:, 0].tolist() == [5] * 6
    assert np.array_equal(game.turn, [0] * 6)


def test_it_is_a_vector_environment_and_one_of_sb3():
    from rlattack.training import GymnasiumVecEnv

    game = Tug(3)
    env = EmbedOpponent(game, 0, Pusher())
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    assert env.observation_space.shape == (3, 3)
    venv = GymnasiumVecEnv(env)
    venv.seed(0)
    venv.reset()
    for _ in range(4):
        _, _, dones, infos = venv.step(push(1, 0.5, 0))
    assert dones.all()
    assert [info["outcome"] for info in infos] == [1, 0, -1]
    assert [info["ending"] for info in infos] == ["over"] * 3
    assert infos[0]["terminal_observation"].tolist() == [4, 4, 2]
    venv.close()
    assert game.closed


def test_where_a_game_does_not_tell_everything_is_legal():
    game = Tug(2)
    game.seats = tuple(dataclasses.replace(seat, action=Discrete(4)) for seat in game.seats)
    assert EmbedOpponent(game, 0, Pusher()).action_masks().tolist() == [[True] * 4] * 2


def test_a_mujoco_game_is_embedded_and_passes_the_checkers():
    pytest.importorskip("mujoco")

    env = SoloEnv(EmbedOpponent(make_game(find_game("mujoco/sumo-ants"), 1), 0, Pusher(0.0, width=8)))
    assert isinstance(env, gymnasium.Env)
    with warnings.catch_warnings(action="ignore"):
        check_env(env, skip_render_check=True)
        check_env_of_sb3(env, warn=False)


@pytest.mark.parametrize(("acts", "greedy", "drawn"), [
    (None, False, True), (None, True, False), ("greedy", False, False), ("sampled", True, True),
])  # fmt: skip
def test_an_opponent_samples_unless_it_always_acts_otherwise(acts, greedy, drawn):
    opponent = Pusher(None)
    opponent.acts = acts
    env = EmbedOpponent(Tug(2), 0, opponent, greedy=greedy)
    env.reset(seed=0)
    obs, *_ = env.step(push(0, 0))
    assert (obs[:, 2] != 0).all() == drawn


class Race(SmallGame):
    """Three run at once for two steps, as far as they say; the farthest wins 1. Shows where all are."""

    def __init__(self, slots):
        seen, done = Box(-9, 9, (3,), np.float32), Box(-1, 1, (1,), np.float32)
        self.seats = tuple(Seat(name, seen, done) for name in ("one", "two", "three"))
        self.slots, self.time, self.at = slots, np.zeros(slots), np.zeros((3, slots))

    def reset(self, mask, seeds):
        self.time[mask] = self.at[:, mask] = 0
        return self.views()

    def step(self, actions):
        self.at += [action[:, 0] for action in actions]
        self.time += 1
        over = self.time == 2
        rewards = np.where(over & (self.at == self.at.max(axis=0)), 1.0, 0.0)
        winner = np.where(over, self.at.argmax(axis=0), NOBODY)
        return Step(self.views(), rewards, over, np.zeros_like(over), winner, over * 1)

    def views(self):
        return tuple(View(self.at.T.astype(np.float32), always(self.slots)) for _ in self.seats)


def test_each_other_seat_of_a_larger_game_has_its_own_opponent():
    env = EmbedOpponent(Race(2), 1, {0: Pusher(0.25), 2: Remembering(width=1)}, sparse=1)
    env.reset(seed=0)
    obs, *_ = env.step(push(1, 0))
    assert obs.tolist() == [[0.25, 1, 0], [0.25, 0, 0]]
    _, rewards, over, _, info = env.step(push(1, 0))
    assert over.all()
    assert rewards.tolist() == [1, 0]
    assert info["final_info"]["outcome"].tolist() == [1, -1]


def test_one_opponent_holds_all_other_seats_with_a_memory_in_each():
    player = Remembering(width=1)
    env = EmbedOpponent(Race(1), 1, player)
    env.reset(seed=0)
    env.step(push(1))
    env.step(push(1))
    assert [float(state[0, 0]) for state in player.seen] == [0, 0, 1, 1]


def test_a_game_of_one_seat_is_a_vector_environment_without_opponents():
    env = EmbedOpponent(Coins(2), 0, {}, sparse=1)
    obs, _ = env.reset(seed=0)
    _, rewards, *_ = env.step((obs[:, 1] > 0).astype(int))
    assert rewards.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EmbedOpponent(Tug(1), 2, Pusher()), "expected seat 0 or 1, got 2"),
        (lambda: EmbedOpponent(Race(1), 3, Pusher()), "expected seat 0 or 1 or 2, got 3"),
        (
            lambda: EmbedOpponent(Race(1), 1, {0: Pusher()}),
            r"an opponent for each of the seats \[0, 2\], got one",
        ),
        (lambda: EmbedOpponent("sumo", 0, Pusher()), "expected a game of make_game or a PettingZoo .*, got str"),
        (lambda: SoloEnv(EmbedOpponent(Tug(2), 0, Pusher())), "expected a game of one slot, got 2"),
        (lambda: EmbedOpponent(Sticks(), 0, Pusher()), "expected agents that act at once, got Sticks, whose agents"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
