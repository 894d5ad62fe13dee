import dataclasses
import warnings

import gymnasium
import numpy as np
import pytest

from rlattack.errors import ContentError, InvalidInput
from rlattack.games import find_game, make_game
from rlattack.games.card import parse_card
from rlattack.games.game import NOBODY, UNDECIDED

mujoco = pytest.importorskip("mujoco")
pytest.importorskip("imageio", reason="Gymnasium's own tasks import it")
_IDS = {
    "ant": "Ant", "half-cheetah": "HalfCheetah", "hopper": "Hopper", "humanoid": "Humanoid",
    "inverted-pendulum": "InvertedPendulum", "reacher": "Reacher", "swimmer": "Swimmer", "walker2d": "Walker2d",
}  # fmt: skip
_STEPS = 500


def task(name, **changes):
    card = find_game(f"mujoco/{name}")
    return dataclasses.replace(card, task=dataclasses.replace(card.task, **changes))


def every(slots):
    return np.ones(slots, dtype=np.bool_)


def gymnasium_env(name, rules):
    with warnings.catch_warnings(action="ignore"):  # of older versions
        return gymnasium.make(f"{_IDS[name]}-{rules}")


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("hopper", {"rootz": 0, "thigh_joint": 2, "rootx_velocity": 5, "foot_joint_velocity": 10}),
        ("walker2d", {"rooty": 1, "foot_left_joint": 7, "rootx_velocity": 8}),
        ("half-cheetah", {"bthigh": 2, "ffoot": 7, "rootx_velocity": 8}),
        ("swimmer", {"free_body_rot": 0, "slider1_velocity": 3, "motor2_rot_velocity": 7}),
        ("inverted-pendulum", {"slider": 0, "hinge": 1, "hinge_velocity": 3}),
        ("reacher", {"joint1_cos": 1, "joint0_sin": 2, "target_x": 4, "joint0_velocity": 6, "distance_y": 9}),
    ],
)
@pytest.mark.parametrize("rules", ["v5", "v4"])
def test_what_is_seen_has_the_names_that_gymnasium_documents(name, rules, places):
    (seat,) = make_game(task(name, rules=rules), 1).seats
    assert len(set(seat.features)) == len(seat.features) == seat.observation.shape[0]
    assert {one: seat.features.index(one) for one in places} == places


@pytest.mark.parametrize("name", ["ant", "humanoid"])
def test_bodies_that_move_in_space_have_no_names_for_what_they_see(name):
    assert make_game(task(name), 1).seats[0].features == ()


@pytest.mark.parametrize("rules", ["v5", "v4"])
@pytest.mark.parametrize("name", _IDS)
def test_it_is_gymnasium_s_task_to_the_bit(name, rules):
    """Two slots of 500 steps, episodes after each other: what is seen, paid and ended, and by which seeds."""
    slots, seed = 2, 2
    game = make_game(task(name, rules=rules), slots)
    envs = [gymnasium_env(name, rules) for _ in range(slots)]
    (view,) = game.reset(every(slots), np.arange(slots))
    assert (view.obs == [env.reset(seed=slot)[0] for slot, env in enumerate(envs)]).all()
    assert game.seats[0].observation == envs[0].observation_space
    assert game.seats[0].action == envs[0].action_space
    rng, box = np.random.default_rng(0), envs[0].action_space
    for number in range(_STEPS):
        strength = 0.3 if number % 200 < 100 else 1.0  # falls, and long episodes
        actions = (strength * rng.uniform(box.low, box.high, (slots, *box.shape))).astype(np.float32)
        step = game.step([actions])
        seen, paid, terminated, truncated, _ = zip(*map(lambda env, one: env.step(one), envs, actions), strict=True)
        assert (step.views[0].obs == seen).all()
        assert (step.rewards[0] == paid).all()
        assert (step.terminated == terminated).all()
        assert (step.truncated == (np.asarray(truncated) & ~step.terminated)).all()
        over = step.terminated | step.truncated
        seeds = np.arange(seed, seed + over.sum())
        if over.any():
            seed += len(seeds)
            (view,) = game.reset(over, seeds)
            for slot, own in zip(np.flatnonzero(over), seeds, strict=True):
                assert (view.obs[slot] == envs[slot].reset(seed=int(own))[0]).all()


def test_a_task_ends_at_its_last_step_and_nobody_has_won_by_itself():
    game = make_game(task("half-cheetah", max_steps=3), 2)
    game.reset(every(2), np.arange(2))
    steps = [game.step([np.zeros((2, 6))]) for _ in range(3)]
    assert [step.truncated.tolist() for step in steps] == [[False, False], [False, False], [True, True]]
    assert (steps[0].winner == NOBODY).all()
    assert (steps[2].winner == UNDECIDED).all()
    assert game.endings[steps[2].ending[0]] == "time"


def test_a_fall_ends_an_episode_by_the_rules():
    game = make_game(task("hopper"), 1)
    game.reset(every(1), np.asarray([0]))
    for _ in range(200):
        step = game.step([np.ones((1, 3))])
        if step.terminated[0]:
            break
    assert game.endings[step.ending[0]] == "fallen"


def test_actions_are_clipped_to_their_range():
    games = [make_game(task("hopper"), 1) for _ in range(2)]
    for game in games:
        game.reset(every(1), np.asarray([3]))
    (far,), (near,) = (
        game.step([np.full((1, 3), size)]).rewards for game, size in zip(games, (50.0, 1.0), strict=True)
    )
    assert far == near


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_slots_change_nothing(threads):
    alone, many = make_game(task("ant"), 1), make_game(task("ant"), 3, threads=threads)
    alone.reset(every(1), np.asarray([5]))
    many.reset(every(3), np.asarray([4, 5, 6]))
    action = np.full((1, 8), 0.5)
    for _ in range(20):
        one, three = alone.step([action]), many.step([np.repeat(action, 3, axis=0)])
        assert (one.views[0].obs[0] == three.views[0].obs[1]).all()
        assert one.rewards[0, 0] == three.rewards[0, 1]


def test_a_scene_that_diverges_ends_unstable_and_shows_its_start():
    game = make_game(task("half-cheetah"), 2)
    game.reset(every(2), np.arange(2))
    game.qvel[1] = 1e9
    step = game.step([np.zeros((2, 6))])
    assert [game.endings[number] for number in step.ending] == ["", "unstable"]
    assert step.truncated.tolist() == [False, True]
    assert np.isfinite(step.views[0].obs).all()
    assert step.rewards[0, 1] == 0


@pytest.mark.parametrize("name", _IDS)
def test_a_picture_shows_the_body_with_room_and_from_as_far_in_every_posture(name):
    game = make_game(task(name), 1)
    model, data = game.model, mujoco.MjData(game.model)
    game.reset(every(1), np.asarray([0]))
    game.show(0, model, data)
    places = game.must_see(model, data)
    parts = data.geom_xpos[model.geom_bodyid > 0]
    for axis in (0, 2):
        room = 0.1 * np.ptp(places[:, axis])
        assert places[:, axis].min() + room < parts[:, axis].min()
        assert parts[:, axis].max() < places[:, axis].max() - room
    size, begun = np.ptp(places, axis=0), data.xpos[1].copy()
    for _ in range(10):
        game.step([np.ones((1, *game.seats[0].action.shape))])
    game.show(0, model, data)
    now = game.must_see(model, data)
    np.testing.assert_allclose(np.ptp(now, axis=0), size)
    np.testing.assert_allclose(now - places, np.tile(data.xpos[1] - begun, (4, 1)), atol=1e-12)


@pytest.mark.parametrize(
    ("given", "words"),
    [(np.zeros((2, 4)), r"actions of the player: expected shape \(2, 3\), got \(2, 4\)"),
     (np.full((2, 3), np.nan), "actions of the player: expected finite numbers, got nan")],
)  # fmt: skip
def test_actions_that_are_none_are_refused(given, words):
    game = make_game(task("hopper"), 2)
    with pytest.raises(InvalidInput, match=words):
        game.step([given])


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"frame_skip": 0}, "frame_skip: expected more than 0"), ({"noise": -1.0}, "noise: expected 0 or more"),
     ({"z": [2.0, 1.0]}, "z: expected the lower one first"), ({"body": "swimmer"}, "z: expected a body that has z"),
     ({"body": "dog"}, "body expects one of"), ({"rules": "v3"}, "rules expects one of 'v5', 'v4'")],
)  # fmt: skip
def test_a_card_that_makes_no_sense_is_refused(changes, words):
    table = {"body": "hopper", "frame_skip": 4, "max_steps": 1000, "noise": 0.005, "z": [0.7, 1000.0]}
    with pytest.raises(ContentError, match=words):
        parse_card("mujoco/made-up", {"title": "Made up", "task": table | changes})


@pytest.mark.parametrize("changes", [{}, {"duel": {}}])
def test_a_card_of_neither_or_both_kinds_of_tables_is_refused(changes):
    task = {"task": {"body": "hopper", "frame_skip": 4, "max_steps": 1000, "noise": 0.0}} if changes else {}
    with pytest.raises(ContentError, match=r"the table \[duel\] is missing|unknown key 'duel'"):
        parse_card("mujoco/made-up", {"title": "Made up", **task, **changes})
