"""`rlattack train adversary` as a user meets it."""

import json
import shlex

import pytest
from command_line import PASS as GAME
from command_line import call, refused, save_untrained

from rlattack.policies.folder import read_agent_card

pytest.importorskip("mujoco")
SMALL = ("train", "adversary", GAME, "--victim", "runner", "--envs", "4", "--batch", "64", "--threads", "1")


@pytest.fixture(autouse=True)
def _runner(working_folder):
    save_untrained(working_folder / "runner", GAME, seat="runner")


def test_seeds_are_trained_the_best_is_shipped_and_plays_what_its_card_says(tmp_path, capsys):
    arguments = (*SMALL, "--steps", "128", "--seeds", "0", "1", "--tuning", "2", "--episodes", "3", "--agent", "my/adv")
    assert call(*arguments) == 0
    card = read_agent_card(tmp_path / "agents" / "my" / "adv")
    assert (card.role, card.seat, card.game) == ("adversary", "blocker", GAME)
    assert card.provenance["victim"] == {"id": "runner", "sha256": read_agent_card(tmp_path / "runner").sha256}
    assert card.provenance["command"] == shlex.join(["rlattack", *arguments])
    assert card.score["episodes"] == 3
    assert card.score["seed"] == 1000 + card.provenance["seed"]
    assert sum(card.score[name]["rate"] for name in ("win", "tie", "loss")) == pytest.approx(1)
    said = capsys.readouterr()
    assert "choosing" in said.err
    assert "128 of 128 steps, seed 1" in said.err
    assert f"wins {100 * card.score['win']['rate']:.1f} % [" in said.out
    assert card.score["command"] in said.out.replace("\n", "")
    assert "--players my/adv runner --episodes 3" in card.score["command"]
    again = json.loads(next((tmp_path / "runs").glob("*/evaluation/*/results.json")).read_text())
    assert again["cells"][0]["seats"][0]["win"]["ci"]
    assert "add --resume to go on" in refused(capsys, *arguments)
    assert call(*arguments, "--resume") == 0  # finished: the same agent again
    assert read_agent_card(tmp_path / "agents" / "my" / "adv") == card
    fewer = refused(capsys, *(word if word != "128" else "64" for word in arguments), "--resume")
    assert "has learned from 128 already; ask for at least that many" in fewer
    assert read_agent_card(tmp_path / "agents" / "my" / "adv") == card


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--steps", "10"), "--steps: expected at least 64, one batch, got 10"),
        (("--batch", "10"), "--batch: expected a multiple of 16"),
        (("--envs", "0"), "--envs: expected at least 1, got 0"),
        (("--threads", "0"), "--threads: expected at least 1, got 0"),
        (("--episodes", "0"), "--episodes: expected at least 1, got 0"),
        (("--tuning", "0"), "--tuning: expected at least 1, got 0"),
        (("--seeds", "1", "1"), "--seeds: expected different numbers"),
        (("--cut", "100", "2"), "--cut: expected steps of 1 or more and a rate"),
        (("--cut", "100"), "--cut"),
        (("--seat", "runner"), "--seat runner: that is the victim's; leave it out to take the other"),
        (("--seat", "goalie"), "--seat: expected blocker or runner, got 'goalie'"),
        (("--victim", "zero"), "--victim: expected an agent, got 'zero'"),
        (("--victim", "atari/pong/ppo"), "atari/pong/ppo was trained for atari/pong"),
        (("--agent", "../x"), "--agent '../x': expected an id such as"),
        (("--resume",), "--resume: runs/train-mujoco-you-shall-not-pass-adversary holds no training run"),
    ],
)
def test_bad_input_is_refused_in_one_line(tmp_path, capsys, arguments, expected):
    assert expected in refused(capsys, *SMALL, *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["runner"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("adversary", "atari/pong", "--victim", "runner"), "game atari/pong has one seat, so nobody to meet there"),
        (("adversary", GAME), "--victim"),
        (("nobody", GAME), "nobody"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused_in_one_line(capsys, arguments, expected):
    assert expected in refused(capsys, "train", *arguments)
