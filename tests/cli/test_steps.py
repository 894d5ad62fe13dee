"""Progress over steps, for a person and for a log."""

import itertools

from rlattack.cli.steps import StepBar


def test_in_a_terminal_there_is_a_bar(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with StepBar(1000) as tell:
        for steps in (400, 700, 1000):
            tell(steps)
    err = capsys.readouterr().err
    assert "━" in err
    assert "1000/1000" in err
    assert " of " not in err


def test_in_a_log_there_is_a_line_now_and_then(capsys):
    with StepBar(1000) as tell:
        for steps in range(0, 1001, 10):
            tell(steps)
    assert capsys.readouterr().err.splitlines() == [f"{steps:,} of 1,000 steps" for steps in range(100, 1001, 100)]


def test_in_the_log_of_a_long_run_there_is_a_line_every_100_000_steps(capsys):
    with StepBar(10_000_000) as tell:
        for steps in (1_900_000, 1_950_000, 2_000_000, 2_050_000, 2_100_000):  # resumed
            tell(steps)
    assert capsys.readouterr().err.splitlines() == ["2,000,000 of 10,000,000 steps", "2,100,000 of 10,000,000 steps"]


def test_speed_is_measured_from_what_was_done_now(monkeypatch, capsys):
    clock = itertools.count()  # a second a look
    monkeypatch.setattr("rlattack.cli.steps.time.perf_counter", lambda: next(clock))
    with StepBar(1000, "episodes") as tell:
        for done in range(1, 500):  # played before
            tell(done, "evaluating")
            tell.skip()
        tell(500, "evaluating")
        tell(600, "evaluating")  # two looks later
    assert capsys.readouterr().err.splitlines() == ["600 of 1,000 episodes, evaluating, 50 episodes/s"]
