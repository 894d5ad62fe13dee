"""What a batched game hides from a seat, and what it does when the physics break down."""

import mujoco
import numpy as np
import pytest

from rlattack.errors import InvalidInput
from rlattack.games.game import NOBODY
from tests.games.mujoco.made import game_of
from tests.games.random_play import every, play, random_play, seen_by_all


class TestMasks:
    @pytest.mark.parametrize(
        ("name", "hidden"),
        [
            ("you-shall-not-pass", range(356, 380)),
            ("run-to-goal-ants", range(107, 122)),
            ("sumo-ants", [*range(107, 124), 135]),
            ("kick-and-defend", range(354, 378)),
        ],
    )
    @pytest.mark.parametrize("mask", ["initial", "zero", "noise"])
    def test_what_is_hidden_tells_nothing_and_all_else_is_as_before(self, card, name, hidden, mask):
        plain, masked = game_of(card(name), 2), game_of(card(name), 2, hidden={1: mask})
        for duel in (plain, masked):
            duel.reset(every(2), np.arange(2))
        actions = random_play(plain, 5)
        (seen, rewards), (half_seen, same_rewards) = play(plain, actions), play(masked, actions)
        assert (seen[:, 0] == half_seen[:, 0]).all()
        assert (rewards == same_rewards).all()
        open_to_all = np.delete(np.arange(seen.shape[3]), list(hidden))
        assert (seen[:, 1][..., open_to_all] == half_seen[:, 1][..., open_to_all]).all()
        assert (seen[:, 1][..., list(hidden)] != half_seen[:, 1][..., list(hidden)]).mean() > 0.9

    def test_the_other_player_stands_where_the_scene_has_it_or_at_zero(self, card):
        at_start = game_of(card("you-shall-not-pass"), 1, hidden={0: "initial", 1: "zero"})
        obs = seen_by_all(at_start.reset(every(1), np.asarray([3])))
        assert obs[0][0, 356:380] == pytest.approx([1, 0, 1.4, 0, 0, 0, 1, *[0] * 17], abs=1e-6)
        assert not obs[1][0, 356:380].any()
        _, other = game_of(card("you-shall-not-pass"), 1, hidden={1: "initial"}).reset(every(1), np.asarray([3]))
        assert other.obs[0, 356:380] == pytest.approx([-1, 0, 1.4, 1, *[0] * 20], abs=1e-6)

    def test_distances_follow_from_where_a_hidden_player_seems_to_be(self, card):
        view, _ = game_of(card("sumo-ants"), 1, hidden={0: "initial"}).reset(every(1), np.asarray([3]))
        obs = view.obs[0]
        assert obs[122:124] == pytest.approx(np.asarray([1, 0]) - obs[:2], abs=1e-6)
        assert obs[135] == pytest.approx(obs[133] - 1, abs=1e-6)

    def test_noise_is_normal_and_new_each_step_and_of_each_seat_its_own(self, card):
        game = card("you-shall-not-pass")
        plain, noised = game_of(game, 20), game_of(game, 20, hidden={0: "noise", 1: "noise"})
        for duel in (plain, noised):
            duel.reset(every(20), np.arange(20))
        actions = random_play(plain, 10)
        noise = (play(noised, actions)[0] - play(plain, actions)[0])[..., 356:380]
        assert noise.std() == pytest.approx(1, abs=0.03)
        assert abs(noise.mean()) < 0.03
        assert np.abs(np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1]) < 0.04
        assert np.abs(np.corrcoef(noise[:, 0].ravel(), noise[:, 1].ravel())[0, 1]) < 0.04

    def test_an_idle_slot_may_be_stepped_beyond_the_end(self, card):
        duel = game_of(card("run-to-goal-ants", scene={"max_steps": 2}), 1, hidden={0: "noise"})
        duel.reset(every(1), np.asarray([0]))
        seen, _ = play(duel, random_play(duel, 4))
        assert np.isfinite(seen).all()

    @pytest.mark.parametrize("masks", [{2: "zero"}, {0: "blind"}])
    def test_another_seat_or_mask_is_refused(self, card, masks):
        with pytest.raises(InvalidInput, match="mask: expected seat 0 or 1 and one of initial, zero, noise, got"):
            game_of(card("sumo-ants"), 1, hidden=masks)


class TestUnstable:
    def test_a_scene_that_breaks_down_ends_and_the_others_do_not_notice(self, card):
        whole, broken = game_of(card("sumo-humans"), 3, threads=2), game_of(card("sumo-humans"), 3, threads=2)
        for duel in (whole, broken):
            duel.reset(every(3), np.arange(3))
        actions = random_play(whole, 8)
        (seen, rewards), (seen_too, rewards_too) = play(whole, actions[:4]), play(broken, actions[:4])
        assert (seen == seen_too).all()
        broken.scenes.bind("qvel")[1] = 1e9  # a player that the solver threw away
        step = broken.step(tuple(actions[4]))
        clean = whole.step(tuple(actions[4]))
        assert broken.endings[step.ending[1]] == "unstable"
        assert step.truncated.tolist() == [False, True, False]
        assert not step.terminated.any()
        assert (step.winner == NOBODY).all()
        assert not step.rewards[:, 1].any()
        assert not step.sparse[:, 1].any()
        assert np.isfinite(seen_by_all(step.views)).all()
        assert (seen_by_all(step.views)[:, [0, 2]] == seen_by_all(clean.views)[:, [0, 2]]).all()
        (seen, rewards), (seen_too, rewards_too) = play(whole, actions[5:]), play(broken, actions[5:])
        assert (seen[:, :, [0, 2]] == seen_too[:, :, [0, 2]]).all()
        assert (rewards[:, :, [0, 2]] == rewards_too[:, :, [0, 2]]).all()

    def test_a_slot_plays_again_after_it_broke_down(self, card):
        duel, fresh = game_of(card("sumo-ants"), 1), game_of(card("sumo-ants"), 1)
        actions = random_play(duel, 5)
        duel.reset(every(1), np.asarray([0]))
        duel.scenes.bind("qpos")[0, 4] = np.nan
        assert duel.step(tuple(actions[0])).truncated.all()
        for game in (duel, fresh):
            game.reset(every(1), np.asarray([1]))
        assert all((now == then).all() for now, then in zip(play(duel, actions), play(fresh, actions), strict=True))

    def test_an_error_of_the_engine_ends_that_slot_only(self, card, monkeypatch):
        duel = game_of(card("sumo-ants"), 3)
        duel.reset(every(3), np.arange(3))
        step = type(duel.scenes).step

        def fails(batch, **options):
            step(batch, **options)
            raise mujoco.batch.SimulationError(np.asarray([2]), "out of memory")

        monkeypatch.setattr(type(duel.scenes), "step", fails)
        assert duel.step(tuple(random_play(duel, 1)[0])).truncated.tolist() == [False, False, True]

    def test_too_long_a_timestep_shows_finite_numbers_and_leaves_no_log(self, card, monkeypatch, tmp_path, capfd):
        monkeypatch.chdir(tmp_path)
        duel = game_of(card("you-shall-not-pass", scene={"timestep": 0.02}), 2, threads=2)
        duel.reset(every(2), np.arange(2))
        steps = [duel.step(tuple(actions)) for actions in random_play(duel, 12)]
        assert any(step.truncated.any() for step in steps)
        for step in steps:
            assert np.isfinite(seen_by_all(step.views)).all()
            assert np.isfinite(step.rewards).all()
        assert list(tmp_path.iterdir()) == []
        assert capfd.readouterr() == ("", "")


def test_more_games_than_memory_holds_are_refused(card):
    with pytest.raises(InvalidInput, match=r"no memory for 2,000,000,000 games at once .*; choose fewer --envs"):
        game_of(card("sumo-ants"), 2_000_000_000)
