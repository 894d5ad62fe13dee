import pytest

from rlattack.games import find_game
from rlattack.perf import seat_victim
from rlattack.perf.parts import Emulator, Parts
from tests.perf import players

BRIEF = 1e-9


@pytest.mark.parametrize(
    ("game", "victim"),
    [("coins/any", "tests.perf.players:coin"), ("pull/any", "tests.perf.players:puller")],
)
def test_every_step_asks_for_one_output_and_one_gradient_of_the_victim(game, victim):
    table = seat_victim(game, victim)
    parts = Parts(table, 5)
    players.asked.clear()
    for _ in range(12):
        parts(BRIEF)
    steps = parts.clocks["environment"].calls
    assert steps >= 12
    assert parts.play.full_steps == 5 * steps
    assert players.asked == {("forward", 5): steps, ("gradient", 5): steps}
    assert {clock.calls for clock in parts.clocks.values()} == {steps}
    assert ("opponents" in parts.clocks) == (len(table.seats) > 1)
    assert parts.resets == 5 + 12  # all slots at first, then one a turn


def test_speeds_are_steps_of_slots_and_resets_a_second():
    table = seat_victim("coins/any", "tests.perf.players:coin")
    parts = Parts(table, 4)
    parts(BRIEF)
    for clock in parts.clocks.values():
        clock.seconds, clock.calls = 2.0, 10
    assert {name: parts.speeds[name] for name in parts.clocks} == dict.fromkeys(parts.clocks, 20.0)
    assert parts.speeds.keys() - parts.clocks.keys() == {"reset"}


def test_the_emulator_alone_plays_four_frames_a_step():
    pytest.importorskip("ale_py")
    emulator = Emulator(find_game("atari/pong"))
    emulator(0.01)
    assert emulator.clock.steps >= 256
    assert emulator.ale.getFrameNumber() == 4 * emulator.clock.steps
