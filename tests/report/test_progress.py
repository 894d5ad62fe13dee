"""Progress: bars and moving lines for a person, a line now and then for a log."""

import itertools
import re
from types import SimpleNamespace

import pytest

from rlattack.report.progress import EpisodeBar, Stages, StepBar


@pytest.fixture
def planned():
    """Two cells, of two and three episodes."""
    return SimpleNamespace(
        cells=[
            SimpleNamespace(key=label[0], label=label, episodes=count) for label, count in (("clean", 2), ("pgd", 3))
        ]
    )


@pytest.fixture
def clock(monkeypatch):
    """Lets time pass: a minute and a half a look."""
    looks = itertools.count(step=90)
    monkeypatch.setattr("time.perf_counter", lambda: next(looks))


def show(bar, *cells, kept=False):
    for cell in cells:
        bar.watch(SimpleNamespace(cell=cell, length=10), kept)


def lines(capsys):
    return re.sub(r"[\d,]+ steps/s", "S steps/s", capsys.readouterr().err).splitlines()


class TestEpisodeBar:
    """Progress of an evaluation: a bar for a person, a line a cell for a log."""

    def test_a_line_counts_the_episodes_of_its_cell_while_another_plays_beside_it(self, capsys, planned):
        with EpisodeBar(planned, quiet=False) as bar:
            show(bar, "p", "c", "p", "c")
            assert lines(capsys) == ["clean done, 2 episodes, 1 of 2 cells, S steps/s"]
            show(bar, "p")
        assert lines(capsys) == ["pgd done, 3 episodes, 2 of 2 cells, S steps/s"]

    def test_a_cell_of_an_earlier_call_is_told_as_kept(self, capsys, planned):
        with EpisodeBar(planned, quiet=False) as bar:
            show(bar, "c", "c", kept=True)
        assert lines(capsys) == ["clean done, 2 episodes, 1 of 2 cells, kept from before"]

    def test_in_a_terminal_there_is_a_bar_over_all_episodes_and_no_line(self, capsys, monkeypatch, planned):
        monkeypatch.setenv("FORCE_COLOR", "1")
        with EpisodeBar(planned, quiet=False) as bar:
            show(bar, "c", "c", "p", "p")
        err = capsys.readouterr().err
        assert "4/5" in err
        assert "━" in err
        assert "done" not in err

    def test_in_a_terminal_a_long_episode_moves(self, capsys, monkeypatch, planned):
        monkeypatch.setenv("FORCE_COLOR", "1")
        with EpisodeBar(planned, quiet=False) as bar:
            bar.beat("p", 12_000)
        assert "pgd, 12,000 steps so far" in capsys.readouterr().err

    def test_in_a_log_a_long_episode_is_told_of_a_line_a_minute(self, capsys, planned, clock):
        with EpisodeBar(planned, quiet=False) as bar:
            bar.beat("p", 12_000)
            assert lines(capsys) == ["pgd goes on, 12,000 steps so far"]

    def test_a_cell_without_an_end_is_told_the_way_out(self, capsys, planned, clock):
        with EpisodeBar(planned, quiet=False) as bar:
            bar.beat("p", 600_000)
            show(bar, "p")
            bar.beat("p", 700_000)
            way = " and no episode has ended; where none ever does, --max-steps cuts them"
            assert lines(capsys) == [
                f"pgd goes on, 600,000 steps so far{way}", "pgd goes on, 700,000 steps so far",
            ]  # fmt: skip

    def test_in_a_log_there_is_no_line_of_an_episode_that_is_not_long(self, capsys, planned):
        with EpisodeBar(planned, quiet=False) as bar:
            bar.beat("p", 12_000)
        assert lines(capsys) == []

    def test_who_wants_quiet_gets_it_in_a_log_and_in_a_terminal(self, capsys, monkeypatch, planned, clock):
        for colour in ("", "1"):
            monkeypatch.setenv("FORCE_COLOR", colour)
            with EpisodeBar(planned, quiet=True) as bar:
                show(bar, "c", "c")
                bar.beat("p", 12_000)
        assert capsys.readouterr().err == ""


class TestStepBar:
    """Progress over steps of training, or episodes of a score."""

    def test_in_a_terminal_there_is_a_bar(self, monkeypatch, capsys):
        monkeypatch.setenv("FORCE_COLOR", "1")
        with StepBar(1000) as tell:
            for steps in (400, 700, 1000):
                tell(steps)
        err = capsys.readouterr().err
        assert "━" in err
        assert "1000/1000" in err
        assert " of " not in err

    def test_in_a_log_there_is_a_line_now_and_then(self, capsys):
        with StepBar(1000) as tell:
            for steps in range(0, 1001, 10):
                tell(steps)
        assert capsys.readouterr().err.splitlines() == [f"{steps:,} of 1,000 steps" for steps in range(100, 1001, 100)]

    def test_in_the_log_of_a_long_run_there_is_a_line_every_100_000_steps(self, capsys):
        with StepBar(10_000_000) as tell:
            for steps in (1_900_000, 1_950_000, 2_000_000, 2_050_000, 2_100_000):  # resumed
                tell(steps)
        said = capsys.readouterr().err.splitlines()
        assert said == ["2,000,000 of 10,000,000 steps", "2,100,000 of 10,000,000 steps"]

    def test_speed_is_measured_from_what_was_done_now(self, clock, capsys):
        with StepBar(1000, "episodes") as tell:
            for done in range(1, 500):  # played before
                tell(done, "evaluating", kept=True)
            tell(500, "evaluating")
            tell(600, "evaluating")  # two looks later
        assert capsys.readouterr().err.splitlines() == ["600 of 1,000 episodes, evaluating, 0.6 episodes/s"]


class TestStages:
    """What is said beside the games: a moving line for a person, a line a stage for a log."""

    def work(self, stages):
        with stages:
            for done in range(3):
                stages("filming 2 games", done, 2)
            stages("placing [b]oints")

    def test_a_log_has_a_line_a_stage(self, capsys):
        self.work(Stages(quiet=False))
        assert capsys.readouterr().err.splitlines() == ["filming 2 games", "placing [b]oints"]

    def test_in_a_terminal_a_moving_line_says_how_far_it_is(self, capsys, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
        for stage, shown in (
            (("filming 2 games", 1, 2), "filming 2 games: 1 of 2"), (("placing [b]oints",), "[b]oints"),
        ):  # fmt: skip
            with Stages(quiet=False) as stages:
                stages(*stage)
            assert shown in capsys.readouterr().err

    def test_who_wants_quiet_gets_it_in_a_log_and_in_a_terminal(self, capsys, monkeypatch):
        for colour in ("", "1"):
            monkeypatch.setenv("FORCE_COLOR", colour)
            self.work(Stages(quiet=True))
        assert capsys.readouterr().err == ""
