"""Every ending, reward and quirk of the four kinds of games, in situations worked out by hand."""

import dataclasses

import numpy as np
import pytest

from rlattack.games.game import NOBODY
from rlattack.games.mujoco.rules import ENDINGS, Seen, judge


def seen(**changes):
    """One slot in which nothing happens: both players stand, nobody moves, and there is time."""
    standing = {
        "torso": [[-1.0, 0.0, 1.4], [1.0, 0.0, 1.4]], "com": [-1.0, 1.0], "actions": np.zeros((2, 17)),
        "forces": np.zeros((2, 78)), "last": False, "touched": False, "radius": 3.0, "ball": [0.0, 0.0, 0.15],
        "ball_velocity": [0.0, 0.0, 0.0],
    }  # fmt: skip
    values = standing | changes
    values.setdefault("com_before", values["com"])
    values.setdefault("clipped", np.clip(values["actions"], -0.4, 0.4))
    seats = ("torso", "com", "com_before", "actions", "clipped", "forces")
    arrays = {
        name: np.asarray(value)[:, None] if name in seats else np.asarray(value)[None] for name, value in values.items()
    }
    return Seen(**arrays)


def verdict(card, **changes):
    """Winner, ending, and sparse rewards of one slot."""
    found = judge(card.rules, card.reward, seen(**changes))
    return int(found.winner[0]), ENDINGS[found.ending[0]], found.sparse[:, 0].tolist()


def dense(card, **changes):
    return judge(card.rules, card.reward, seen(**changes)).dense[:, 0].tolist()


GOES_ON = (NOBODY, "", [0, 0])


class TestRunToGoal:
    @pytest.fixture
    def ants(self, card):
        return card("run-to-goal-ants")

    @pytest.fixture
    def humans(self, card):
        return card("run-to-goal-humans")

    @pytest.mark.parametrize(
        ("com", "expected"),
        [
            ([4.1, 1.0], (0, "goal", [1000, -1000])),
            ([0.0, -4.1], (1, "goal", [-1000, 1000])),
            ([4.1, -4.1], (NOBODY, "goal", [0, 0])),
            ([4.0, -4.0], GOES_ON),
            ([-4.1, 4.1], GOES_ON),
        ],
    )
    def test_the_first_across_the_line_behind_the_other_wins(self, ants, com, expected):
        assert verdict(ants, com=com) == expected

    @pytest.mark.parametrize(
        ("heights", "expected"),
        [([0.27, 0.27], (NOBODY, "fallen", [0, 0])), ([0.27, 0.3], GOES_ON), ([0.28, 0.28], GOES_ON)],
    )
    def test_it_is_over_when_both_have_fallen_and_nobody_wins(self, ants, heights, expected):
        assert verdict(ants, torso=[[-1, 0, heights[0]], [1, 0, heights[1]]]) == expected

    def test_humanoids_have_fallen_at_0_8(self, humans):
        assert verdict(humans, torso=[[-1, 0, 0.79], [1, 0, 0.79]]) == (NOBODY, "fallen", [0, 0])
        assert verdict(humans, torso=[[-1, 0, 0.8], [1, 0, 0.79]]) == GOES_ON

    def test_who_crosses_as_both_fall_or_at_the_end_has_won(self, ants):
        assert verdict(ants, com=[4.1, 0], torso=[[4, 0, 0.1], [0, 0, 0.1]], last=True) == (0, "goal", [1000, -1000])

    def test_time_is_a_tie(self, ants):
        assert verdict(ants, last=True) == (NOBODY, "time", [0, 0])

    def test_an_ant_earns_its_speed_and_pays_for_actions_as_given_and_for_clipped_forces(self, ants):
        actions = np.zeros((2, 8))
        actions[0, 0], forces = 2.0, np.zeros((2, 78))
        forces[1, :2] = 3.0, -0.5
        first, second = dense(
            ants, com=[-0.9, 0.8], com_before=[-1.0, 1.0], actions=actions, clipped=np.clip(actions, -1, 1),
            forces=forces, torso=[[-1, 0, 0.28], [1, 0, 0.279]],
        )  # fmt: skip
        assert first == pytest.approx(0.1 / 0.05 - 0.5 * 4 + 1)
        assert second == pytest.approx(0.2 / 0.05 - 0.5e-3 * (1 + 0.25) - 1)

    def test_a_humanoid_earns_its_way_in_a_timestep_and_pays_for_its_distance(self, humans):
        actions, forces = np.zeros((2, 17)), np.zeros((2, 78))
        actions[0, 0], forces[0, 0], forces[1, 0] = 2.0, 1000.0, 1e6
        first, second = dense(
            humans, com=[-0.97, 1.03], com_before=[-1.0, 1.0], actions=actions, forces=forces,
            torso=[[-1, 0, 1.0], [1, 0, 0.99]],
        )  # fmt: skip
        assert first == pytest.approx(0.25 * 0.03 / 0.003 - 0.1 * 4 - 0.5e-6 * 1e6 + 5 - 5)
        assert second == pytest.approx(-0.25 * 0.03 / 0.003 - 10 - 5 - 5)


class TestYouShallNotPass:
    @pytest.fixture
    def game(self, card):
        return card("you-shall-not-pass")

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"com": [0, -4.1]}, (1, "goal", [-1000, 1000])),
            ({"com": [0, -4.1], "torso": [[0, 0, 1.4], [-4, 0, 0.2]], "last": True}, (1, "goal", [-1000, 1000])),
            ({"torso": [[0, 0, 1.4], [0, 0, 0.3]]}, (0, "fallen", [1000, -1000])),
            ({"torso": [[0, 0, 0.31], [0, 0, 0.2]]}, (0, "fallen", [1000, -1000])),
            ({"torso": [[0, 0, 0.3], [0, 0, 0.2]]}, (0, "fallen", [0, -1000])),
            ({"torso": [[0, 0, 1.4], [0, 0, 0.2]], "last": True}, (0, "fallen", [1000, -1000])),
            ({"last": True}, (0, "time", [0, -1000])),
            ({"torso": [[0, 0, 0.1], [0, 0, 0.31]]}, GOES_ON),
            ({"com": [4.1, 0]}, GOES_ON),
            ({"com": [-4.1, -4.0]}, GOES_ON),
        ],
    )
    def test_the_runner_wins_by_the_line_and_the_blocker_by_a_fall_or_time(self, game, changes, expected):
        assert verdict(game, **changes) == expected

    def test_the_blocker_earns_no_way_and_the_runner_its_own(self, game):
        actions = np.zeros((2, 17))
        actions[:, 0] = 2.0
        first, second = dense(
            game, com=[-0.9, 0.97], com_before=[-1, 1], actions=actions, torso=[[-1, 0, 0.9], [1, 2, 1]]
        )
        assert first == pytest.approx(-0.1 * 4 - 5)
        assert second == pytest.approx(0.25 * 0.03 / 0.003 - 0.1 * 4 + 5 - 5)


class TestSumo:
    @pytest.fixture
    def humans(self, card):
        return card("sumo-humans")

    @pytest.mark.parametrize(
        ("first", "second", "touched", "expected"),
        [
            ([0, 0, 1.0], [1, 0, 1.4], True, (1, "fallen", [-1000, 1000])),
            ([0, 0, 1.4], [1, 0, 1.0], True, (0, "fallen", [1000, -1000])),
            ([0, 0, 1.4], [1, 0, 1.0], False, (NOBODY, "fallen", [0, -1000])),
            ([0, 0, 1.0], [1, 0, 1.0], True, (NOBODY, "fallen", [-1000, -1000])),
            ([0, 0, 1.01], [1, 0, 1.01], True, GOES_ON),
            ([0, 3.01, 1.4], [1, 0, 1.4], True, (1, "out", [-1000, 1000])),
            ([0, 0, 1.4], [2.2, 2.2, 1.4], True, (0, "out", [1000, -1000])),
            ([0, 0, 1.4], [2.2, 2.2, 1.4], False, (NOBODY, "out", [0, -1000])),
            ([-3.1, 0, 1.4], [3.1, 0, 1.4], True, (NOBODY, "out", [-1000, -1000])),
            ([0, 3, 1.4], [3, 0, 1.4], True, GOES_ON),
            ([0, 0, 1.0], [3.1, 0, 1.4], True, (1, "fallen", [-1000, 1000])),
        ],
    )
    def test_fallen_comes_before_out_and_a_winner_needs_a_contact(self, humans, first, second, touched, expected):
        assert verdict(humans, torso=[first, second], touched=touched) == expected

    def test_both_lose_by_time(self, humans):
        assert verdict(humans, last=True, touched=True) == (NOBODY, "time", [-1000, -1000])

    def test_a_fall_in_the_last_step_is_a_fall(self, humans):
        found = verdict(humans, torso=[[0, 0, 0.9], [1, 0, 1.4]], last=True, touched=True)
        assert found == (1, "fallen", [-1000, 1000])

    def test_an_ant_has_fallen_at_0_8(self, card):
        ants = card("sumo-ants")
        assert verdict(ants, torso=[[0, 0, 0.8], [1, 0, 0.81]], touched=True) == (1, "fallen", [-1000, 1000])

    def test_a_fighter_pays_for_its_distance_from_the_middle(self, humans):
        actions, forces = np.zeros((2, 17)), np.zeros((2, 78))
        actions[0, 0], forces[1, 0] = 2.0, 1000.0
        first, second = dense(humans, torso=[[-3, 4, 1.5], [1, 0, 1.49]], actions=actions, forces=forces, radius=9.0)
        assert first == pytest.approx(-5 - 0.1 * 0.16 + 5)
        assert second == pytest.approx(-1 - 0.5 - 5)

    def test_ants_pay_for_actions_as_given(self, card):
        actions = np.zeros((2, 8))
        actions[0, 0] = 2.0
        torso = [[0, 0, 0.78], [0, 0, 0.77]]
        first, second = dense(card("sumo-ants"), torso=torso, actions=actions, clipped=np.clip(actions, -1, 1))
        assert (first, second) == (pytest.approx(-0.1 * 4 + 5), pytest.approx(-5))


class TestKickAndDefend:
    @pytest.fixture
    def game(self, card):
        return card("kick-and-defend")

    places = ([-1.0, 0.0, 1.4], [3.0, 0.0, 1.4])

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"ball": [4.1, 3.0, 0.2]}, (0, "goal", [1000, -1000])),
            ({"ball": [4.1, -2.0, 0.2], "last": True}, (0, "goal", [1000, -1000])),
            ({"ball": [4.1, 3.1, 0.2]}, (1, "out", [-1000, 1500])),
            ({"ball": [4.0, 0.0, 0.2]}, GOES_ON),
            ({"last": True}, (1, "time", [-1000, 1500])),
            ({"last": True, "touched": True}, (1, "time", [-1000, 2000])),
            ({"last": True, "torso": [[-1, 0, 1.4], [3, 0, 0.8]]}, (1, "time", [-1000, 1000])),
            ({"ball_velocity": [-0.1, 1.0, 0.0], "touched": True}, (1, "stopped", [-1000, 2000])),
            ({"ball_velocity": [-1.0, 0.0, 0.0]}, GOES_ON),
            ({"ball_velocity": [0.1, 3.0, 0.0]}, GOES_ON),
            ({"torso": [[-1, 0, 0.79], [3, 0, 0.5]]}, (1, "fallen", [-1000, 1000])),
            ({"torso": [[-1, 0, 0.79], [3, 0, 0.51]]}, GOES_ON),
            ({"torso": [[-1, 0, 0.8], [3, 0, 0.5]]}, GOES_ON),
            ({"torso": [[-1, 0, 1.4], [1.4, 0, 1.4]]}, (NOBODY, "foul", [0, -1000])),
            ({"torso": [[-1, 0, 1.4], [6.6, 0, 1.4]]}, (NOBODY, "foul", [0, -1000])),
            ({"torso": [[-1, 0, 1.4], [1.5, 0, 1.4]]}, GOES_ON),
            ({"torso": [[-1, 0, 1.4], [1.4, 0, 1.4]], "last": True}, (1, "time", [-1000, 1500])),
        ],
    )
    def test_a_goal_is_the_kicker_s_and_all_else_but_a_foul_the_keeper_s(self, game, changes, expected):
        assert verdict(game, **({"torso": self.places} | changes)) == expected

    def test_the_kicker_earns_its_way_and_pays_for_its_distance_from_the_ball(self, game):
        actions = np.zeros((2, 17))
        actions[:, 0] = 2.0
        first, _ = dense(
            game, torso=[[-1, 0, 1.0], [3, 0, 1.4]], ball=[2.0, 4.0, 0.2], com=[-0.97, 3], com_before=[-1, 3],
            actions=actions,
        )  # fmt: skip
        assert first == pytest.approx(0.25 * 0.03 / 0.003 - 0.1 * 0.16 + 5 - 5)

    @pytest.mark.parametrize(
        ("place", "alive"),
        [
            ([4.05, 3.0, 1.0], 5), ([4.06, 0.0, 1.4], -5), ([3.0, -3.1, 1.4], -5), ([3.0, 0.0, 0.99], -5),
        ],
    )  # fmt: skip
    def test_the_keeper_is_paid_for_standing_before_its_goal(self, game, place, alive):
        actions = np.zeros((2, 17))
        actions[1, 0] = 2.0
        _, second = dense(game, torso=[[-1, 0, 1.4], place], com=[0, 3], com_before=[0, 1], actions=actions)
        assert second == pytest.approx(-0.1 * 0.16 + alive)


def test_slots_are_judged_each_by_itself(card):
    game = card("you-shall-not-pass")
    slots = [seen(com=[0, -4.1]), seen(), seen(last=True)]
    names = [field.name for field in dataclasses.fields(Seen)]
    axis = {name: 0 if name in ("last", "touched", "radius", "ball", "ball_velocity") else 1 for name in names}
    both = Seen(**{name: np.concatenate([getattr(slot, name) for slot in slots], axis=axis[name]) for name in names})
    found = judge(game.rules, game.reward, both)
    assert found.winner.tolist() == [1, NOBODY, 0]
    assert [ENDINGS[number] for number in found.ending] == ["goal", "", "time"]
    assert found.sparse.tolist() == [[-1000, 0, 0], [1000, 0, -1000]]
