"""`rlattack perf`."""

import json
import shutil

import pytest
from command_line import call, refused

from rlattack.cli.main import main
from rlattack.cli.perf import print_speeds
from rlattack.perf import Speed, SpeedTable
from rlattack.policies.folder import find_agent

CART = ("perf", "gymnasium/CartPole-v1", "--seconds", "0.02", "--workers", "1", "--envs", "3")


def cells(text):
    """Rows of the printed tables without their heads, the columns that hold something."""
    lines = [line.strip("│ ").split("│") for line in text.splitlines() if "│" in line]
    return [[cell.strip() for cell in line if cell.strip()] for line in lines]


def test_every_speed_stands_beside_what_it_is_read_beside(capsys):
    stepping = Speed(name="stepping", per_second=900.0, beside="mj_step", reference=1000.0)
    reset = Speed(name="reset", per_second=12.4, unit="resets")
    clean = Speed(name="clean", per_second=3000.0, beside="bound", reference=2000.0, resets_per_step=0.0125)
    print_speeds("ant in sumo", {
        "play": SpeedTable(title="play, steps a second", setting={"processes": 2}, speeds=(reset, clean)),
        "stepping": SpeedTable(title="stepping", speeds=(stepping,)),
        "training": SpeedTable(title="training", note="no [game] for that"),
    })  # fmt: skip
    said = capsys.readouterr().out
    assert cells(said) == [
        ["seeded reset", "12 resets"], ["clean", "3,000", "bound", "2,000", "1.50", "12.50"],
        ["stepping", "900", "mj_step", "1,000", "0.90"],
    ]  # fmt: skip
    assert "ant in sumo: play, steps a second (2 processes)" in said
    assert "training: no [game] for that" in said


def test_a_game_without_a_named_victim_is_played_by_the_first_agent_listed(capsys):
    assert main([*CART, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["game"], found["victim"]) == ("gymnasium/CartPole-v1", "gymnasium/CartPole-v1/dqn")
    assert found.keys() == {"game", "victim", "play"}
    play = found["play"]
    assert play["setting"] == {"processes": 1, "slots": 3}
    names = [speed["name"] for speed in play["speeds"]]
    assert names[-3:] == ["clean play", "fgsm play", "pgd-10 play"]
    for speed in play["speeds"][-3:]:
        assert speed["share"] == pytest.approx(speed["per_second"] / speed["reference"])


@pytest.mark.parametrize(
    ("told", "instead"),
    [('role = "victim"', 'role = "adversary"'), ("[provenance]", '[provenance]\ndefends = {defence = "sa"}')],
    ids=["adversary", "defended"],
)
def test_who_perturbs_what_others_see_or_is_defended_is_not_who_plays(capsys, tmp_path, monkeypatch, told, instead):
    other = tmp_path / "agents/gymnasium/CartPole-v1/a"
    shutil.copytree(find_agent("gymnasium/CartPole-v1/dqn"), other)
    card = (other / "agent.toml").read_text()
    assert told in card
    (other / "agent.toml").write_text(card.replace(told, instead))
    monkeypatch.chdir(tmp_path)
    assert main([*CART, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["victim"] == "gymnasium/CartPole-v1/dqn"


def test_numbers_come_as_a_table(capsys):
    assert main([*CART]) == 0
    captured = capsys.readouterr()
    assert [row[0] for row in cells(captured.out)] == [
        "environment", "forward", "gradient", "seeded reset", "clean play", "fgsm play", "pgd-10 play",
    ]  # fmt: skip
    assert "measuring attacked play of gymnasium/CartPole-v1/dqn in gymnasium/CartPole-v1" in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gymnasium/CartPole-v1", "--seconds", "0"), "--seconds, --envs and --workers: expected more than 0, got 0"),
        (("gymnasium/CartPole-v1", "--workers", "0"), "expected more than 0"),
        (("gymnasium/CartPole-v1", "--envs", "0"), "expected more than 0"),
        (("gymnasium/Acrobot-v1",), "no agent for gymnasium/Acrobot-v1 ships with the project: name one with --victim"),
        (("gymnasium/CartPole-v1", "--victim", "random"), "--victim: expected an agent, got 'random', which is none"),
        (("gymnasium/Acrobot-v1", "--victim", "gymnasium/CartPole-v1/dqn"), "was trained for gymnasium/CartPole-v1"),
    ],
)
def test_what_cannot_be_measured_is_one_line(capsys, arguments, message):
    assert message in refused(capsys, "perf", *arguments)


def test_help_tells_the_options(capsys):
    assert call("perf", "--help") == 0
    assert "--seconds" in capsys.readouterr().out
