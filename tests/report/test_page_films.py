"""Films on the page: whose, how many, and how where the extra is missing."""

import re
import sys

import pytest

from tests.kit.results import duel, heat, pong


def test_the_film_shows_the_strongest_attack_and_stills_show_the_others(page):
    pytest.importorskip("av")
    made = page(pong(), clips=("f1", "f2", "x1", "n1"))
    assert len(made.all("video")) == 1
    assert made.all("video")[0]["src"].startswith("data:video/mp4;base64,")
    assert "FGSM at eps 0.0025 (0.638 grey levels), mean return -21: the first 12 steps of episode 0" in made.text
    assert "Pixel at 1 pixel, mean return 6: step 4 of episode 0" in made.text
    assert "Noise at eps 0.001 (a quarter of a grey level), mean return 21" in made.text
    assert "magnified 500 times" in made.text


def test_without_the_video_extra_the_film_is_a_picture_that_moves(page, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    made = page(pong(), clips=("f2",))
    assert not made.all("video")
    assert [image["src"][:22] for image in made.all("img")] == ["data:image/gif;base64,", "data:image/png;base64,"]


def test_a_run_without_clips_has_no_film(page):
    made = page(pong())
    assert not made.all("video")
    assert not made.all("img")


def test_films_show_the_strongest_opponents_first(page):
    cells = heat()
    made = page(cells, videos=[f"{cells[0].cell}.mp4", f"{cells[2].cell}.gif", f"{cells[4].cell}.mp4"])
    assert made.raw.count('src="data:video/mp4;base64,Zmlsb') == 2
    assert made.raw.count('src="data:image/gif;base64,Zmlsb') == 1
    captions = re.findall(r"(\S+ against \S+?)(?:; hidden from the runner \(mask initial\))?: episode 0\.", made.text)
    assert captions == ["adversary against runner", "zero against runner", "adversary against runner"]


def test_only_some_films_are_put_into_the_page(page):
    cells = [duel(f"player{i}", "b", 0.1 * i, cell=f"c{i}") for i in range(9)]
    made = page(cells, videos=[f"c{i}.mp4" for i in range(9)])
    captions = re.findall(r"(player\d) against b: episode 0\.", made.text)
    assert captions == [f"player{i}" for i in range(8, 2, -1)]


def test_a_game_of_one_seat_is_filmed_too_its_worst_cells_first(page):
    made = page(pong(), videos=["c0.mp4", "f2.mp4"])
    captions = re.findall(r"([^.>]+): episode 0\.", " ".join(made.words))
    assert [caption.strip() for caption in captions] == ["638 grey levels)", "no attack"]
