"""`rlattack inspect` as a user meets it."""

import json

import pytest
from command_line import call, refused

from tests.kit import games  # noqa: F401  # which registers `coins` and `pull`

LOOK = ("inspect", "occlusion", "sides/any", "--victim", "tests.inspect.players:unsure", "--states", "4", "--envs", "2")
SMALL = ("--block", "6", "--stride", "6", "--film", "0", "--every", "2", "--plugin", "tests.kit.pictures")


def test_a_table_a_sentence_and_the_folder_are_printed(capsys, working_folder):
    assert call(*LOOK, *SMALL, "--by", "brighter", "--run", "mine") == 0
    said = capsys.readouterr().out
    assert "brighter: shuffled, rescaled" in said
    assert "The block that matters most takes" in said
    assert "mine/report.html shows it all" in said
    assert "rlattack inspect occlusion sides/any" in (working_folder / "mine" / "report.html").read_text()


def test_the_numbers_are_printed_as_json(capsys):
    assert call(*LOOK, *SMALL, "--by", "darker", "--json") == 0
    assert list(json.loads(capsys.readouterr().out)["numbers"]["ways"]) == ["darker"]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("inspect", "occlusion", "coins/any", "--victim", "tests.kit.players:coin"), "expected observations that are"),
        ((*LOOK, "--states", "0"), "--states: expected a number at least 2 and at most 20,000, got 0"),
        ((*LOOK, "--by", "black"), "Expected one of ('background', 'brighter', 'darker', 'blur')"),
        (("inspect", "dreams"), "rlattack inspect --help"),
    ],
)
def test_what_cannot_be_looked_into_is_refused_in_a_line(capsys, typed, message):
    assert message in refused(capsys, *typed)


def test_activations_are_compared_by_an_inspection_too(capsys, working_folder):
    pytest.importorskip("sklearn")
    player = "tests.inspect.players:telling"
    typed = ("inspect", "activations", "coins/any", "--victim", player, "--attack", "fgsm", "--eps", "0.5", "--space")
    assert call(*typed, "raw", "--episodes", "8", "--run", "mine") == 0
    assert "log-likelihood of the player's activations" in capsys.readouterr().out
    assert (working_folder / "mine" / "activations.json").is_file()


def test_activations_need_somebody_in_every_other_seat(capsys):
    typed = ("inspect", "activations", "pull/any", "--victim", "zero")
    assert "--against: expected 1 agent, for the other seat, got nobody" in refused(capsys, *typed)
