"""Progress of an evaluation: a bar for a person, a line a cell for a log."""

import re
from types import SimpleNamespace

import pytest

from rlattack.cli.progress import EpisodeBar


@pytest.fixture
def planned():
    """Two cells, of two and three episodes."""
    return SimpleNamespace(
        cells=[
            SimpleNamespace(key=label[0], label=label, episodes=count) for label, count in (("clean", 2), ("pgd", 3))
        ]
    )


def played(*cells):
    return [SimpleNamespace(cell=cell, length=10) for cell in cells]


def lines(capsys):
    return re.sub(r"[\d,]+ steps/s", "S steps/s", capsys.readouterr().err).splitlines()


def test_a_line_of_a_log_counts_the_episodes_of_its_cell_while_another_plays_beside_it(capsys, planned):
    with EpisodeBar(planned, quiet=False) as bar:
        for episode in played("p", "c", "p", "c"):
            bar.advance(episode)
        assert lines(capsys) == ["clean done, 2 episodes, 1 of 2 cells, S steps/s"]
        bar.advance(*played("p"))
    assert lines(capsys) == ["pgd done, 3 episodes, 2 of 2 cells, S steps/s"]


def test_a_cell_of_an_earlier_call_is_told_as_kept(capsys, planned):
    with EpisodeBar(planned, quiet=False) as bar:
        for episode in played("c", "c"):
            bar.skip(episode)
    assert lines(capsys) == ["clean done, 2 episodes, 1 of 2 cells, kept from before"]


def test_in_a_terminal_there_is_a_bar_over_all_episodes_and_no_line(capsys, monkeypatch, planned):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with EpisodeBar(planned, quiet=False) as bar:
        for episode in played("c", "c", "p", "p"):
            bar.advance(episode)
    err = capsys.readouterr().err
    assert "4/5" in err
    assert "━" in err
    assert "done" not in err


def test_who_wants_quiet_gets_it_in_a_log_and_in_a_terminal(capsys, monkeypatch, planned):
    for colour in ("", "1"):
        monkeypatch.setenv("FORCE_COLOR", colour)
        with EpisodeBar(planned, quiet=True) as bar:
            for episode in played("c", "c"):
                bar.advance(episode)
    assert capsys.readouterr().err == ""
