import json

import numpy as np
import pytest

from rlattack.errors import InvalidInput, RunConflict, UnknownName
from rlattack.inspect import Occlusion, Saliency, inspect
from rlattack.inspect.subject import States
from tests.inspect.looks import COINS, PUSHING, UNSURE, other, subject_of

pytestmark = pytest.mark.library
OPTIONS = Occlusion(**UNSURE, states=4, every=2, block=6, stride=6, by=("brighter",), film=2)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_numbers_pictures_and_a_page_are_left_in_the_run():
    found, folder = inspect(OPTIONS, command="rlattack inspect occlusion ...", progress=False)
    assert folder.parts[0] == "runs"
    assert folder.name.startswith("occlusion-sides-any-")
    content = json.loads((folder / "inspection.json").read_text())
    assert content["schema"] == "rlattack/inspection/1"
    assert (content["inspection"], content["game"], content["seed"]) == ("occlusion", "sides/any", 0)
    assert content["parameters"]["block"] == 6
    assert content["finding"] == found.sentence
    largest = content["numbers"]["ways"]["brighter"]["agent"]["largest"]
    assert largest["ci"][0] <= largest["mean"] <= largest["ci"][1]
    assert [(folder / name).is_file() for name in content["files"]] == [True, True]
    page = (folder / "report.html").read_text()
    assert "rlattack inspect occlusion ..." in page
    assert page.count("data:image/png") == 1
    assert json.loads((folder / "config.json").read_text())["configuration"]["parameters"]["stride"] == 6


def test_another_configuration_in_a_named_folder_is_refused(folder):
    named = other(OPTIONS, run=folder / "mine", film=0)
    inspect(named, progress=False)
    with pytest.raises(RunConflict, match=r"holds another configuration: parameters\.block is 6 there, 4 now"):
        inspect(other(named, block=4), progress=False)


def test_what_is_refused_leaves_no_folder(folder):
    with pytest.raises(InvalidInput, match="expected observations that are pictures"):
        inspect(Occlusion(**COINS), progress=False)
    assert [path for path in folder.glob("runs/*") if path.name != "store"] == []


def test_a_parameter_out_of_range_is_refused_before_anything_is_loaded():
    with pytest.raises(InvalidInput, match="states: expected a number at least 2 and at most 20,000, got 1"):
        inspect(Saliency(game="no/game", victim="nobody", states=1))


def test_every_other_seat_needs_an_agent():
    with pytest.raises(InvalidInput, match="against: expected 1 agent, for the other seat, got nobody"):
        inspect(Saliency(**{**PUSHING, "against": ()}))
    with pytest.raises(InvalidInput, match="against: expected nobody in a game of one seat, got zero"):
        inspect(Saliency(**COINS, against=("zero",)))
    with pytest.raises(UnknownName, match=r"seat: expected left \(0\) or right \(1\), got 'top'"):
        inspect(Saliency(**PUSHING, seat="top"))


def test_any_seat_can_be_looked_into():
    found, folder = inspect(Saliency(**PUSHING, seat="left", states=6, every=1), progress=False)
    content = json.loads((folder / "inspection.json").read_text())
    assert (content["seat"], content["players"]) == ("left", ["tests.kit.players:puller", "zero"])
    assert found.numbers["states"] == 6


def test_a_seat_that_acts_at_every_second_step_is_seen():
    options = Saliency(
        game="turns/any", victim="tests.inspect.players:telling_namer", against=("zero",), seat="second", envs=2,
        states=4, every=2,
    )  # fmt: skip
    states = subject_of(options).states(4, 2)
    assert len(states) == 4
    assert set(states.obs[:, 0] % 2) == {1}  # the second seat's turns


def test_nothing_to_hide_by_is_refused():
    with pytest.raises(InvalidInput, match="by: expected at least one way to hide a block"):
        inspect(other(OPTIONS, by=()), progress=False)


def test_a_defended_agent_is_looked_into_through_its_front():
    plain, _ = inspect(other(OPTIONS, film=0), progress=False)
    behind, _ = inspect(other(OPTIONS, film=0, defence=("blur:sigma=20",)), progress=False)
    found = [one.numbers["ways"]["brighter"]["agent"]["largest"].mean for one in (plain, behind)]
    assert found[1] < 0.5 * found[0]


def test_a_share_of_nothing_has_an_interval_over_episodes():
    states = States(np.zeros((6, 2)), None, np.asarray([0, 0, 0, 1, 1, 2]))
    nothing = states.share(np.zeros((6, 3), dtype=np.bool_))
    assert (nothing.rate, nothing.ci[0]) == (0, 0)
    assert nothing.ci[1] == pytest.approx(0.561, abs=0.001)  # Wilson's for 0 of 3


def test_a_ratio_of_sums_has_an_interval_of_ratios():
    states = States(np.zeros((4, 2)), None, np.arange(4))
    found = states.ratio(np.asarray([1.0, 2.0, 3.0, 6.0]), np.asarray([1.0, 1.0, 1.0, 1.0]))
    assert found.mean == 3
    assert 1 <= found.ci[0] < 3 < found.ci[1] <= 6
    assert states.ratio(np.ones(4), np.zeros(4)) is None
