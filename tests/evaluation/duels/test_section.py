"""Duels on the page: what it says, alone and beside attacks."""

import json
import re

import pytest

from rlattack.evaluation.duels.section import duel_section
from rlattack.evaluation.report import write_report


@pytest.fixture
def page(tmp_path):
    def build(*runs, videos=()):
        folders = []
        for number, cells in enumerate(runs):
            folder = tmp_path / f"run{number}"
            (folder / "videos").mkdir(parents=True)
            content = {"schema": "rlattack/results/1", "cells": cells}
            (folder / "results.json").write_text(json.dumps(content))
            for name in videos:
                (folder / "videos" / name).write_bytes(b"film")
            folders.append(folder)
        write_report(folders, tmp_path / "report.html")
        raw = (tmp_path / "report.html").read_text()
        return raw, " ".join(re.sub(r"<[^>]+>", " ", raw).split())

    return build


def test_the_page_says_the_finding_the_grid_and_every_number(page, heat):
    raw, text = page(heat)
    assert "<title>mujoco/you-shall-not-pass: blocker against runner</title>" in raw
    assert "adversary (blocker) wins 86 % of its games against runner (runner), which wins 14 %" in text
    assert "86 % [76, 96] won" in text
    assert raw.count("<svg") == 1
    assert "Hidden from the runner: the other player (mask initial)" in text
    assert "or is covered by noise (mask noise)" in text
    assert "fallen 60, goal 40" in text
    assert "-1250 [-1300, -1200]" in text
    assert "The player does not see where the other one is" in text
    assert "fgsm" not in text.lower()
    assert "Attacks on what a player sees" not in text
    assert "under attack" not in text


def test_one_cell_alone_has_no_grid(page, heat):
    assert "<svg" not in page(heat[:1])[0]


def test_the_page_loads_nothing_from_elsewhere(page, heat):
    raw, _ = page(heat, videos=[f"{heat[0]['cell']}.mp4", f"{heat[2]['cell']}.gif"])
    for value in re.findall(r'(?:src|href|poster)="([^"]*)"', raw):
        assert value.startswith(("data:", "#"))


def test_films_show_the_strongest_opponents_first(page, heat):
    raw, text = page(heat, videos=[f"{heat[0]['cell']}.mp4", f"{heat[2]['cell']}.gif", f"{heat[4]['cell']}.mp4"])
    assert raw.count('src="data:video/mp4;base64,Zmlsb') == 2
    assert raw.count('src="data:image/gif;base64,Zmlsb') == 1
    captions = re.findall(r"(\S+ against \S+?)(?:; hidden from the runner \(mask initial\))?: episode 0\.", text)
    assert captions == ["adversary against runner", "zero against runner", "adversary against runner"]


def test_only_some_films_are_put_into_the_page(tmp_path, make_record):
    records = [make_record(f"player{i}", "b", 0.1 * i, cell=f"c{i}") for i in range(9)]
    (tmp_path / "videos").mkdir()
    for record in records:
        (tmp_path / "videos" / f"{record['cell']}.mp4").write_bytes(b"film")
    films = duel_section(records, tmp_path, "here")["films"]
    assert [film["title"] for film in films] == [f"player{i} against b" for i in range(8, 2, -1)]


def test_names_are_text_and_never_markup(page, make_record):
    evil = "<script>alert(1)</script>"
    changes = {"seats": [evil, "runner"], "game": evil, "cell": evil, "endings": {evil: 3}}
    records = [make_record(evil, evil, 0.5, **changes), make_record("a", evil, 0.5, **changes)]
    raw, text = page(records)
    assert raw.count("<script>") == 1
    assert "&lt;script&gt;alert(1)" in text


def test_attacks_and_duels_stand_on_one_page(page, heat, attack):
    raw, text = page([attack], heat)
    assert "<title>Attacks and duels: atari/pong, mujoco/you-shall-not-pass</title>" in raw
    assert "rlattack · 2 runs: run0, run1 Attacks and duels: atari/pong, mujoco/you-shall-not-pass" in text
    assert "atari/pong: atari/pong/ppo under attack" in text
    assert "mujoco/you-shall-not-pass: blocker against runner" in text
    assert "The size of the perturbation per entry" in text
    ids = re.findall(r' id="([^"]+)"', raw)
    assert len(ids) == len(set(ids))


@pytest.fixture
def attack():
    return {
        "cell": "c0", "status": "ok", "game": "atari/pong", "victim": "atari/pong/ppo", "attack": "none",
        "actions": "greedy", "sticky": 0.0, "seed": 0, "episodes": 20,
        "return": {"mean": 21.0, "ci": [20.0, 21.0], "iqm": 21.0, "degenerate": False},
    }  # fmt: skip


def test_a_cell_with_hardly_any_key_is_a_page(page):
    _, text = page([{"players": ["a", "b"]}])
    assert "No duel was measured yet." in text
    assert "no status" in text


def test_attacks_on_what_a_seat_sees_have_their_own_table_and_clip(page, assault):
    _, text = page(assault, videos=["pgd0.2.mp4"])
    assert "Attacks on what a player sees" in text
    assert "All cells without an attack" in text
    assert "zero against runner; pgd, eps 0.2 standard deviations, on what the runner sees: episode 0." in text
    assert text.count("noise 0.2") == 1
