"""`rlattack train victim` in games of two seats, as a user meets it."""

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
SUMO, PASS = "mujoco/sumo-ants", "mujoco/you-shall-not-pass"
SMALL = ("--envs", "4", "--batch", "64", "--threads", "1")


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """Holds an ant that knows nothing, in either seat."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})  # evaluates in this process
    torch.manual_seed(0)
    spec = GaussianSpec(observation=(137,), actions=8, hidden=(8,))
    save_agent(
        tmp_path / "ant", AgentCard(game=SUMO, role="victim", algorithm="ppo", network=spec), GaussianNetwork(spec)
    )
    return tmp_path


def call(*arguments):
    try:
        return main(list(arguments))
    except SystemExit as stop:
        return stop.code


def test_self_play_leaves_a_victim_that_met_its_last_version(tmp_path, capsys):
    arguments = ("train", "victim", SUMO, *SMALL, "--steps", "128", "--episodes", "2", "--snapshot-every", "1")
    assert call(*arguments) == 0
    card = read_agent_card(tmp_path / "agents" / "mujoco" / "sumo-ants" / "victim")
    assert (card.role, card.seat, card.game) == ("victim", "second", SUMO)
    assert card.provenance["command"] == shlex.join(["rlattack", *arguments])
    assert card.score["episodes"] == 2
    assert len(card.score["win"]["ci"]) == 2
    run = "runs/train-mujoco-sumo-ants-victim"
    assert [one["opponent"] for one in card.score["against"]] == [f"{run}/second/past/64"]
    said = capsys.readouterr()
    assert "128 of 128 steps, second" in said.err
    assert "second: wins" in said.out
    assert f"--players {run}/second/past/64 mujoco/sumo-ants/victim" in card.score["command"]
    assert call(*arguments) == 2
    assert "add --resume to go on" in capsys.readouterr().err
    assert call(*arguments, "--resume") == 0
    assert read_agent_card(tmp_path / "agents" / "mujoco" / "sumo-ants" / "victim") == card
    assert call(*shlex.split(card.score["command"])[1:], "--run", "again") == 0


def test_one_policy_for_both_seats_is_judged_in_both(tmp_path):
    assert call("train", "victim", SUMO, *SMALL, "--seat", "both", "--steps", "64", "--episodes", "4") == 0
    card = read_agent_card(tmp_path / "agents" / "mujoco" / "sumo-ants" / "victim")
    assert card.seat == ""
    assert [one["seat"] for one in card.score["against"]] == [0, 1]
    assert card.score["episodes"] == 4


def test_two_roles_leave_two_agents_that_met_each_other(tmp_path):
    assert (
        call("train", "victim", PASS, *SMALL, "--steps", "128", "--turns", "1", "--episodes", "1", "--agent", "me") == 0
    )
    blocker, runner = (read_agent_card(tmp_path / "agents" / "me" / seat) for seat in ("blocker", "runner"))
    assert (blocker.seat, runner.seat) == ("blocker", "runner")
    assert blocker.score["win"]["rate"] == runner.score["loss"]["rate"]


def test_an_agent_goes_on_against_fixed_opponents(tmp_path):
    opponents = ("--init", "ant", "--opponents", "ant,zero")
    assert call("train", "victim", SUMO, *SMALL, *opponents, "--steps", "64", "--episodes", "2") == 0
    card = read_agent_card(tmp_path / "agents" / "mujoco" / "sumo-ants" / "victim")
    sha = read_agent_card(tmp_path / "ant").sha256
    assert card.provenance["init"] == {"id": "ant", "sha256": sha}
    assert card.provenance["opponents"] == [{"id": "ant", "sha256": sha}, {"id": "zero", "sha256": ""}]
    assert card.provenance["anneal"] == 0.0
    assert [one["opponent"] for one in card.score["against"]] == ["ant", "zero"]
    assert card.network.hidden == (8,)


def test_an_adversary_goes_on_from_an_agent_too(tmp_path):
    arguments = ("train", "adversary", SUMO, "--victim", "ant", "--init", "ant", *SMALL, "--steps", "64")
    assert call(*arguments, "--episodes", "1") == 0
    card = read_agent_card(tmp_path / "agents" / "mujoco" / "sumo-ants" / "adversary")
    assert (card.role, card.network.hidden) == ("adversary", (8,))
    assert card.provenance["init"]["sha256"] == read_agent_card(tmp_path / "ant").sha256


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((SUMO, "--steps", "10"), "--steps: expected at least 16384, one batch, got 10"),
        ((SUMO, "--envs", "0"), "--envs: expected at least 1, got 0"),
        ((SUMO, "--threads", "0"), "--threads: expected at least 1, got 0"),
        ((SUMO, "--episodes", "0"), "--episodes: expected at least 1, got 0"),
        ((SUMO, "--delta", "2"), "--delta: expected a share in [0, 1], got 2.0"),
        ((SUMO, "--algo", "a2c"), "--algo, --network and --sticky: are for games of one seat"),
        ((SUMO, "--seat", "left"), "--seat: expected first, second, both or each, got 'left'"),
        ((SUMO, "--opponents", "zero,,"), "--opponents: expected different names with commas between them"),
        ((SUMO, "--opponents", "zero,zero"), "--opponents: expected different names with commas between them"),
        ((PASS, "--opponents", "ant"), "agent ant was trained for mujoco/sumo-ants"),
        ((PASS, "--seat", "runner"), "are different roles"),
        (("atari/pong", "--delta", "0.5"), "--delta: is for games of two seats, atari/pong has one"),
        (("gymnasium/CartPole-v1", "--init", "ant"), "--init: is for games of two seats"),
    ],
)
def test_bad_input_is_refused_in_one_line(tmp_path, capsys, arguments, expected):
    assert call("train", "victim", *arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert expected in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["ant"]


def test_an_interrupt_keeps_what_was_learned_and_the_run_goes_on():
    arguments = ["train", "victim", SUMO, *SMALL, "--checkpoint-every", "64", "--anneal", "0", "--run", "run"]
    command = [sys.executable, "-m", "rlattack.cli.main", *arguments, "--steps", "1000000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not Path("run/second/progress.json").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted; what was learned is kept, the same command with --resume goes on"
    steps = json.loads(Path("run/second/progress.json").read_text())["steps"]
    assert steps >= 64
    assert call(*arguments, "--steps", str(steps + 64), "--episodes", "1", "--resume") == 0
    assert json.loads(Path("run/second/progress.json").read_text())["steps"] == steps + 64


def test_an_interrupt_before_anything_was_kept_is_an_ordinary_one(capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("rlattack.training.selfplay.train_adversary", interrupt)
    assert call("train", "victim", SUMO, *SMALL, "--steps", "64") == 130
    assert "--resume" not in capsys.readouterr().err
