"""Worlds that behave otherwise, in the engine itself."""

import numpy as np
import pytest

from rlattack.games import find_game, make_game
from rlattack.games.dynamics import parse_region

pytest.importorskip("mujoco")
SLOTS = 3


def made(name="mujoco/hopper", slots=SLOTS):
    game = make_game(find_game(name), slots)
    rng = np.random.default_rng(0)
    acts = [[rng.uniform(-0.4, 0.4, seat.action.shape) for seat in game.seats] for _ in range(12)]
    return game, [[np.stack([one] * slots) for one in act] for act in acts]


def begin(game):
    """Every slot with the same start."""
    return game.reset(np.ones(game.slots, dtype=bool), np.zeros(game.slots, dtype=np.int64))


def shown(game, acts):
    begin(game)
    return np.stack([game.step(act).views[0].obs for act in acts])


def bend(game, text, slots=(1,)):
    region = parse_region(text)
    game.bend(np.asarray(slots), region.parameters, np.tile(region.point, (len(slots), 1)))
    return region.parameters


@pytest.mark.parametrize("name", ["mujoco/hopper", "mujoco/ant", "mujoco/sumo-ants", "mujoco/kick-and-defend"])
def test_a_world_that_is_made_usual_again_plays_as_one_that_was_never_touched(name):
    (game, acts), (other, _) = made(name), made(name)
    bend(other, "mass=2,friction=0.5,gravity=2,wind-x=9", (0, 1, 2))
    other.bend(np.arange(SLOTS), (), np.zeros((SLOTS, 0)))
    assert np.array_equal(shown(game, acts), shown(other, acts))


@pytest.mark.parametrize(
    "text", ["mass=2", "mass@torso=2", "friction@foot=0.1", "gravity=0.5", "wind-x=50", "force-x@torso=3"]
)
def test_a_parameter_changes_its_own_slot_alone_and_the_engine_tells_it(text):
    game, acts = made()
    usual = shown(game, acts)
    parameters = bend(game, text)
    bent = shown(game, acts)
    assert np.array_equal(bent[:, [0, 2]], usual[:, [0, 2]])
    assert not np.array_equal(bent[:, 1], usual[:, 1])
    assert game.bent(parameters)[:, 0] == pytest.approx(
        [parameters[0].usual, *parse_region(text).point, parameters[0].usual]
    )


def test_half_of_gravity_is_half_of_the_fall():
    game, _ = made("mujoco/ant")
    bend(game, "gravity=0.5")
    begin(game)
    game.qpos[:, 2] += 5.0  # where it touches nothing
    before = game.qvel[:, 2].copy()
    game.step([np.zeros((SLOTS, 8))])
    fall = game.qvel[:, 2] - before
    assert fall[1] - fall[0] == pytest.approx(9.81 * 0.05 / 2, rel=1e-3)


def test_a_force_pushes_by_its_size_over_the_mass():
    game, _ = made("mujoco/ant")
    bend(game, "force-y@torso=2")
    begin(game)
    before = game.qvel[:, 1].copy()
    game.step([np.zeros((SLOTS, 8))])
    gained, seconds = game.qvel[:, 1] - before, 0.05
    whole = seconds * 2 / game.model.body_mass.sum()  # what all of it would gain; its legs follow later
    assert gained[1] - gained[0] > whole
    assert gained[2] == gained[0]


def test_a_fork_goes_on_in_the_world_that_was_saved():
    (game, acts), (fork, _) = made(), made(slots=2)
    bend(game, "mass=2,force-x@torso=3")
    begin(game)
    game.step(acts[0])
    fork.restore(np.arange(2), game.save(np.asarray([1, 2])))
    for act in acts[1:4]:
        there, here = game.step(act), fork.step([one[:2] for one in act])
        assert np.array_equal(there.views[0].obs[1:], here.views[0].obs)
    usual, _ = made()
    begin(usual)
    fork.restore(np.arange(1), usual.save(np.asarray([0])))
    assert np.array_equal(fork.step([one[:2] for one in acts[0]]).views[0].obs[0], usual.step(acts[0]).views[0].obs[0])
