"""`rlattack train adversary` as a user meets it."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from rlattack.cli.main import main
from rlattack.policies.folder import AgentCard, read_agent_card, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianSpec

pytest.importorskip("mujoco")
GAME = "mujoco/you-shall-not-pass"
SMALL = ("train", "adversary", GAME, "--victim", "runner", "--envs", "4", "--batch", "64", "--threads", "1")


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """Holds a runner that knows nothing, and soon falls."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})  # evaluates in this process
    torch.manual_seed(0)
    spec = GaussianSpec(observation=(380,), actions=17, hidden=(8,))
    card = AgentCard(game=GAME, role="victim", algorithm="ppo", seat="runner", network=spec)
    save_agent(tmp_path / "runner", card, GaussianNetwork(spec))
    return tmp_path


def call(*arguments):
    try:
        return main(list(arguments))
    except SystemExit as stop:
        return stop.code


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
    assert f"wins {card.score['win']['rate']:.3f} [" in said.out
    assert card.score["command"] in said.out.replace("\n", "")
    assert "--players my/adv runner --episodes 3" in card.score["command"]
    again = json.loads(next((tmp_path / "runs").glob("*/evaluation/*/results.json")).read_text())
    assert again["cells"][0]["win"]["ci"]
    assert call(*arguments) == 2
    assert "add --resume to go on" in capsys.readouterr().err
    assert call(*arguments, "--resume") == 0  # finished: the same agent again
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
    assert call(*SMALL, *arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("rlattack: ")
    assert expected in said.err
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
    assert call("train", *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


def test_an_interrupt_keeps_what_was_learned_and_the_run_goes_on(tmp_path):
    arguments = [*SMALL, "--checkpoint-every", "64", "--run", "run"]
    command = [sys.executable, "-m", "rlattack.cli.main", *arguments, "--steps", "1000000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not Path("run/seed-0/progress.json").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted; what was learned is kept, the same command with --resume goes on"
    steps = json.loads(Path("run/seed-0/progress.json").read_text())["steps"]
    assert steps >= 64
    assert call(*arguments, "--steps", str(steps + 64), "--episodes", "1", "--resume") == 0
    assert json.loads(Path("run/seed-0/progress.json").read_text())["steps"] == steps + 64


def test_an_interrupt_before_anything_was_kept_is_an_ordinary_one(capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("rlattack.training.adversary_session.train_adversary", interrupt)
    assert call(*SMALL, "--steps", "64") == 130
    assert "--resume" not in capsys.readouterr().err
