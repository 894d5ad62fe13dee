import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from rlattack.errors import InvalidInput, UnknownName
from rlattack.games.game import PLAYER, Seat
from rlattack.inspect.certainty import Certainty
from rlattack.inspect.fooling import fooling
from rlattack.inspect.kinds import Fooling
from rlattack.inspect.targets import Targets, measured_alike, named_alike
from rlattack.policies.distributions import Categorical, Choices, Point
from tests.inspect.looks import COINS, PUSHING, UNSURE, other, subject_of

pytestmark = pytest.mark.library
SIDES = Fooling(
    **{**UNSURE, "victim": "tests.inspect.players:unsure"}, sure=0.9, starts=3, queries=300, repeats=2, others=("none",)
)
SEEN = Box(0, 1, (3,), np.float32)


def test_ascent_finds_what_noise_does_not_in_the_steps_by_hand():
    options = other(SIDES, size=0.1, queries=0)
    found = fooling(subject_of(options), options).numbers
    # scores differ by 0.02 of the means' difference: 0.9 needs 110 grey levels. Each step of both sides makes 51.
    for name in ("0", "1"):
        one = found["targets"][name]
        assert one["noise alone"]["reached"].rate == 0
        assert one["ascent"]["reached"].rate == 1
        assert one["ascent"]["after"] == 3
        assert one["ascent"]["unit"] == "steps"
    assert found["noise"].rate == 0
    assert found["noise"].ci[1] < 0.05


def test_evolution_gets_there_with_entries_or_pictures_and_says_how_often():
    options = other(SIDES, steps=0, queries=600, sure=0.6)
    found = fooling(subject_of(options), options)
    for one in found.numbers["targets"].values():
        assert one["evolved CPPN"]["reached"].rate == 1
        assert one["evolved CPPN"]["runs"] == 2
        assert 1 <= one["evolved CPPN"]["after"] <= 600
        assert "ascent" not in one
    (gallery,) = found.shown
    assert gallery.file == "fooling.png"
    assert gallery.raw.startswith(b"\x89PNG")


def test_same_seed_same_numbers():
    options = other(SIDES, queries=20, steps=1, repeats=1)
    one, two, another = (fooling(subject_of(of), of).to_json({}) for of in (options, options, other(options, seed=2)))
    assert one == two != another


def test_actions_that_mean_the_same_are_added_up():
    certainty = Certainty.of(Seat(PLAYER, SEEN, Discrete(3)), ["LEFT", "STAY", "LEFTFIRE"])
    targets = Targets.of(certainty, named_alike(certainty, ["LEFT+LEFTFIRE"]))
    assert targets.names == ["LEFT", "STAY", "LEFTFIRE", "LEFT + LEFTFIRE"]
    sure = targets.sure(Categorical(torch.tensor([[0.5, 0.2, 0.3]]).log()).scores)
    torch.testing.assert_close(sure, torch.tensor([[0.5, 0.2, 0.3, 0.8]]))


def test_names_that_are_none_or_come_twice_are_refused():
    certainty = Certainty.of(Seat(PLAYER, SEEN, Discrete(3)))
    with pytest.raises(UnknownName, match="same: expected 0, 1, 2, got '7'"):
        named_alike(certainty, ["1+7"])
    for wrong in (["1"], ["0+1", "1+2"]):
        with pytest.raises(InvalidInput, match=r"same: expected names joined by \+, each once, got"):
            named_alike(certainty, wrong)


def test_actions_of_a_game_are_compared_in_copies_of_it():
    subject = subject_of(Fooling(game="gymnasium/CartPole-v1", victim="tests.kit.players:balance"))
    sets, apart = measured_alike(subject)
    assert sets == []
    np.testing.assert_array_equal(apart, [[0, 1], [1, 0]])  # pushing left or right always differs


def test_games_that_cannot_be_copied_have_none_that_are_measured():
    options = Fooling(**COINS, queries=100, steps=2, others=("none",))
    assert measured_alike(subject_of(options)) is None
    assert any("was not measured" in line for line in fooling(subject_of(options), options).notes)


def test_who_has_a_class_of_garbage_is_less_sure_of_actions_by_it():
    certainty = Certainty.of(Seat(PLAYER, SEEN, Discrete(2)))
    scores, garbage = torch.tensor([[1.0, 2.0], [0.0, 5.0]]), torch.tensor([3.0, -4.0])
    whole = torch.cat([scores, garbage[:, None]], dim=1).softmax(dim=1)
    numbers = certainty.numbers(Categorical(scores), garbage - scores.logsumexp(dim=1))
    torch.testing.assert_close(certainty(numbers), whole[:, :2])
    climbed = Targets.of(certainty).climbed(numbers, torch.tensor([1, 0]))
    torch.testing.assert_close(climbed, whole[[0, 1], [1, 0]].log())


def test_ascent_on_a_class_of_garbage_gets_no_further_than_its_chance_leaves_it():
    options = other(SIDES, size=0.1, queries=0, victim="tests.inspect.players:sorting")
    found = fooling(subject_of(options), options).numbers
    for name in ("0", "1"):
        assert found["targets"][name]["ascent"]["reached"].rate == 0
        assert found["targets"][name]["ascent"]["sure"] <= 0.5
    assert found["play"].rate == 0


def test_of_choices_each_is_sure_by_itself():
    certainty = Certainty.of(Seat(PLAYER, SEEN, MultiDiscrete([2, 3])))
    assert certainty.names == ("0: 0", "0: 1", "1: 0", "1: 1", "1: 2")
    sure = certainty(certainty.numbers(Choices(torch.zeros(1, 5), (2, 3))))
    torch.testing.assert_close(sure, torch.tensor([[0.5, 0.5, 1 / 3, 1 / 3, 1 / 3]]))


def test_of_continuous_actions_the_ends_of_their_range_are_climbed_to_and_said():
    certainty = Certainty.of(Seat(PLAYER, SEEN, Box(-2, 2, (1,), np.float32)))
    actions = Point(torch.tensor([[1.0], [-5.0]]), certainty.low, certainty.high)
    torch.testing.assert_close(certainty(certainty.numbers(actions)), torch.tensor([[0.25, 0.75], [1.0, 0.0]]))
    options = Fooling(**PUSHING, sure=0.9, queries=200, starts=2, others=("none",))
    found = fooling(subject_of(options), options)
    assert list(found.numbers["targets"]) == ["0 low", "0 high"]
    assert any("towards an end of its range was maximised" in line for line in found.notes)


def test_continuous_actions_without_bounds_are_refused():
    certainty = Certainty.of(Seat(PLAYER, SEEN, Box(-np.inf, np.inf, (1,), np.float32)))
    with pytest.raises(InvalidInput, match="actions without bounds: expected a range, towards whose ends"):
        certainty(torch.zeros(1, 1))


def test_what_fools_one_is_shown_to_others():
    twin = "tests.kit.pictures:looker"  # the same, but surer
    options = other(SIDES, others=(twin,), queries=0)
    (row,) = fooling(subject_of(options), options).numbers["transfer"]
    assert (row["agent"], row["inputs"]) == (twin, 2)
    assert row["same"].rate == row["sure"].rate == 1
    assert row["chance"] == 0.5


def test_an_agent_without_a_gradient_is_told_the_way_out():
    options = Fooling(game="gymnasium/CartPole-v1", victim="tests.kit.players:opaque")
    with pytest.raises(InvalidInput, match=r"ascent needs one; use steps=0, which evolves alone"):
        fooling(subject_of(options), options)


def test_nothing_to_do_is_refused():
    with pytest.raises(InvalidInput, match="expected more than 0 for one of them, got 0 and 0"):
        fooling(subject_of(SIDES), other(SIDES, steps=0, queries=0))
