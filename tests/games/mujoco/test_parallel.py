import subprocess
import sys
import warnings

import numpy as np
import pytest

from rlattack.errors import InvalidInput, MissingExtra, UnknownName
from rlattack.games import find_game, parallel_env
from rlattack.games.mujoco.parallel import MujocoParallelEnv
from tests.games.mujoco.made import game_of

with warnings.catch_warnings():  # pettingzoo's tests import what pettingzoo warns of
    warnings.simplefilter("ignore", DeprecationWarning)
    from pettingzoo.test import parallel_api_test, parallel_seed_test

_ALL = ["you-shall-not-pass", "run-to-goal-humans", "run-to-goal-ants", "sumo-humans", "sumo-ants", "kick-and-defend"]


def samples(env, rng):
    return {
        agent: rng.uniform(env.action_space(agent).low, env.action_space(agent).high).astype(np.float32)
        for agent in env.agents
    }


@pytest.mark.parametrize("name", _ALL)
def test_a_game_passes_pettingzoo_s_own_tests(name):
    parallel_api_test(parallel_env(f"mujoco/{name}"), num_cycles=60)
    parallel_seed_test(lambda: parallel_env(f"mujoco/{name}"), num_cycles=10)


def test_agents_are_the_seats_of_the_card_and_metadata_tell_the_frames_a_second():
    env = parallel_env("mujoco/you-shall-not-pass")
    assert env.possible_agents == ["blocker", "runner"]
    assert env.agents == []
    assert env.metadata["name"] == "mujoco/you-shall-not-pass"
    assert env.metadata["render_modes"] == ["rgb_array"]
    assert env.metadata["render_fps"] == 67
    assert parallel_env("mujoco/run-to-goal-ants").metadata["render_fps"] == 20


def test_it_plays_what_the_batched_game_plays(card):
    env, duel = parallel_env("mujoco/sumo-ants"), game_of(card("sumo-ants"), 1)
    obs, infos = env.reset(seed=5)
    views = duel.reset(np.ones(1, dtype=np.bool_), np.random.default_rng(5).integers(2**31, size=1))
    rng = np.random.default_rng(0)
    for _ in range(10):
        for seat, agent in enumerate(env.agents):
            assert (obs[agent] == views[seat].obs[0]).all()
        actions = samples(env, rng)
        step = duel.step((actions["first"][None], actions["second"][None]))
        obs, rewards, terminations, truncations, infos = env.step(actions)
        views = step.views
        assert list(rewards.values()) == step.rewards[:, 0].tolist()
        assert list(terminations.values()) == list(truncations.values()) == [False, False]
        assert infos["first"] == infos["second"] == {"winner": False, "reward_remaining": 0.0, "ending": ""}


def test_a_seed_starts_the_same_series_of_different_episodes():
    env = parallel_env("mujoco/run-to-goal-ants")
    series = []
    for _ in range(2):
        first, _ = env.reset(seed=3)
        second, _ = env.reset()
        series.append((first["left"], second["left"]))
    assert (np.stack(series[0]) == np.stack(series[1])).all()
    assert (series[0][0] != series[0][1]).any()


def test_the_end_tells_who_won_how_and_for_what():
    env = parallel_env("mujoco/you-shall-not-pass")
    env.reset(seed=0)
    still = {agent: np.zeros(17, dtype=np.float32) for agent in env.agents}
    while env.agents:
        _, rewards, terminations, truncations, infos = env.step(still)
    assert infos["blocker"] == {
        "winner": True,
        "reward_remaining": infos["blocker"]["reward_remaining"],
        "ending": "fallen",
    }
    assert infos["runner"] == {"winner": False, "reward_remaining": -1000.0, "ending": "fallen"}
    assert rewards["runner"] < -900
    assert terminations == {"blocker": True, "runner": True}
    assert truncations == {"blocker": False, "runner": False}


def test_a_step_without_an_episode_is_refused():
    env = parallel_env("mujoco/sumo-ants")
    with pytest.raises(InvalidInput, match=r"step: no episode has begun; call reset\(\) first"):
        env.step({})


def test_actions_of_one_agent_alone_are_refused():
    env = parallel_env("mujoco/sumo-ants")
    env.reset(seed=0)
    with pytest.raises(InvalidInput, match=r"step: expected actions of \['first', 'second'\], got \['first'\]"):
        env.step({"first": np.zeros(8)})


def test_actions_of_another_shape_are_refused():
    env = parallel_env("mujoco/sumo-ants")
    env.reset(seed=0)
    with pytest.raises(InvalidInput, match=r"actions of the second: expected shape \(1, 8\), got \(1, 3\)"):
        env.step({"first": np.zeros(8), "second": np.zeros(3)})


def test_it_draws_where_a_render_mode_says_so():
    try:
        env = parallel_env("mujoco/kick-and-defend", render_mode="rgb_array")
    except MissingExtra as error:
        pytest.skip(str(error))
    env.reset(seed=0)
    picture = env.render()
    assert (picture.shape, picture.dtype) == ((320, 480, 3), np.uint8)
    assert picture.std() > 10
    env.close()
    silent = parallel_env("mujoco/kick-and-defend")
    silent.reset(seed=0)
    assert silent.render() is None
    silent.close()


def test_another_render_mode_is_refused():
    with pytest.raises(InvalidInput, match="render_mode: expected 'rgb_array' or None, got 'human'"):
        parallel_env("mujoco/sumo-ants", render_mode="human")


def test_a_game_that_is_none_of_mujoco_s_is_refused():
    with pytest.raises(InvalidInput, match="game atari/pong: expected one of MuJoCo's, like mujoco/sumo-ants"):
        MujocoParallelEnv(find_game("atari/pong"))


def test_a_game_that_is_not_there_is_named_with_the_closest_one():
    with pytest.raises(UnknownName, match="did you mean 'mujoco/sumo-ants'"):
        parallel_env("mujoco/sumo-ant")


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("pettingzoo", 'a parallel environment needs pettingzoo: pip install "rlattack[pettingzoo]"'),
        ("mujoco", 'MuJoCo games need mujoco: pip install "rlattack[mujoco]"'),
    ],
)
def test_a_package_that_is_not_installed_is_named(package, message):
    code = f"""
import sys
sys.modules[{package!r}] = None
from rlattack.errors import MissingExtra
try:
    from rlattack.games import parallel_env
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == message
