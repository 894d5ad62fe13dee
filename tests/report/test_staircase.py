"""The staircase of defence and reattack."""

import json
from dataclasses import replace

import pytest

from rlattack.report.curves import svg
from rlattack.report.staircase import FILE, PICTURE, read_staircase, staircase, write_staircase
from tests.kit.results import attack, duel

VICTIMS, ADVERSARIES = ["v0", "v1", "v2"], ["a0", "a1", "a2"]


def met(victim=1):
    """Every pair; the seat of that number is the victim's."""
    cells = []
    for i, adversary in enumerate(ADVERSARIES):
        for j, name in enumerate(VICTIMS):
            wins = round(0.1 + 0.2 * i + 0.05 * j, 6)
            pair = (adversary, name, wins) if victim == 1 else (name, adversary, round(1 - wins, 6))
            cells.append(replace(duel(*pair), victim=victim))
    return cells


@pytest.mark.parametrize("victim", [0, 1])
def test_every_adversary_stands_against_its_victim_and_the_next(tmp_path, victim):
    stairs = write_staircase(tmp_path, met(victim), VICTIMS, ADVERSARIES)
    assert [one.number for one in stairs] == [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)]
    assert [one.win.rate for one in stairs] == pytest.approx([0.1, 0.15, 0.35, 0.4, 0.6])
    assert [one.rises for one in stairs] == [True, False, True, False, True]
    assert read_staircase(tmp_path) == stairs
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")


def test_masked_and_attacked_cells_are_no_stairs(tmp_path):
    others = [duel("a0", "v0", 0.9, mask="zero"), duel("a0", "v0", 0.8, attacks=[attack("pgd", 0.1, "runner")])]
    stairs = write_staircase(tmp_path, [*met(), *others], VICTIMS, ADVERSARIES)
    assert stairs[0].win.rate == pytest.approx(0.1)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"schema": "another/1", "stairs": []}', '{"schema": "rlattack/staircase/1", "stairs": [{}]}'],
)
def test_a_folder_without_a_staircase_has_none(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    assert read_staircase(tmp_path) == []


def test_the_page_gets_a_drawing_with_the_rates_as_text(tmp_path):
    stairs = write_staircase(tmp_path, met(), VICTIMS, ADVERSARIES)
    drawn = svg("s", lambda: staircase(stairs))
    assert drawn.startswith("<svg")
    assert "35 %" in drawn
    assert "var(--ink)" in drawn
    assert len(json.loads((tmp_path / FILE).read_text())["stairs"]) == 5
