"""Who touches whom in a duel."""

import numpy as np

from rlattack.games.game import NOBODY
from tests.games.mujoco.made import game_of
from tests.games.random_play import every


class TestTouch:
    """Who is thrown out of the arena has lost only to a player that touched it."""

    def started(self, card, **changes):
        duel = game_of(card("sumo-ants", **changes), 1)
        duel.reset(every(1), np.asarray([0]))
        return duel

    def apart(self, duel, distance):
        """Plays a step of two ants in the air, that far apart."""
        qpos = duel.scenes.bind("qpos")
        qpos[0] = duel.model.qpos0
        qpos[0, [0, 15]] = -distance / 2, distance / 2
        duel.scenes.bind("qvel")[0] = 0
        duel.scenes.forward()
        return duel.step((np.zeros((1, 8)), np.zeros((1, 8))))

    def thrown_out(self, duel):
        """The winner after the second ant flew out of the arena."""
        duel.state.qpos[1, 0, :3] = 10, 0, 3
        duel.scenes.forward()
        step = duel.step((np.zeros((1, 8)), np.zeros((1, 8))))
        assert duel.endings[step.ending[0]] == "out"
        return step.winner[0]

    def test_players_have_touched_once_their_bodies_overlap(self, card):
        duel = self.started(card, rules={"auto_contact": False})
        for distance in (0.4, 2.5):  # and have for the rest of the game
            assert not self.apart(duel, distance).ending[0]
        assert self.thrown_out(duel) == 0

    def test_players_that_stayed_apart_have_not(self, card):
        duel = self.started(card, rules={"auto_contact": False})
        assert not self.apart(duel, 2.5).ending[0]
        assert self.thrown_out(duel) == NOBODY

    def test_contact_is_given_from_the_start_where_the_card_says_so(self, card):
        duel = self.started(card)
        assert not self.apart(duel, 2.5).ending[0]
        assert self.thrown_out(duel) == 0

    def test_it_is_the_keeper_s_touch_of_the_ball_that_counts(self, card):
        duel = game_of(card("kick-and-defend", scene={"max_steps": 1}), 2)
        duel.reset(every(2), np.asarray([0, 0]))
        players, qpos = duel.state.qpos, duel.scenes.bind("qpos")
        for slot, seat in ((0, 0), (1, 1)):
            qpos[slot, :3] = players[seat, slot, :3]  # in the belly
        duel.scenes.forward()
        step = duel.step((np.zeros((2, 17)), np.zeros((2, 17))))
        assert step.winner.tolist() == [1, 1]  # by time
        assert step.sparse[1, 1] - step.sparse[1, 0] == duel.card.rules.touch > 0
