"""The table of differences, in every form."""

import io

import pytest
from rich.console import Console

from rlattack.report.differences import differences_markdown, laid, print_differences
from rlattack.report.page import write_page
from rlattack.report.paired import paired
from rlattack.report.runs import read_run
from tests.kit.results import pong_cell, write_episodes, write_folder
from tests.report.pages import Page


@pytest.fixture
def runs(tmp_path):
    def build(*victims, wins=True):
        made = []
        for name, step in (("old", 0.0), ("new", 2.0)):
            cells, played = [], {}
            for defence in victims:
                key = f"{name} {defence}"
                cells.append(pong_cell(key, "clean", None, 5.0, 0.5, episodes=8, defence=defence))
                outcome = "win" if wins else ""
                played[key] = [(seed, seed + step + 0.1 * step * seed, outcome) for seed in range(8)]
            made.append(read_run(write_episodes(write_folder(tmp_path / name, cells), played)))
        return made

    return build


def shown(found, width=200):
    console = Console(file=io.StringIO(), width=width)
    print_differences(found, console)
    return console.file.getvalue()


def test_a_row_has_both_numbers_the_change_with_its_interval_and_its_p_value(runs):
    head, row = laid(paired(*runs(None)))
    values = dict(zip(head, row, strict=True))
    assert (values["return, old"], values["return, new"], values["episodes"]) == ("3.5", "6.2", "8")
    assert values["change"].startswith("2.7 [2.4, ")
    assert (values["p"], values["p of wins"], values["differs"]) == ("0.016", "1.000", "return")
    assert (values["wins, old"], values["change of wins"]) == ("100 %", "0 % [-32, 32]")


def test_without_wins_there_are_no_columns_of_wins(runs):
    assert not [name for name in laid(paired(*runs(None, wins=False)))[0] if "wins" in name]


def test_who_plays_is_in_the_rows_where_those_are_several(runs):
    assert [row[0] for row in laid(paired(*runs("blur", "jpeg")))[1:]] == [
        "ppo behind blur: clean",
        "ppo behind jpeg: clean",
    ]
    assert [row[0] for row in laid(paired(*runs("blur")))[1:]] == ["clean"]


def test_the_terminal_shows_the_sentence_the_rows_and_what_is_missing(runs):
    first, second = runs(None)
    text = shown(paired(first, second))
    assert "new minus old (ppo), over the same episodes: 1 of 2 comparisons differs (Holm, 5 %)." in text
    assert "3.5" in text
    assert "McNemar" in text
    assert "the same cell in both, so not compared: ppo: clean" in shown(paired(first, first))


def test_markdown_has_the_same_rows(runs):
    text = differences_markdown(paired(*runs(None)))
    assert text.startswith("### old and new\n\nnew minus old (ppo)")
    assert r"| clean | 3.5 | 6.2 | 2.7 \[2.4, " in text
    alone = differences_markdown(paired(*runs(None)[:1] * 2))
    assert "no cell that can be paired" in alone
    assert "| " not in alone
    assert "- the same cell in both" in alone


def test_the_page_shows_them_first(runs, tmp_path):
    both = runs(None)
    write_page(both, tmp_path / "diff.html", paired(*both))
    text = Page((tmp_path / "diff.html").read_text(encoding="utf-8")).text
    assert "clean 3.5 6.2 2.7 [2.4, " in text
    assert text.index("new minus old (ppo), over the same episodes") < text.index("How to repeat run old")
    write_page(both, tmp_path / "plain.html")
    assert "Differences" not in (tmp_path / "plain.html").read_text(encoding="utf-8")
