import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from rlattack.errors import ContentError, Unwritable
from rlattack.evaluation.report import write_report

VOID = {"meta", "img", "br", "link", "input", "hr"}
LOADS = ("src", "href", "xlink:href", "poster", "data", "srcset", "action")


class Page(HTMLParser):
    """Elements with their attributes and the text of the page, and whether all that opens also closes."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.open = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def page(tmp_path, make_run):
    def build(*runs):
        folders = [make_run(tmp_path / f"run{i}", **run) for i, run in enumerate(runs)]
        write_report(folders, tmp_path / "out" / "report.html")
        return Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))

    return build


def test_the_page_says_the_finding_and_every_number(page, pong_cells):
    text = page({"cells": pong_cells}).text
    assert "atari/pong: atari/pong/ppo under attack" in text
    assert "takes the win rate from 100 % to 0 %; noise of the same size leaves 100 %." in text
    assert "-18.2 [-19.0, -17.4]" in text
    assert "0 % [0, 16]" in text
    assert "actions greedy sticky 0.0 episodes 20 seed 0" in text
    assert "A win is a return above 0" in text


def test_the_page_loads_nothing_from_elsewhere(page, pong_cells):
    made = page({"cells": pong_cells, "clips": ("f1", "f2", "x1")})
    for _, attributes in made.elements:
        for name in LOADS:
            assert attributes.get(name, "#").startswith(("data:", "#"))
    styles = " ".join(attributes.get("style") or "" for _, attributes in made.elements)
    assert "url(http" not in styles
    policy = next(meta["content"] for meta in made.all("meta") if meta.get("http-equiv"))
    assert policy.startswith("default-src 'none';")
    assert not made.all("link")


def test_the_policy_of_the_page_allows_its_own_script_and_no_other(tmp_path, page, pong_cells):
    page({"cells": pong_cells})
    raw = (tmp_path / "out" / "report.html").read_text()
    (script,) = re.findall("<script>(.*?)</script>", raw, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in raw


def test_names_and_configuration_are_text_and_never_markup(page, pong_cells, config):
    evil = "<script>alert(1)</script>"
    for cell in pong_cells:
        cell |= {"victim": evil, "game": f"{evil}&", "cell": f"{cell['cell']}{evil}", "parameters": {"x": f'">{evil}'}}
    pong_cells[1]["status"] = f"failed: {evil}"
    config |= {"command": evil, "versions": {evil: evil}, evil: {"deep": evil}, "action_names": [evil] * 6}
    made = page({"cells": pong_cells, "config": config})
    assert len(made.all("script")) == 1
    assert made.text.count(evil) > 20


def test_the_film_is_of_the_strongest_attack_that_has_a_clip(page, pong_cells):
    made = page({"cells": pong_cells, "clips": ("f1", "f2", "n1", "x1")})
    (film,) = made.all("video")
    assert film["src"].startswith("data:video/mp4;base64,")
    assert film["poster"].startswith("data:image/png;base64,")
    assert "FGSM at eps 0.0025 (0.638 grey levels), mean return -21.0: the first 12 steps of episode 0." in made.text
    assert "The perturbation is magnified 500 times; mid-grey is no change." in made.text
    assert "Noise at eps 0.001" in made.text
    assert "Pixel at 1 pixel, mean return 6.0" in made.text


def test_without_the_video_extra_the_film_is_a_picture_that_moves(page, pong_cells, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    made = page({"cells": pong_cells, "clips": ("f2",)})
    assert not made.all("video")
    assert [image["src"][:22] for image in made.all("img")] == ["data:image/gif;base64,", "data:image/png;base64,"]


def test_a_run_without_clips_has_no_film(page, pong_cells):
    made = page({"cells": pong_cells})
    assert not made.all("video")
    assert not made.all("img")


def test_curves_are_drawn_for_every_norm(page, pong_cells):
    assert len(page({"cells": pong_cells}).all("svg")) == 2


def test_a_failed_cell_is_shown_as_failed_without_numbers(page, pong_cells):
    pong_cells[4] |= {"status": "failed: the attack left its budget in 12 of 31260 steps"}
    pong_cells[4]["return"]["mean"] = -77.7
    made = page({"cells": pong_cells})
    assert "failed: the attack left its budget in 12 of 31260 steps" in made.text
    assert "-77.7" not in made.text
    assert [row.get("class") for row in made.all("tr")].count("failed") == 2  # in both tables


def test_an_incomplete_run_says_so(page, pong_cells):
    text = page({"cells": pong_cells[:4]}).text
    assert "This run is incomplete: 4 of 10 cells are there." in text
    assert "incomplete" not in page({"cells": pong_cells}).text


def test_a_run_without_cells_or_configuration_is_a_page(page):
    assert "no finished cell yet" in page({"cells": [], "config": {}}).text


def test_a_cell_with_hardly_any_key_is_a_page(page):
    assert "no status" in page({"cells": [{"attack": "fgsm"}, {"cell": "a", "status": "ok"}]}).text


@pytest.mark.parametrize("broken", ["NaN", "Infinity", "null"])
def test_what_is_not_a_number_is_never_shown(tmp_path, make_run, pong_cells, broken):
    run = make_run(tmp_path, pong_cells)
    text = (run / "results.json").read_text()
    for value in ("-18.2", "-17.4", "0.95", "39.2", "31260"):
        text = text.replace(value, broken)
    (run / "results.json").write_text(text)
    write_report([run], run / "report.html")
    words = Page((run / "report.html").read_text()).text.lower()
    for bad in ("nan", "infinity", " inf", "none"):
        assert bad not in words.replace("no attack", "").replace("knowledge none", "")


def test_a_game_without_a_win_rule_shows_returns_alone(page, make_cell):
    drop = {"return": 377.6, "return_ci": [370.0, 380.0], "win": None, "win_ci": None}
    attacked = make_cell("f", "fgsm", 0.1, 122.4, None, space="raw", drop=drop)
    cells = [make_cell("c", "none", None, 500.0, None), attacked]
    text = page({"cells": cells}).text
    assert "takes the mean return from 500 to 122.4." in text
    assert "This game has no win rule, so no win rate is given." in text
    assert "fall of win rate" not in text


def test_several_runs_are_sections_of_one_page(page, pong_cells, make_cell):
    other = [make_cell("c", "none", None, 400.0, 1.0, game="atari/breakout")]
    made = page({"cells": pong_cells}, {"cells": other})
    assert "atari/breakout: atari/pong/ppo under attack" in made.text
    anchors = {section["id"] for section in made.all("section") if "id" in section}
    assert {link["href"] for link in made.all("a")} == {f"#{anchor}" for anchor in anchors}
    ids = [attributes["id"] for _, attributes in made.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_page_says_how_to_repeat_the_run(page, pong_cells, config):
    text = page({"cells": pong_cells}).text
    assert config["command"] in text
    assert "torch 2.13.0" in text
    assert config["rom_sha256"] in text
    assert "holds no config.json" in page({"cells": pong_cells, "config": {}}).text


def test_action_names_come_from_the_configuration(tmp_path, make_run, pong_cells, config):
    pages = []
    for i, names in enumerate((config["action_names"], {"atari/pong": config["action_names"]}, None, "nonsense")):
        run = make_run(tmp_path / str(i), pong_cells, ("f2",), config | {"action_names": names})
        write_report([run], run / "report.html")
        images = Page((run / "report.html").read_text()).all("img")
        pages.append(images[0]["src"])
    assert pages[0] == pages[1] != pages[2] == pages[3]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "expected a run folder with results.json"),
        ("{", "cannot be read"),
        (
            '{"schema": "rlattack/results/9", "cells": []}',
            "expected schema 'rlattack/results/1', got 'rlattack/results/9'",
        ),
        ("[]", "expected schema"),
        ('{"schema": "rlattack/results/1", "cells": 3}', "expected a list of cells"),
    ],
)
def test_a_folder_that_is_no_run_is_refused_in_one_line(tmp_path, content, words):
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    with pytest.raises(ContentError, match=words) as caught:
        write_report([tmp_path], tmp_path / "report.html")
    assert "\n" not in str(caught.value)


def test_a_page_that_cannot_be_written_is_one_line(tmp_path, make_run, pong_cells):
    run = make_run(tmp_path / "run", pong_cells)
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable, match="cannot be written"):
        write_report([run], tmp_path / "file" / "report.html")


def test_the_report_needs_no_extra():
    code = "import sys\nfor name in ('av', 'ale_py', 'huggingface_hub'): sys.modules[name] = None\n"
    ended = subprocess.run([sys.executable, "-c", code + "import rlattack.evaluation.report"], check=False, timeout=120)
    assert ended.returncode == 0
