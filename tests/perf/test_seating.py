import pytest

from rlattack.errors import InvalidInput, UnknownName
from rlattack.perf import Seating
from tests.kit.agents import gaussian_agent


def test_a_victim_takes_the_seat_that_it_was_trained_for_and_chance_the_others(tmp_path):
    right = gaussian_agent(tmp_path / "right", "pull/any", seat="right")
    seating = Seating.of("pull/any", right)
    assert (seating.seat, seating.seats) == (1, 2)
    assert [agent.name for agent in seating.agents()] == ["random", right]
    assert seating.modes(seating.agents()) == ("sampled", "sampled")


def test_a_victim_of_no_seat_takes_the_first():
    seating = Seating.of("pull/any", "tests.perf.players:puller")
    assert seating.seat == 0
    assert [agent.name for agent in seating.agents()] == ["tests.perf.players:puller", "random"]


def test_the_options_that_a_victim_was_trained_with_are_played():
    seating = Seating.of("gymnasium/CartPole-v1", "gymnasium/CartPole-v1/dqn")
    assert (seating.seat, seating.seats) == (0, 1)
    assert seating.modes(seating.agents()) == ("greedy",)  # it acts by values


def test_what_cannot_be_seated_is_refused(tmp_path):
    for name in ("zero", "random"):
        with pytest.raises(InvalidInput, match=f"--victim: expected an agent, got '{name}', which is none"):
            Seating.of("pull/any", name)
    with pytest.raises(InvalidInput, match=r"tests\.perf\.players:coin has discrete actions, seat left of pull"):
        Seating.of("pull/any", "tests.perf.players:coin")
    with pytest.raises(UnknownName, match="no game"):
        Seating.of("atari/pogn", "atari/pong/ppo")
    with pytest.raises(UnknownName, match="no agent"):
        Seating.of("atari/pong", "atari/pong/nobody")
