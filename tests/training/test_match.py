"""Who learns in which seat, against whom."""

import pytest

from rlattack.errors import InvalidInput, RlattackError, UnknownName
from rlattack.games import find_game, make_game
from rlattack.policies.folder import read_agent_card
from rlattack.training.match import match_adversary, match_self_play
from rlattack.training.recipes import TrainAdversary, TrainSelfPlay
from tests.kit.agents import gaussian_agent

SUMO, RUN, PASS = "mujoco/sumo-ants", "mujoco/run-to-goal-ants", "mujoco/you-shall-not-pass"
SMALL = {"envs": 2, "batch": 8, "steps": 8, "threads": 1}


def against(game, victim, **values):
    return match_adversary(TrainAdversary(game=game, victim=victim, **SMALL | values))


def self_play(game, **values):
    return match_self_play(TrainSelfPlay(game=game, **SMALL | values))


class TestAdversary:
    """Who sits where against a victim."""

    @pytest.mark.parametrize(
        ("own", "asked", "seat"),
        [("right", None, "left"), ("left", None, "right"), ("", None, "right"), ("", "left", "left")],
    )
    def test_the_learner_takes_the_seat_that_the_victim_was_not_trained_for(self, tmp_path, own, asked, seat):
        victim = gaussian_agent(tmp_path / "victim", "tug/any", 3, seat=own)
        found = against("tug/any", victim, seat=asked)
        (place,) = found.places
        assert (found.seat, place.name, place.game.seats[place.seat].name) == (seat, seat, seat)
        assert place.others == [1 - place.seat]
        assert place.game.slots == 2
        assert found.opponents[0].sha256 == read_agent_card(tmp_path / "victim").sha256
        assert found.network is None

    def test_the_victims_own_seat_is_refused(self, tmp_path):
        victim = gaussian_agent(tmp_path / "victim", "tug/any", 3, seat="right")
        with pytest.raises(InvalidInput, match="--seat right: that is the victim's; leave it out to take the other"):
            against("tug/any", victim, seat="right")
        with pytest.raises(InvalidInput, match="--seat: expected left or right, got 'middle'"):
            against("tug/any", victim, seat="middle")

    @pytest.mark.parametrize("victim", ["zero", "random"])
    def test_who_is_no_agent_is_no_victim(self, victim):
        with pytest.raises(InvalidInput, match=f"--victim: expected an agent, got '{victim}'"):
            against("tug/any", victim)

    def test_a_victim_of_another_game_is_refused(self, tmp_path):
        victim = gaussian_agent(tmp_path / "victim", "pull/any", 1)
        with pytest.raises(InvalidInput, match="was trained for pull/any, not for tug/any"):
            against("tug/any", victim)

    def test_a_victim_that_is_not_there_is_refused(self):
        with pytest.raises(RlattackError, match="nobody/here"):
            against("tug/any", "nobody/here")

    @pytest.mark.parametrize("game", ["gymnasium/CartPole-v1", "coins/any"])
    def test_a_game_of_one_seat_is_refused(self, game):
        with pytest.raises(InvalidInput, match=f"game {game} has one seat, so nobody to meet there"):
            against(game, "some/one")

    def test_an_unknown_game_is_refused(self):
        with pytest.raises(UnknownName, match="did you mean 'mujoco/sumo-ants'"):
            against("mujoco/sumo-ant", "some/one")

    def test_a_real_game_is_opened_in_as_many_slots_as_asked(self, tmp_path):
        pytest.importorskip("mujoco")
        first, second = (seat.name for seat in make_game(find_game(RUN), 1).seats)
        found = against(RUN, gaussian_agent(tmp_path / "victim", RUN, 122, 8, seat=first))
        assert (found.seat, found.places[0].game.slots) == (second, 2)


class TestSelfPlay:
    """Who learns in which seats."""

    @pytest.mark.parametrize(
        ("game", "asked", "names"),
        [
            (SUMO, None, ["both"]), (SUMO, "first", ["first"]), (SUMO, "both", ["both"]),
            (SUMO, "each", ["first", "second"]), (PASS, None, ["blocker", "runner"]), (PASS, "both", ["both"]),
        ],
    )  # fmt: skip
    def test_seats_are_named_or_follow_from_the_game(self, game, asked, names):
        pytest.importorskip("mujoco")
        found = self_play(game, seat=asked)
        assert [place.name for place in found.places] == names
        assert len({id(place.game) for place in found.places}) == len(names)

    def test_against_fixed_opponents_one_learns(self):
        found = self_play("tug/any", opponents="zero,random")
        assert [place.name for place in found.places] == ["right"]
        assert [one.name for one in found.opponents] == ["zero", "random"]

    def test_an_agent_goes_on_in_its_own_seat(self, tmp_path):
        found = self_play("tug/any", init=gaussian_agent(tmp_path / "a", "tug/any", 3, seat="left"))
        assert found.places[0].name == "left"
        assert found.init.sha256 == read_agent_card(tmp_path / "a").sha256
        assert found.network.spec.observation == (3,)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"seat": "middle"}, "--seat: expected left, right, both or each, got 'middle'"),
            ({"seat": "each", "opponents": "zero"}, "--seat each: two learners that meet each other take no"),
            ({"init": "zero"}, "--init: expected an agent, got 'zero', which has no weights"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, values, message):
        with pytest.raises(InvalidInput, match=message):
            self_play("tug/any", **values)

    def test_a_recurrent_agent_cannot_be_trained(self, tmp_path):
        first = gaussian_agent(tmp_path / "a", "tug/any", 3, memory=4)
        with pytest.raises(InvalidInput, match=r"has a memory \(LSTM\), which is not supported here: it can only be"):
            self_play("tug/any", init=first)

    def test_an_agent_of_the_wrong_seat_can_be_met_in_the_other(self, tmp_path):
        right = gaussian_agent(tmp_path / "a", "tug/any", 3, seat="right")
        with pytest.raises(InvalidInput, match="'right', not for 'left'; --opponents takes agents of the other seat"):
            self_play("tug/any", opponents=right)
        assert self_play("tug/any", opponents=right, seat="left").seat == "left"

    def test_seats_of_different_roles_meet_no_past_of_their_own(self):
        pytest.importorskip("mujoco")
        with pytest.raises(InvalidInput, match="the seats of mujoco/kick-and-defend are different roles"):
            self_play("mujoco/kick-and-defend", seat="kicker")

    def test_a_game_of_one_seat_is_refused(self):
        with pytest.raises(InvalidInput, match="game gymnasium/CartPole-v1 has one seat"):
            self_play("gymnasium/CartPole-v1")
