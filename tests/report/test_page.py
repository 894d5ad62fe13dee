"""The page: what it says of games of one seat and of several, alone and together, and that it needs nothing else."""

import base64
import hashlib
import json
import re
import subprocess
import sys

import pytest

from rlattack.errors import Unwritable
from rlattack.report import activations
from rlattack.report.page import write_page
from rlattack.report.runs import read_run
from rlattack.report.staircase import write_staircase
from tests.kit.results import (
    CONFIG,
    PASS,
    assault,
    attack,
    crossed,
    duel,
    heat,
    mean,
    pong,
    pong_cell,
    three,
    write_folder,
)
from tests.report.pages import Page

LOADS = ("src", "href", "xlink:href", "poster", "data", "srcset", "action")


def test_a_tile_names_the_control_that_stands_beside_the_attack(page):
    about = {"access": "action", "control": True}
    cells = [
        pong_cell("c", "clean", None, 21.0, 1.0), pong_cell("m", "mas", 0.1, -20.0, 0.0, about={"access": "action"}),
        pong_cell("a", "action-noise", 0.1, 20.0, 1.0, about=about),
    ]  # fmt: skip
    text = page(cells).text
    assert "Another action of that size" in text
    assert "Noise of that size" not in text
    assert "Noise of that size" in page(pong()).text


def test_the_page_says_the_finding_and_every_number(page):
    text = page(pong()).text
    assert "atari/pong: atari/pong/ppo under attack" in text
    assert "takes the win rate from 100 % to 0 %; noise of the same size leaves 100 %." in text
    assert "-18.2 [-19.0, -17.4]" in text
    assert "0 % [0, 16]" in text
    assert "actions greedy sticky 0.0 episodes 20 seed 0" in text
    assert "A win is a return above 0" in text
    assert "duel" not in text.lower()


def test_the_page_of_a_duel_says_the_finding_the_grid_and_every_number(page):
    made = page(heat(), config={"command": "rlattack duel"})
    assert f"<title>{PASS}: blocker against runner</title>" in made.raw
    assert "victims runner opponents blocker actions sampled episodes 100 seed 0" in made.text
    assert "adversary (blocker) wins 86 % of its games against runner (runner), which wins 14 %" in made.text
    assert "86 % [76, 96] won by the blocker" in made.text
    assert len(made.all("svg")) == 1
    assert "hidden from the runner (mask initial)" in made.text
    assert "or is covered by noise (mask noise)" in made.text
    assert "fallen 60, goal 40" in made.text
    assert "-1250 [-1300, -1200]" in made.text
    assert "fgsm" not in made.text.lower()
    assert "Against the budget" not in made.text
    assert "under attack" not in made.text


def test_attacks_in_a_duel_are_shown_like_those_in_a_game_of_one_seat(page):
    made = page(assault(), videos=["pgd0.2.mp4"])
    assert len(made.all("svg")) == 2  # the grid and the curves
    assert "Against the budget" in made.text
    assert "zero – runner: what the runner sees is attacked" in made.text
    assert "PGD at eps 0.2 standard deviations on what the runner sees 0 % [0, 10] won by the runner" in made.text
    assert "zero against runner; pgd at eps 0.2 standard deviations on what the runner sees: episode 0." in made.text


def test_curves_of_many_players_are_folded_those_of_the_finding_first(page):
    cells = []
    for number in range(5):
        cells.append(duel(f"a{number}", "b", 0.1))
        hit = [attack("pgd", 0.1, "runner", space="raw")]
        cells.append(duel(f"a{number}", "b", 0.2 + 0.1 * number, attacks=hit, before=(0.9, 0.0)))
    made = page(cells)
    captions = re.findall(r"<figcaption>(a\d) – b", made.raw)
    assert captions == ["a4", "a0", "a1", "a2", "a3"]
    assert made.text.index("Other players") > made.text.index("a1 – b: what")


def test_several_victims_and_surrogates_are_a_picture_above_all_of_them(page):
    made = page(crossed())
    assert made.text.index("Transfer fgsm at eps 0.004 (one grey level)") < made.text.index("Against the budget")
    assert len(made.all("svg")) == 3  # and the curves of each victim


def test_one_meeting_alone_has_no_grid(page):
    assert not page(heat()[:1]).all("svg")


def test_a_game_of_three_seats_is_a_page(page):
    hit = three(cell="a", attacks=[attack("pgd", 0.1, "east")], wins=(0.1, 0.4, 0.5))
    made = page([three(), hit])
    assert "cards/hearts: north and west against east" in made.text
    assert "east wins north wins west wins tie" in made.text


def test_the_page_loads_nothing_from_elsewhere(page):
    videos = [f"{heat()[0].cell}.mp4", f"{heat()[2].cell}.gif"]
    for made in (page(pong(), clips=("f1", "f2", "x1")), page(heat(), videos=videos)):
        for _, attributes in made.elements:
            for name in LOADS:
                assert attributes.get(name, "#").startswith(("data:", "#"))
        styles = " ".join(attributes.get("style") or "" for _, attributes in made.elements)
        assert "url(http" not in styles
        policy = next(meta["content"] for meta in made.all("meta") if meta.get("http-equiv"))
        assert policy.startswith("default-src 'none';")
        assert not made.all("link")


def test_the_policy_of_the_page_allows_its_own_script_and_no_other(page):
    raw = page(pong()).raw
    (script,) = re.findall("<script>(.*?)</script>", raw, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in raw


def test_names_and_configuration_are_text_and_never_markup(page):
    evil = "<script>alert('1')</script>"
    about = {"surrogate": evil, "parameters": {evil: evil}}
    one = pong_cell("e", "fgsm", 0.001, -3.0, 0.0, about=about, game=evil, seat={"player": evil})
    two = duel(evil, evil, 0.5, game=evil, endings={evil: 3})
    made = page([one], [two, duel("a", evil, 0.5, game=evil)], config=CONFIG | {"command": evil})
    assert made.raw.count("<script>") == 1
    assert made.text.count(evil) > 8


def test_curves_are_drawn_for_every_norm(page):
    assert len(page(pong()).all("svg")) == 2


def test_a_failed_cell_is_shown_as_failed_without_numbers(page):
    cells = pong()
    words = "failed: the attack left its budget in 12 of 31260 steps"
    cells[4] = pong_cell("f2", "fgsm", 0.0025, -77.7, 0.0, status=words)
    made = page(cells)
    assert words in made.text
    assert "-77.7" not in made.text
    assert [row.get("class") for row in made.all("tr")].count("failed") == 2  # in both tables


def test_an_incomplete_run_says_so(page):
    assert "This run is incomplete: 4 of 10 cells are there." in page(pong()[:4]).text
    assert "incomplete" not in page(pong()).text


def test_a_run_without_cells_or_configuration_is_a_page(page):
    made = page([], config={"cells": ["a"]})
    assert "no finished cell yet" in made.text
    assert "<title>rlattack: run0</title>" in made.raw
    assert "holds no config.json" in page(pong()[:1], config={}).text


def test_a_game_without_a_win_rule_shows_returns_alone(page):
    attacked = pong_cell("f", "fgsm", 0.1, 122.4, None, about={"space": "raw"}, before=(0.0, 500.0))
    text = page([pong_cell("c", "clean", None, 500.0, None), attacked]).text
    assert "takes the mean return from 500 to 122.4." in text
    assert "This game has no win rule, so no win rate is given." in text
    assert "fall of win rate" not in text


def test_several_runs_are_sections_of_one_page(page):
    made = page(pong(), heat(), [pong_cell("c", "clean", None, 400.0, 1.0, game="atari/breakout")])
    assert f"<title>Attacks and duels: atari/pong, {PASS}, atari/breakout</title>" in made.raw
    assert "rlattack · 3 runs: run0, run1, run2" in made.text
    assert "atari/breakout: atari/pong/ppo under attack" in made.text
    assert f"{PASS}: blocker against runner" in made.text
    assert "The size of the perturbation per entry" in made.text
    anchors = {section["id"] for section in made.all("section") if "id" in section}
    assert {link["href"] for link in made.all("a")} == {f"#{anchor}" for anchor in anchors}
    ids = [attributes["id"] for _, attributes in made.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_page_says_how_to_repeat_the_run(page):
    text = page(pong()).text
    assert CONFIG["command"] in text
    assert "torch 2.13.0" in text
    assert CONFIG["rom_sha256"] in text


def test_action_names_come_from_the_configuration(page):
    names = CONFIG["action_names"]
    pages = [
        page(pong(), clips=("f2",), config=CONFIG | {"action_names": told}).all("img")[0]["src"]
        for told in (names, {"atari/pong": names}, None, "nonsense")
    ]
    assert pages[0] == pages[1] != pages[2] == pages[3]


def test_a_staircase_and_activations_stand_on_the_page(tmp_path):
    cells = [duel("a0", "v0", 0.6), duel("a0", "v1", 0.2)]
    run = write_folder(tmp_path / "run", cells)
    write_staircase(run, cells, ["v0", "v1"], ["a0"])
    found = {
        "schema": activations.SCHEMA, "seat": "runner", "normal": "v0", "components": 3, "rows": 10, "parameters": 35,
        "bic": [1.0], "log_likelihood": {"train": {"mean": 1.0, "ci": [0.5, 1.5]}},
    }  # fmt: skip
    (run / activations.FILE).write_text(json.dumps(found))
    (run / activations.PICTURE).write_bytes(b"picture")
    write_page([read_run(run)], run / "report.html")
    made = Page((run / "report.html").read_text())
    assert "Defence and reattack" in made.text
    assert "What the runner's network does" in made.text
    assert "play at least 4 times as many games" in made.text
    assert made.all("img")[-1]["src"] == "data:image/png;base64,cGljdHVyZQ=="


def test_cells_in_which_all_returns_are_equal_are_read_with_care(page):
    cells = [pong_cell("c0", "clean", None, 21.0, 1.0, returns=mean(21.0, 0.0)), *pong()[1:]]
    text = page(cells).text
    assert "Read with care" in text
    assert "In 1 cell all returns are equal." in text


def test_a_page_that_cannot_be_written_is_one_line(tmp_path):
    run = read_run(write_folder(tmp_path / "run", pong()))
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable, match="cannot be written"):
        write_page([run], tmp_path / "file" / "report.html")


def test_the_report_needs_no_extra():
    code = "import sys\nfor name in ('av', 'ale_py', 'mujoco', 'huggingface_hub'): sys.modules[name] = None\n"
    code += "from rlattack.report import print_results, write_run"
    ended = subprocess.run([sys.executable, "-c", code], check=False, timeout=120)
    assert ended.returncode == 0
