"""The badge: what is left, in SVG that a browser shows without a network."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from rlattack.report.badge import badge
from rlattack.report.condition import Condition
from rlattack.report.runs import read_run
from tests.kit.results import duel, pong, pong_cell, write_folder

GREEN, RED, BLUE, GREY = "#2c7a3d", "#b42318", "#2463d6", "#5a6572"


@pytest.fixture
def read(tmp_path):
    def build(cells, condition=None):
        text = badge([read_run(write_folder(tmp_path / "run", cells))], condition and Condition(condition))
        root = ElementTree.fromstring(text)
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
        words = [one.text for one in root if one.tag.endswith("text")]
        colour = root.find("{*}g").findall("{*}rect")[1].get("fill")
        return words[1], colour

    return build


def test_a_badge_tells_what_the_strongest_attack_leaves(read):
    assert read(pong()) == ("FGSM at eps 0.001 (a quarter of a grey level): wins 100 % → 0 %", BLUE)


def test_without_a_win_rule_it_is_the_return(read):
    cells = [pong_cell("c0", "clean", None, 500.0, None), pong_cell("f1", "pgd", 0.5, 9.4, None, before=(0, 500.0))]
    assert read(cells)[0].endswith("return 500 → 9.4")


def test_of_several_victims_it_is_the_one_that_keeps_least(read):
    weak = [
        pong_cell("c0", "clean", None, 500.0, None, before=(0, 500.0), game="a/weak"),
        pong_cell("f1", "pgd", 0.5, 9.4, None, before=(0, 500.0), game="a/weak"),
    ]
    strong = [
        pong_cell("c1", "clean", None, 500.0, None, before=(0, 500.0), game="a/strong"),
        pong_cell("f2", "pgd", 0.5, 400.0, None, before=(0, 500.0), game="a/strong"),
    ]
    assert read([*strong, *weak])[0].endswith("500 → 9.4")
    assert read([*weak, *strong])[0].endswith("500 → 9.4")


def test_a_duel_tells_who_wins(read):
    assert read([duel("adversary", "runner", 0.86)])[0] == "adversary wins 86 % against runner"


def test_a_condition_makes_it_green_or_red(read):
    words, colour = read(pong(), "win_drop > 0.9")
    assert (words[:23], colour) == ("fails win_drop > 0.9; F", RED)
    words, colour = read(pong(), "win_drop > 1.5")
    assert (words[:23], colour) == ("passes win_drop > 1.5; ", GREEN)


def test_a_failed_cell_is_no_pass(read):
    cells = [replace(cell, status="failed: left") if cell.cell == "n1" else cell for cell in pong()]
    assert read(cells, "win_drop > 1.5")[1] == RED


def test_nothing_measured_is_grey(read):
    assert read(pong()[:1]) == ("not measured", GREY)
