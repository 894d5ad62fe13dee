import pytest

from rlattack.errors import InvalidInput, UnknownName
from rlattack.perf import seat_victim
from tests.kit.agents import gaussian_agent


def test_a_victim_takes_the_seat_that_it_was_trained_for_and_chance_the_others(tmp_path):
    right = gaussian_agent(tmp_path / "right", "pull/any", seat="right")
    table = seat_victim("pull/any", right)
    assert (table.victim, table.names) == (1, ("left", "right"))
    assert [agent.name for agent in table.everybody] == ["random", right]
    assert table.pairs[0].actions == ("sampled", "sampled")


def test_a_victim_of_no_seat_takes_the_first():
    table = seat_victim("pull/any", "tests.perf.players:puller")
    assert table.victim == 0
    assert [agent.name for agent in table.everybody] == ["tests.perf.players:puller", "random"]


def test_the_options_that_a_victim_was_trained_with_are_played():
    table = seat_victim("gymnasium/CartPole-v1", "gymnasium/CartPole-v1/dqn")
    assert (table.victim, len(table.seats)) == (0, 1)
    assert table.pairs[0].actions == ("greedy",)  # it acts by values


def test_what_cannot_be_seated_is_refused(tmp_path):
    for name in ("zero", "random"):
        with pytest.raises(InvalidInput, match=f"--victim: expected an agent, got '{name}', which is none"):
            seat_victim("pull/any", name)
    with pytest.raises(InvalidInput, match=r"tests\.perf\.players:coin has discrete actions, seat left of pull"):
        seat_victim("pull/any", "tests.perf.players:coin")
    with pytest.raises(UnknownName, match="no game"):
        seat_victim("atari/pogn", "atari/pong/ppo")
    with pytest.raises(UnknownName, match="no agent"):
        seat_victim("atari/pong", "atari/pong/nobody")
