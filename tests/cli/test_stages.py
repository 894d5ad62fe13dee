"""What is said beside the games: a moving line for a person, a line a stage for a log."""

from rlattack.cli.stages import Stages


def work(stages):
    with stages:
        for done in range(3):
            stages("filming 2 games", done, 2)
        stages("placing [b]oints")


def test_a_log_has_a_line_a_stage(capsys):
    work(Stages(quiet=False))
    assert capsys.readouterr().err.splitlines() == ["filming 2 games", "placing [b]oints"]


def test_in_a_terminal_a_moving_line_says_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    for stage, shown in ((("filming 2 games", 1, 2), "filming 2 games: 1 of 2"), (("placing [b]oints",), "[b]oints")):
        with Stages(quiet=False) as stages:
            stages(*stage)
        assert shown in capsys.readouterr().err


def test_who_wants_quiet_gets_it_in_a_log_and_in_a_terminal(capsys, monkeypatch):
    for colour in ("", "1"):
        monkeypatch.setenv("FORCE_COLOR", colour)
        work(Stages(quiet=True))
    assert capsys.readouterr().err == ""
