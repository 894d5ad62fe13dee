from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from rlattack.errors import InvalidInput
from rlattack.games import find_game, training_env
from rlattack.games.solo import EmbedOpponent
from rlattack.training import GymnasiumVecEnv
from rlattack.training.vecenv import SoloVecEnv
from tests.kit.by_hand import Remembering
from tests.kit.games import Count
from tests.kit.learning import Countdown, same_step


def countdown() -> GymnasiumVecEnv:
    """Slot 0 ends by the rules after 2 steps, slot 1 is cut off after 3."""
    return GymnasiumVecEnv(same_step([partial(Countdown, 0, 2, cut=False), partial(Countdown, 1, 3, cut=True)]))


def play(env, steps):
    return [env.step(np.array([1, 2])) for _ in range(steps)]


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_another_autoreset_mode_is_refused(mode):
    env = SyncVectorEnv([partial(Countdown, 0, 2, cut=False)], autoreset_mode=mode)
    with pytest.raises(InvalidInput, match=f"expected autoreset mode SAME_STEP, got {mode.name}: pass autoreset_mode"):
        GymnasiumVecEnv(env)


def test_an_ended_slot_shows_the_next_episode_and_keeps_the_last_observation_beside():
    env = countdown()
    assert env.reset().tolist() == [[0, 0], [0, 1]]
    (obs, rewards, dones, infos), second, third = play(env, 3)
    assert (obs.tolist(), rewards.tolist(), dones.tolist()) == ([[1, 0], [1, 1]], [1, 1], [False, False])
    assert infos == [{"at": 1}, {"at": 1}]

    obs, rewards, dones, infos = second
    assert (obs.tolist(), rewards.tolist(), dones.tolist()) == ([[0, 0], [2, 1]], [2, 2], [True, False])
    assert infos[0].pop("terminal_observation").tolist() == [2, 0]
    assert infos == [{"is_success": True, "TimeLimit.truncated": False}, {"at": 2}]

    obs, rewards, dones, infos = third
    assert (obs.tolist(), dones.tolist()) == ([[1, 0], [0, 1]], [False, True])
    assert infos[1].pop("terminal_observation").tolist() == [3, 1]
    assert infos == [{"at": 1}, {"is_success": False, "TimeLimit.truncated": True}]


def test_what_a_reset_says_is_kept_where_sb3_keeps_it():
    env = countdown()
    env.reset()
    assert env.reset_infos == [{"fresh": 1}, {"fresh": 1}]
    play(env, 2)
    assert env.reset_infos == [{"fresh": 2}, {"fresh": 1}]


def test_rewards_are_single_precision_and_belong_to_the_caller():
    env = countdown()
    env.reset()
    (_, first, _, _), (_, second, _, _) = play(env, 2)
    assert first.dtype == second.dtype == np.float32
    first += 100  # SB3 adds the value of what a time limit cut off
    assert second.tolist() == [2, 2]


def test_seeds_and_options_are_for_the_next_reset_only():
    env = countdown()
    copies = env.env.envs
    env.seed(40)
    env.set_options({"level": 3})
    env.reset()
    env.reset()
    assert [copy.resets for copy in copies] == [[(s, {"level": 3}), (None, None)] for s in (40, 41)]


def test_options_that_differ_are_refused():
    env = countdown()
    env.set_options([{"level": 3}, {"level": 4}])
    with pytest.raises(InvalidInput, match="expected the same reset options for every copy"):
        env.reset()


def test_it_does_what_sb3_does_itself():
    make = partial(gymnasium.make, "CartPole-v1", max_episode_steps=12)
    ours, theirs = GymnasiumVecEnv(same_step([make] * 3)), DummyVecEnv([make] * 3)
    for env in (ours, theirs):
        env.seed(7)
    assert np.array_equal(ours.reset(), theirs.reset())
    cut = 0
    for actions in np.random.default_rng(0).integers(0, 2, (100, 3)):
        mine, its = ours.step(actions), theirs.step(actions)
        assert all(map(np.array_equal, mine[:3], its[:3]))
        assert [array.dtype for array in mine[:3]] == [array.dtype for array in its[:3]]
        for done, info, other in zip(mine[2], mine[3], its[3], strict=True):
            if done:
                assert np.array_equal(info["terminal_observation"], other["terminal_observation"])
                assert info["TimeLimit.truncated"] == other["TimeLimit.truncated"]
                cut += info["TimeLimit.truncated"]
    assert cut > 0
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space


def test_sb3s_monitor_sums_episodes_over_it():
    env = VecMonitor(countdown())
    env.reset()
    episodes = [info["episode"] for *_, infos in play(env, 3) for info in infos if "episode" in info]
    assert [(episode["r"], episode["l"]) for episode in episodes] == [(1 + 2, 2), (1 + 2 + 3, 3)]


def test_attributes_and_methods_are_those_of_the_copies():
    env = countdown()
    assert env.get_attr("number") == [0, 1]
    assert env.get_attr("length", indices=[1]) == [3]
    env.set_attr("length", 9, indices=0)
    assert env.get_attr("length") == [9, 3]
    assert env.env_method("double", 4) == [8, 8]
    assert env.env_method("double", value=5, indices=1) == [10]
    assert not env.has_attr("nothing")
    assert env.env_is_wrapped(Monitor) == [False, False]
    monitored = GymnasiumVecEnv(same_step([lambda: Monitor(Countdown(0, 2, cut=False))]))
    assert monitored.env_is_wrapped(Monitor) == [True]


def test_each_copy_gets_its_own_action():
    env = countdown()
    env.reset()
    play(env, 1)
    assert [copy.played for copy in env.env.envs] == [[1], [2]]


def test_atari_is_adapted_with_its_lost_lives_as_ends():
    env = GymnasiumVecEnv(training_env(find_game("atari/breakout"), 2))
    assert env.get_attr("render_mode") == [None, None]
    assert env.env_is_wrapped(Monitor) == [False, False]
    env.seed(2**31 + 5)  # as large as SB3 draws, larger than ale-py takes
    before = env.reset()
    ended = 0
    for actions in np.random.default_rng(0).integers(0, 4, (60, 2)):
        kept = before.copy()
        obs, rewards, dones, infos = env.step(actions)
        assert np.array_equal(before, kept)  # SB3 stores the old observation after it has stepped
        assert rewards.dtype == np.float32
        for slot in np.flatnonzero(dones):
            assert np.array_equal(infos[slot]["terminal_observation"][:-1], before[slot, 1:])
            ended += 1
        before = obs
    env.close()
    assert ended


def test_a_game_whose_other_seats_are_held_is_asked_for_all_masks_at_once_and_for_all_else_as_ever():
    env = SoloVecEnv(EmbedOpponent(Count(3, heap=2), 0, Remembering()))
    env.reset()
    assert [mask.shape for mask in env.env_method("action_masks")] == [(3,)] * 3
    assert env.has_attr("action_masks")
    assert env.env_method("close") == [None] * 3
