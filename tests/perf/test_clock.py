import pytest

from rlattack.perf.clock import Clock, take_turns


def test_a_first_turn_does_not_count():
    clocks, turns = (Clock(32), Clock(8)), []

    def turn():
        turns.append(len(turns))
        for clock in clocks:
            with clock:
                pass
            clock.seconds += 1.0

    take_turns(turn, clocks, 2.0)
    assert turns == [0, 1, 2]
    assert [clock.calls for clock in clocks] == [2, 2]
    assert [clock.steps for clock in clocks] == [64, 16]
    clocks[0].seconds = 4.0
    assert clocks[0].speed == pytest.approx(16.0)
