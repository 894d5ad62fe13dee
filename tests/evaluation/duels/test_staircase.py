"""The staircase of defence and reattack."""

import json

import pytest

from rlattack.evaluation.duels.staircase import FILE, PICTURE, read_staircase, staircase_svg, write_staircase

VICTIMS, ADVERSARIES = ["v0", "v1", "v2"], ["a0", "a1", "a2"]


def cell(victim, adversary, rate, *, victim_seat="runner", **more):
    players = [adversary, victim] if victim_seat == "runner" else [victim, adversary]
    key, other = ("win", "loss") if victim_seat == "runner" else ("loss", "win")
    return {
        "players": players, "seats": ["blocker", "runner"], "victim_seat": victim_seat, "attack": "none", "mask": None,
        key: {"rate": rate, "ci": [rate - 0.05, rate + 0.05]}, other: {"rate": 1 - rate, "ci": [0.0, 1.0]},
        **more,
    }  # fmt: skip


def grid(**more):
    return [
        cell(victim, adversary, 0.1 + 0.2 * i + 0.05 * j, **more)
        for i, adversary in enumerate(ADVERSARIES)
        for j, victim in enumerate(VICTIMS)
    ]


@pytest.mark.parametrize("seat", ["runner", "blocker"])
def test_every_adversary_stands_against_its_victim_and_the_next(tmp_path, seat):
    stairs = write_staircase(tmp_path, grid(victim_seat=seat), VICTIMS, ADVERSARIES)
    assert [one.number for one in stairs] == [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)]
    assert [one.wins.value for one in stairs] == pytest.approx([0.1, 0.15, 0.35, 0.4, 0.6])
    assert [one.rises for one in stairs] == [True, False, True, False, True]
    assert read_staircase(tmp_path) == stairs
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")


def test_masked_and_attacked_cells_are_no_stairs(tmp_path):
    others = [cell("v0", "a0", 0.9, mask={"seat": "runner", "mode": "zero"}), cell("v0", "a0", 0.8, attack="pgd")]
    stairs = write_staircase(tmp_path, [*grid(), *others], VICTIMS, ADVERSARIES)
    assert stairs[0].wins.value == pytest.approx(0.1)


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"schema": "another/1", "stairs": []}', '{"schema": "rlattack/staircase/1", "stairs": [{}]}'],
)
def test_a_folder_without_a_staircase_has_none(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    assert read_staircase(tmp_path) == []


def test_the_page_gets_a_drawing_with_the_rates_as_text(tmp_path):
    stairs = write_staircase(tmp_path, grid(), VICTIMS, ADVERSARIES)
    drawn = staircase_svg(stairs, "s")
    assert drawn.startswith("<svg")
    assert "35 %" in drawn
    assert "var(--ink)" in drawn
    assert len(json.loads((tmp_path / FILE).read_text())["stairs"]) == 5
