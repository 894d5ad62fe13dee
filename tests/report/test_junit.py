"""JUnit XML: a test case a cell, and which of them fail."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from rlattack.report.condition import Condition
from rlattack.report.junit import junit
from rlattack.report.runs import read_run
from tests.kit.results import CONFIG, heat, pong, write_folder


@pytest.fixture
def suite(tmp_path):
    def build(cells, condition=None, **more):
        run = read_run(write_folder(tmp_path / "run", cells, **more))
        root = ElementTree.fromstring(junit([run], condition and Condition(condition)))
        (found,) = root
        return found

    return build


def failing(suite, how="failure"):
    return {case.get("name").split("[")[1].rstrip("]"): case.find(how) for case in suite if case.find(how) is not None}


def test_every_cell_is_a_case_and_none_fails_by_itself(suite):
    found = suite(pong())
    assert [case.get("name").split(" [")[1] for case in found] == [f"{cell.cell}]" for cell in pong()]
    assert (found.get("tests"), found.get("failures"), found.get("errors")) == ("10", "0", "0")
    assert {case.get("classname") for case in found} == {"atari/pong"}
    assert found[3].get("name").startswith("ppo: fgsm at eps 0.001")
    assert float(found[3].get("time")) == pytest.approx(31260 / 1400, abs=0.001)
    assert "win_drop 1\n" in found[3].find("system-out").text


def test_a_case_fails_where_the_condition_holds(suite):
    found = suite(pong(), "win_drop > 0.95")
    assert set(failing(found)) == {"f1", "f2", "p1"}
    assert found.get("failures") == "3"
    assert "win_drop is 1 [0.9, 1]" in failing(found)["f1"].get("message")


def test_a_case_fails_where_its_cell_failed(suite):
    cells = [replace(cell, status="failed: left its reach") if cell.cell == "n1" else cell for cell in pong()]
    assert failing(suite(cells))["n1"].get("message") == "failed: left its reach"
    assert set(failing(suite(cells, "win_drop > 0.95"))) == {"n1", "f1", "f2", "p1"}


def test_a_cell_that_was_not_played_is_an_error(suite):
    found = suite(pong()[:1], config=CONFIG | {"cells": ["c0", "f1", "f1", "f2"]})
    errors = [case for case in found if case.find("error") is not None]
    assert [case.get("name") for case in errors] == ["f1", "f2"]
    assert (found.get("tests"), found.get("errors")) == ("3", "2")


def test_names_of_cases_are_different_and_hold_nothing_that_xml_cannot(suite):
    cells = [replace(cell, game="a<b>&\x00") for cell in heat()]
    found = suite(cells, config={})
    assert len({case.get("name") for case in found}) == len(cells)
    assert found[0].get("classname") == "a<b>&?"
