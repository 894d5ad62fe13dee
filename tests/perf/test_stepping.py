import numpy as np
import pytest

from rlattack.perf import seat_victim
from rlattack.perf.stepping import STEPS, PlainScenes, SteppedPlay, measure_stepping
from tests.kit.agents import gaussian_agent

mujoco = pytest.importorskip("mujoco")
GAME = "mujoco/sumo-ants"


class Watched(SteppedPlay):
    """Tells in which slots a game of the last turn ended and another one began."""

    begun = np.False_

    def turn(self):
        self.begun = np.zeros(self.slots, dtype=np.bool_)
        super().turn()

    def reset(self, mask, seeds):
        self.begun = self.begun | mask
        return super().reset(mask, seeds)


@pytest.fixture
def table(tmp_path):
    return seat_victim(GAME, gaussian_agent(tmp_path / "one", GAME, 137, 8, hidden=(8,), memory=4))


def test_mujoco_alone_plays_the_same_to_the_bit(table):
    play = Watched(table, 3)
    again, now = PlainScenes(play.game), PlainScenes(play.game)
    for _ in range(3):
        again.start()
        play.turn()
        assert [one.shape for one in play.controls] == [(3, 16)] * STEPS
        again.turn(play.controls)
        now.start()  # where everything stands in the game
        going_on = np.flatnonzero(~play.begun)
        assert len(going_on)
        for slot in going_on:
            np.testing.assert_array_equal(again.data[slot].qpos, now.data[slot].qpos)
            np.testing.assert_array_equal(again.data[slot].qvel, now.data[slot].qvel)
    assert np.abs(play.controls).max() <= 1


def test_mujoco_alone_steps_all_substeps_of_a_turn(table):
    play = SteppedPlay(table, 2)
    again = PlainScenes(play.game)
    again.start()
    before = [data.time for data in again.data]
    play.turn()
    again.turn(play.controls)
    scene = play.game.card.scene
    for data, begun in zip(again.data, before, strict=True):
        assert data.time - begun == pytest.approx(STEPS * scene.frame_skip * scene.timestep)


def test_games_that_end_begin_again(table):
    play = Watched(table, 8)
    ended = 0
    for _ in range(12):
        play.turn()
        ended += play.begun.sum()
    assert ended > 0
    again = PlainScenes(play.game)
    again.start()
    assert all(np.isfinite(data.qpos).all() for data in again.data)


def test_stepping_stands_beside_mujoco_alone(table):
    (speed,) = (found := measure_stepping(table, seconds=0.01, slots=2)).speeds
    assert found.setting == {"slots": 2}
    assert (speed.name, speed.beside) == ("stepping in slots", "mj_step alone, the same play")
    assert speed.share == speed.per_second / speed.reference
