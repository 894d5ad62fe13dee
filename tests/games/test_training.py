import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv

from rlattack.errors import InvalidInput
from rlattack.games import GameCard, find_game, make_game, training_env, with_variant
from rlattack.games.atari import vector_env
from tests.kit.environments import WRONG


def card(rom: str, **options: object) -> GameCard:
    return with_variant(find_game(f"atari/{rom}"), options=options)


def run(env: VectorEnv, steps: int, seed: int = 3) -> list[tuple]:
    """Plays actions drawn beforehand and serves every tenth step; returns all that came back, observations first."""
    n = env.single_action_space.n
    actions = np.random.default_rng(0).integers(0, n, (steps, env.num_envs))
    actions[::10] = 1 % n
    lines = [(*env.reset(seed=seed),)]
    lines += [env.step(action) for action in actions]
    env.close()
    return lines


def test_the_spaces_are_the_agents_own():
    env = training_env(card("pong", crop=[4, 0, 80, 84], action_set=[0, 2, 5]), 2)
    assert env.single_observation_space == Box(0, 255, (4, 80, 84), np.uint8)
    assert env.observation_space.shape == (2, 4, 80, 84)
    assert env.single_action_space == Discrete(3)
    assert env.action_space.shape == (2,)
    obs, _ = env.reset(seed=0)
    assert env.observation_space.contains(obs)


def test_the_next_game_starts_in_the_step_that_ends_the_last():
    env = training_env(card("breakout"), 3)
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    lines = run(env, 400)
    before, over = lines[0][0], 0
    for obs, _, terminated, truncated, info in lines[1:]:
        for slot in np.flatnonzero(terminated | truncated):
            assert np.array_equal(info["final_obs"][slot, :-1], before[slot, 1:])  # the old episode
            if info.get("_game_score", np.zeros(3, bool))[slot]:
                over += 1
                assert not obs[slot, :-1].any()  # the new one
        before = obs
    assert over >= 3


def test_a_lost_life_is_an_end_after_which_the_game_goes_on():
    env = training_env(card("breakout", stack_fill="first"), 2)
    lines = run(env, 300)
    lives, lost = lines[0][1]["lives"], 0
    for obs, _, terminated, _, info in lines[1:]:
        over = info.get("_game_score", np.zeros(2, bool))
        assert np.array_equal(terminated, (info["lives"] < lives) | over)
        for slot in np.flatnonzero(terminated & ~over):
            lost += 1
            assert np.array_equal(obs[slot], info["final_obs"][slot])
        lives = info["lives"]
    assert lost > 5


def test_the_score_of_a_whole_game_is_told_unclipped():
    env = training_env(card("qbert"), 2)
    raw = vector_env(card("qbert"), 2, training=True)
    rng = np.random.default_rng(0)
    env.reset(seed=5), raw.reset(seed=5)
    totals, games = np.zeros(2, int), 0
    for actions in rng.integers(0, 6, (600, 2)):
        *_, info = env.step(actions)
        totals += raw.step(actions)[1]
        if "game_score" in info:
            over = info["_game_score"]
            assert np.array_equal(info["game_score"][over], totals[over])
            totals[over] = 0
            games += over.sum()
    assert games >= 2


def test_the_variants_reach_the_last_observation_of_an_episode_too():
    plain = run(training_env(card("breakout"), 2), 80)
    crop = run(training_env(card("breakout", crop=[10, 4, 70, 60]), 2), 80)
    finals = 0
    for (obs, *_, info), (cut, *_, cut_info) in zip(plain, crop, strict=True):
        assert np.array_equal(obs[:, :, 10:80, 4:64], cut)
        if "final_obs" in info:
            finals += 1
            slots = np.flatnonzero(_[1])
            assert np.array_equal(info["final_obs"][slots][:, :, 10:80, 4:64], cut_info["final_obs"][slots])
    assert finals


def test_a_short_episode_is_filled_with_its_first_frame():
    zero = run(training_env(card("breakout", max_frames=8), 1), 5)
    first = run(training_env(card("breakout", max_frames=8, stack_fill="first"), 1), 5)
    assert [bool(line[3][0]) for line in first[1:]] == [False, True] * 2 + [False]
    for old, new in zip(zero, first, strict=True):
        for a, b in [
            (old[0], new[0]),
            *([(old[-1]["final_obs"], new[-1]["final_obs"])] if "final_obs" in old[-1] else []),
        ]:
            real = a[0].any(axis=(1, 2))
            assert np.array_equal(a[0][real], b[0][real])
            assert all(np.array_equal(frame, a[0][real][0]) for frame in b[0][~real])
    assert not zero[2][-1]["final_obs"][0, 0].any()
    assert first[2][-1]["final_obs"][0, 0].any()


def test_a_listed_action_is_the_emulators_own_number():
    listed = training_env(card("pong", action_set=[5, 0, 2]), 1)
    full = training_env(card("pong", action_set="full"), 1)
    assert np.array_equal(listed.reset(seed=1)[0], full.reset(seed=1)[0])
    for mine in np.random.default_rng(0).integers(0, 3, 60):
        obs = listed.step(np.array([mine]))[0]
        assert np.array_equal(obs, full.step(np.array([[5, 0, 2][mine]]))[0])


def test_a_lost_life_ends_an_episode_and_rewards_are_signs():
    lines = run(training_env(card("qbert"), 4), 250)
    rewards = {float(r) for line in lines[1:] for r in line[1]}
    assert rewards <= {-1.0, 0.0, 1.0}
    assert 1.0 in rewards
    assert sum(int(line[2].sum()) for line in lines[1:]) >= 4


def test_the_same_seed_trains_on_the_same_games():
    one, other = (run(training_env(card("breakout"), 2), 50) for _ in range(2))
    for mine, its in zip(one[1:], other[1:], strict=True):
        assert all(map(np.array_equal, mine[:4], its[:4]))


def test_an_environment_keeps_its_autoreset_mode_when_another_is_made():
    train = training_env(card("pong"), 1)
    play = vector_env(card("pong"), 1)
    assert train.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    assert play.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP


def test_a_gymnasium_environment_trains_in_copies():
    env = training_env(find_game("gymnasium/CartPole-v1"), 3)
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    lines = run(env, 60)
    over = [line for line in lines[1:] if line[2].any()]
    assert over
    slot = int(np.flatnonzero(over[0][2])[0])
    assert abs(over[0][-1]["final_obs"][slot][2]) > 0.2  # the pole fell
    assert abs(over[0][0][slot][2]) < 0.05  # and stands again


def test_a_control_task_trains_in_slots_on_its_own_rewards():
    pytest.importorskip("mujoco")
    found = find_game("mujoco/hopper")
    env, game = training_env(found, 3), make_game(found, 3)
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    assert (env.single_observation_space, env.single_action_space) == (game.seats[0].observation, game.seats[0].action)
    rng, ended = np.random.default_rng(0), 0
    first, _ = env.reset(seed=3)
    game.reset(np.ones(3, dtype=np.bool_), np.arange(3))
    game.qpos[:, 1:], game.qvel[:] = first[:, :5], first[:, 5:]
    game.scenes.forward()
    for _ in range(60):
        actions = rng.uniform(-1, 1, (3, 3)).astype(np.float32)
        obs, rewards, terminated, truncated, info = env.step(actions)
        if not ended:  # as the game itself pays, until a first one begins anew
            step = game.step([actions])
            np.testing.assert_allclose(rewards, step.rewards[0], atol=1e-6)
            np.testing.assert_allclose(info.get("final_obs", obs), step.views[0].obs, atol=1e-6)
            assert (terminated == step.terminated).all()
        if terminated.any():
            ended += 1
            assert not info["final_info"]["_outcome"].any()  # nobody has won or lost
            assert set(info["final_info"]["ending"][terminated]) == {"fallen"}
            assert np.abs(obs[terminated][:, 5:]).max() <= 0.005  # and stands again
        assert not truncated.any()
    assert ended


@pytest.mark.parametrize("name", ["atari/pong", "gymnasium/CartPole-v1", "mujoco/hopper"])
def test_training_needs_a_copy(name):
    with pytest.raises(InvalidInput, match="expected at least 1 copy, got 0"):
        training_env(find_game(name), 0)


@pytest.mark.parametrize(("wrong", "said"), WRONG.items())
def test_an_environment_that_misbehaves_in_training_is_one_line(wrong, said):
    learned = training_env(find_game(f"gymnasium/tests.kit.environments:Bad-{wrong}-v0"), 2)
    with pytest.raises(InvalidInput, match=rf"^game gymnasium/.*Bad-{wrong}-v0: {said}"):
        [learned.reset(seed=4), *(learned.step(np.zeros(2, dtype=np.int64)) for _ in range(2))]


@pytest.mark.parametrize("name", ["Maze", "Masked", "Grid", "Buttons"])
def test_what_is_trained_on_is_what_is_played(name):
    card = find_game(f"gymnasium/tests.kit.environments:{name}-v0")
    learned, (seat,) = training_env(card, 2), make_game(card, 1).seats
    assert (learned.single_observation_space, learned.single_action_space) == (seat.observation, seat.action)
    obs, _ = learned.reset(seed=4)
    assert all(map(seat.observation.contains, obs))
    learned.close()
