import mujoco
import numpy as np
import pytest

from rlattack.errors import InvalidInput
from rlattack.games.game import NOBODY
from tests.games.mujoco.made import game_of
from tests.games.random_play import every, play, random_play, seen_by_all

_ALL = ["you-shall-not-pass", "run-to-goal-humans", "run-to-goal-ants", "sumo-humans", "sumo-ants", "kick-and-defend"]
_ENTRIES = {
    "you-shall-not-pass": 380,
    "run-to-goal-humans": 380,
    "run-to-goal-ants": 122,
    "sumo-humans": 395,
    "sumo-ants": 137,
    "kick-and-defend": 384,
}


def as_in_the_paper(model, data, name, seat, forces, left):
    """An observation by the tables of Bansal et al., from one scene stepped by hand."""
    ball = 7 if name == "kick-and-defend" else 0
    first = 2 if ball else 1
    bodies, joints = 13, (model.nq - ball) // 2
    dofs = joints - 1

    def own(player):
        start = ball + player * joints
        return data.qpos[start : start + joints]

    body = slice(first + seat * bodies, first + (seat + 1) * bodies)
    dof = slice(max(ball - 1, 0) + seat * dofs, max(ball - 1, 0) + (seat + 1) * dofs)
    mine, other = own(seat), own(1 - seat)
    felt = np.clip(forces[body], -1, 1).ravel()
    full = [data.cinert[body].ravel(), data.cvel[body].ravel(), data.qfrc_actuator[dof], felt]
    if name in ("you-shall-not-pass", "run-to-goal-humans"):
        parts = [mine, data.qvel[dof], *full, other]
    elif name == "run-to-goal-ants":
        parts = [mine, data.qvel[dof], felt, other]
    elif name == "kick-and-defend":
        x, y, z = data.qpos[:3]
        away = [other[:2] - mine[:2], other[2:], data.qpos[:2] - mine[:2]]
        parts = [mine[2:], data.qvel[dof], *full, *away, [z, 4 - x, 3 - y, -3 - y]]
    else:
        radius = model.geom("arena").size[0]
        inside = [radius - np.hypot(*at[:2]) for at in (mine, other)]
        numbers = [radius, *inside, left]
        turn = data.xmat[first + seat * bodies]
        me = full if name == "sumo-humans" else [felt]
        parts = [mine, data.qvel[dof], *me, other, other[:2] - mine[:2], turn, numbers]
    return np.concatenate(parts).astype(np.float32)


@pytest.mark.parametrize("name", _ALL)
def test_a_plain_loop_over_mj_step_sees_the_same_to_the_bit(card, name):
    game = card(name)
    duel = game_of(game, 2)
    views = duel.reset(every(2), np.asarray([3, 4]))
    model, data = duel.model, mujoco.MjData(duel.model)
    duel.show(1, model, data)  # the radius of the arena of that slot too
    start = data.qpos.copy(), data.qvel.copy()
    mujoco.mj_resetData(model, data)
    data.qpos[:], data.qvel[:] = start
    mujoco.mj_forward(model, data)
    mujoco.mj_rnePostConstraint(model, data)
    forces = data.cfrc_ext.copy()
    for elapsed, actions in enumerate([None, *random_play(duel, 40, size=0.5)]):
        if actions is not None:
            views = duel.step(tuple(actions)).views
            data.ctrl[:] = np.concatenate(actions[:, 1])
            mujoco.mj_step(model, data, 4)
            mujoco.mj_forward(model, data)
            mujoco.mj_rnePostConstraint(model, data)
            forces = data.cfrc_ext.copy()
            mujoco.mj_step(model, data)
        for seat in (0, 1):
            expected = as_in_the_paper(model, data, name, seat, forces, 500 - elapsed)
            assert expected.shape == (_ENTRIES[name],)
            assert (views[seat].obs[1] == expected).all(), (elapsed, seat)


@pytest.mark.parametrize("name", _ALL)
def test_spaces_are_those_of_the_original(card, name):
    duel = game_of(card(name), 3)
    views = duel.reset(every(3), np.arange(3))
    most = 1.0 if "ants" in name else 0.4
    for seat in (0, 1):
        assert views[seat].obs.shape == (3, _ENTRIES[name])
        assert views[seat].obs.dtype == np.float32
        assert duel.seats[seat].observation.shape == (_ENTRIES[name],)
        assert (duel.seats[seat].action.low == np.float32(-most)).all()
        assert (duel.seats[seat].action.high == np.float32(most)).all()
        assert views[seat].turn.all()
    assert duel.seats[0].action is not duel.seats[1].action


def starts(duel, episodes):
    """Own qpos of both players at the start of many episodes, (2, episodes, nq), and all of the scenes' state."""
    places, states = [], []
    for seed in range(0, episodes, duel.slots):
        view, _ = duel.reset(every(duel.slots), np.arange(seed, seed + duel.slots))
        places.append(duel.state.qpos.copy())
        radius = view.obs[:, -4:-3]  # in sumo
        states.append(np.concatenate([duel.scenes.bind("qpos"), duel.scenes.bind("qvel"), radius], axis=1))
    return np.concatenate(places, axis=1), np.concatenate(states)


class TestReset:
    def test_noise_is_uniform_on_places_and_normal_on_speeds(self, card):
        duel = game_of(card("run-to-goal-ants"), 50)
        places, states = starts(duel, 400)
        moved = places - duel.model.qpos0.reshape(2, 1, 15)
        moved = np.delete(moved, slice(3, 7), axis=2)
        assert np.abs(moved).max() <= 0.1
        assert (moved.min(axis=1) < -0.09).all()
        assert (moved.max(axis=1) > 0.09).all()
        speeds = states[:, 30:58]
        assert speeds.std() == pytest.approx(0.1, rel=0.03)
        assert np.abs(speeds.mean(axis=0)).max() < 0.025

    @pytest.mark.parametrize("name", ["you-shall-not-pass", "kick-and-defend"])
    def test_quaternions_are_unit_ones_as_in_the_engine_of_2018(self, card, name):
        duel = game_of(card(name), 10)
        places, states = starts(duel, 10)
        assert np.linalg.norm(places[..., 3:7], axis=2) == pytest.approx(np.ones((2, 10)), abs=1e-12)
        assert (np.abs(places[..., 3:7] - duel.model.qpos0[-24:][3:7]).max(axis=2) > 1e-3).any()
        if name == "kick-and-defend":
            assert np.linalg.norm(states[:, 3:7], axis=1) == pytest.approx(np.ones(10), abs=1e-12)

    @pytest.mark.parametrize(("name", "low", "high"), [("sumo-humans", 1.5, 3.5), ("sumo-ants", 2.5, 4.5)])
    def test_sumo_draws_the_arena_and_a_place_for_each_on_its_own_side(self, card, name, low, high):
        duel = game_of(card(name), 50)
        places, states = starts(duel, 500)
        radius, gap = states[:, -1], 0.3 + low / 2
        assert (radius.min(), radius.max()) == (pytest.approx(low, abs=0.05), pytest.approx(high, abs=0.05))
        for seat, side in ((0, -1), (1, 1)):
            x, y, z = places[seat, :, :3].T
            assert (side * x >= 0.3).all()
            assert (side * x <= radius - gap).all()
            assert (np.abs(y) <= np.sqrt(radius**2 - x**2) - gap).all()
            assert np.abs(z - 2.5).max() <= 0.1
            assert np.abs(y).max() > (high - gap) * 0.6
        assert duel.scenes.expand("geom_size")[:, duel.model.geom("arena").id, 0] == pytest.approx(radius[-50:])

    def test_kick_and_defend_draws_the_places_of_players_and_ball(self, card):
        places, states = starts(game_of(card("kick-and-defend"), 50), 500)
        ranges = [(places[0], (-3.5, -0.5, -2, 2)), (places[1], (1.6, 3.5, -2, 2)), (states, (-2, 1, -4, 4))]
        for rows, (low_x, high_x, low_y, high_y) in ranges:
            for column, low, high in ((0, low_x, high_x), (1, low_y, high_y)):
                drawn = rows[..., column]
                assert low <= drawn.min() < low + 0.1
                assert high - 0.1 < drawn.max() <= high
        assert (states[:, 2] == 0.35).all()
        speed = states[:, 55:58]
        back = speed[:, 0] == 0.1
        assert 0.4 < back.mean() < 0.6
        assert (speed[back] == 0.1).all()
        assert (speed[:, 0] > 0).all()

    def test_only_the_slots_of_the_mask_start_anew(self, card):
        duel = game_of(card("sumo-ants"), 3)
        duel.reset(every(3), np.arange(3))
        play(duel, random_play(duel, 3))
        before, left = duel.scenes.bind("qpos").copy(), duel.elapsed.copy()
        views = duel.reset(np.asarray([False, True, False]), np.asarray([7]))
        assert (duel.scenes.bind("qpos")[[0, 2]] == before[[0, 2]]).all()
        assert (duel.scenes.bind("qpos")[1] != before[1]).any()
        assert (left.tolist(), duel.elapsed.tolist()) == ([3, 3, 3], [3, 0, 3])
        assert views[0].obs[:, -1].tolist() == [497, 500, 497]

    def test_no_slot_to_start_changes_nothing(self, card):
        duel = game_of(card("sumo-ants"), 2)
        before = duel.reset(every(2), np.arange(2))
        after = duel.reset(~every(2), np.asarray([], dtype=np.int64))
        assert (seen_by_all(before) == seen_by_all(after)).all()

    def test_a_seed_too_few_is_refused(self, card):
        with pytest.raises(InvalidInput, match="expected one seed for each of 2 slots"):
            game_of(card("sumo-ants"), 2).reset(every(2), np.asarray([1]))


class TestSameSeed:
    @pytest.mark.parametrize("name", ["you-shall-not-pass", "sumo-ants", "kick-and-defend"])
    def test_an_episode_is_the_same_in_any_slot_of_any_number_with_any_threads(self, card, name):
        masks = {0: "noise", 1: "noise"}
        few = game_of(card(name), 2, threads=1, hidden=masks)
        many = game_of(card(name), 5, threads=3, hidden=masks)
        few.reset(every(2), np.asarray([11, 12]))
        many.reset(every(5), np.asarray([5, 12, 9, 11, 1]))
        actions = random_play(many, 25, size=0.4)
        wide, narrow = play(many, actions), play(few, actions[:, :, [3, 1]])
        for all_slots, two in zip(wide, narrow, strict=True):
            assert (all_slots[:, :, [3, 1]] == two).all()

    def test_an_episode_does_not_know_what_was_played_before(self, card):
        duel = game_of(card("sumo-humans"), 1)
        actions = random_play(duel, 20)
        duel.reset(every(1), np.asarray([1]))
        first = play(duel, actions)
        duel.reset(every(1), np.asarray([2]))
        play(duel, actions)
        duel.reset(every(1), np.asarray([1]))
        assert all((now == then).all() for now, then in zip(play(duel, actions), first, strict=True))


class TestActions:
    def test_actions_beyond_the_range_move_as_those_at_its_edge_but_cost_more(self, card):
        one, other = game_of(card("run-to-goal-ants"), 1), game_of(card("run-to-goal-ants"), 1)
        for duel in (one, other):
            duel.reset(every(1), np.asarray([0]))
        huge, edge = (np.full((1, 8), size, dtype=np.float32) for size in (1e20, 1.0))
        far, near = one.step((huge, huge)), other.step((edge, edge))
        assert (seen_by_all(far.views) == seen_by_all(near.views)).all()
        assert (far.rewards < near.rewards - 1e30).all()

    @pytest.mark.parametrize("number", [np.nan, np.inf])
    def test_actions_that_are_not_finite_are_refused_before_anything_moves(self, card, number):
        duel = game_of(card("you-shall-not-pass"), 2)
        duel.reset(every(2), np.arange(2))
        before = duel.scenes.bind("qpos").copy()
        first, second = random_play(duel, 1)[0]
        second[1, 4] = number
        with pytest.raises(InvalidInput, match=f"actions of the runner: expected finite numbers, got {number}"):
            duel.step((first, second))
        assert (duel.scenes.bind("qpos") == before).all()

    def test_actions_of_another_shape_are_refused(self, card):
        duel = game_of(card("you-shall-not-pass"), 2)
        with pytest.raises(InvalidInput, match=r"actions of the blocker: expected shape \(2, 17\), got \(2, 8\)"):
            duel.step((np.zeros((2, 8)), np.zeros((2, 17))))


class TestLimit:
    @pytest.mark.parametrize(("name", "cut"), [("run-to-goal-ants", True), ("you-shall-not-pass", False)])
    def test_time_cuts_a_game_that_has_no_limit_in_the_original_and_decides_the_others(self, card, name, cut):
        duel = game_of(card(name, scene={"max_steps": 3}), 1)
        duel.reset(every(1), np.asarray([0]))
        steps = [duel.step(tuple(actions)) for actions in random_play(duel, 3, size=0.0)]
        assert [duel.endings[step.ending[0]] for step in steps] == ["", "", "time"]
        assert (steps[-1].truncated[0], steps[-1].terminated[0]) == (cut, not cut)
        assert steps[-1].winner[0] == (NOBODY if cut else 0)


def test_a_slot_that_is_not_there_cannot_be_shown(card):
    duel = game_of(card("sumo-ants"), 2)
    with pytest.raises(InvalidInput, match="slot: expected 0 to 1, got 2"):
        duel.show(2, duel.model, mujoco.MjData(duel.model))
