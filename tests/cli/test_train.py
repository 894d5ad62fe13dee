"""`rlattack train` as a user meets it: an agent that plays what its card says, and a run that survives."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rlattack.cli.main import main
from rlattack.cli.steps import StepBar
from rlattack.policies import load_policy
from rlattack.policies.folder import read_agent_card

CARTPOLE = ("train", "victim", "gymnasium/CartPole-v1")
SHORT = """
schema = "rlattack/game/1"
title = "Seven seconds of Pong"
rom = "pong"
[atari]
max_frames = 400
action_set = [0, 3, 4]
"""


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})  # evaluates in this process
    return tmp_path


def call(*arguments):
    try:
        return main(list(arguments))
    except SystemExit as stop:
        return stop.code


def recomputed(command, folder):
    """The mean return that the command on a card gives."""
    assert call(*shlex.split(command)[1:], "--run", str(folder), "--workers", "1") == 0
    (cell,) = json.loads((folder / "results.json").read_text())["cells"]
    return cell["return"]["mean"], cell["return"]["ci"]


@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "dqn", "qrdqn"])
def test_a_trained_agent_plays_what_its_card_says(tmp_path, capsys, algorithm):
    name = f"mine/{algorithm}"
    arguments = (*CARTPOLE, "--algo", algorithm, "--steps", "2000", "--episodes", "4", "--seed", "3", "--agent", name)
    assert call(*arguments) == 0
    folder = tmp_path / "agents" / "mine" / algorithm
    card = read_agent_card(folder)
    assert card.provenance["command"] == shlex.join(["rlattack", *arguments])
    assert card.provenance["steps"] >= 2000
    assert card.score["actions"] == ("sampled" if algorithm in ("ppo", "a2c") else "greedy")
    assert card.score["seed"] == 1003  # of the evaluation, whose games are drawn from it; training played 3 to 10
    assert load_policy(name, game="gymnasium/CartPole-v1", observation=(4,), actions=2).algorithm == algorithm
    assert recomputed(card.score["command"], tmp_path / "again") == (card.score["mean"], card.score["ci"])
    said = capsys.readouterr()
    assert f"mean return {card.score['mean']:.1f} [" in said.out
    assert f"rlattack attack gymnasium/CartPole-v1 --victim {name} --attack fgsm --eps ..." in said.out
    assert "2,000 of 2,000 steps" in said.err or "2,048 of 2,000 steps" in said.err


@pytest.mark.parametrize(("algorithm", "steps"), [("ppo", 300), ("dqn", 200)])
def test_an_atari_agent_is_evaluated_in_the_variant_it_was_trained_in(tmp_path, algorithm, steps):
    (tmp_path / "envs" / "atari").mkdir(parents=True)
    (tmp_path / "envs" / "atari" / "short.toml").write_text(SHORT)
    arguments = ["train", "victim", "atari/short", "--algo", algorithm, "--steps", str(steps), "--envs", "2"]
    assert call(*arguments, "--sticky", "0.25", "--episodes", "2", "--agent", "my/pong") == 0
    card = read_agent_card(tmp_path / "agents" / "my" / "pong")
    assert card.options == {"max_frames": 400, "action_set": [0, 3, 4]}
    assert card.score["sticky"] == 0.25
    assert "ale-py" in card.provenance["versions"]
    (tmp_path / "envs" / "atari" / "short.toml").write_text(SHORT.split("[atari]")[0])  # the agent's card knows better
    assert recomputed(card.score["command"], tmp_path / "again") == (card.score["mean"], card.score["ci"])
    policy = load_policy("my/pong", observation=(4, 84, 84), actions=3).policy
    assert policy.value_based == (algorithm == "dqn")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--steps", "0"), "--steps: expected at least 1, got 0"),
        (("--steps", "many"), "--steps"),
        (("--envs", "0"), "--envs: expected at least 1, got 0"),
        (("--episodes", "0"), "--episodes: expected at least 1, got 0"),
        (("--checkpoint-every", "0"), "--checkpoint-every: expected at least 1, got 0"),
        (("--seed", "-1"), "--seed: expected 0 to 2147483640, got -1"),
        (("--learning-rate", "0"), "--learning-rate: expected a number above 0, got 0.0"),
        (("--sticky", "2"), "--sticky: expected a probability in [0, 1), got 2.0"),
        (("--sticky", "0.25"), "sticky actions are for Atari games only"),
        (("--algo", "nonsense"), "nonsense"),
        (("--network", "huge"), "huge"),
        (("--agent", "../elsewhere"), "--agent '../elsewhere': expected an id such as gymnasium/CartPole-v1/ppo"),
        (("--resume",), "--resume: runs/train-gymnasium-CartPole-v1-ppo holds no training run"),
    ],
)
def test_a_bad_value_is_refused_in_one_line(tmp_path, capsys, arguments, expected):
    assert call(*CARTPOLE, *arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("rlattack: ")
    assert expected in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("game", "expected"),
    [
        ("atari/pnog", "did you mean 'atari/pong'"),
        ("atari/combat", "choose another game"),
        ("gymnasium/MountainCarContinuous-v0", "expected Discrete actions, got Box"),
        ("chess", "no game 'chess'"),
    ],
)
def test_a_game_that_cannot_be_learned_is_refused_in_one_line(tmp_path, capsys, game, expected):
    assert call("train", "victim", game) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert expected in err
    assert list(tmp_path.iterdir()) == []


def test_without_resume_a_used_folder_is_refused_and_with_it_the_run_goes_on(tmp_path, capsys):
    arguments = (*CARTPOLE, "--algo", "a2c", "--steps", "200", "--episodes", "2")
    assert call(*arguments) == 0
    capsys.readouterr()
    assert call(*arguments) == 2
    assert "add --resume to go on" in capsys.readouterr().err
    assert call(*arguments, "--resume") == 0  # finished: the same agent again
    longer = [*arguments, "--resume"]
    longer[longer.index("200")] = "400"
    assert call(*longer) == 0
    card = read_agent_card(tmp_path / "agents" / "gymnasium" / "CartPole-v1" / "a2c")
    assert card.provenance["steps"] == 400
    assert "--resume" not in card.provenance["command"]  # which trains it anew


def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path, capsys):
    arguments = (*CARTPOLE, "--algo", "a2c", "--steps", "200", "--episodes", "2", "--run", "run")
    assert call(*arguments) == 0
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"PK\x03\x04 and then nothing")
    capsys.readouterr()
    assert call(*arguments, "--resume") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("rlattack: run/checkpoint.pt: ")
    assert line.endswith("; remove it to start over")


def start(*arguments):
    """Trains in a process of its own until the first checkpoint is there."""
    command = [sys.executable, "-m", "rlattack.cli.main", *arguments]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not Path("run/progress.json").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def steps_kept():
    return json.loads(Path("run/progress.json").read_text())["steps"]


def test_after_a_kill_the_same_command_goes_on_to_the_same_end(tmp_path):
    arguments = (*CARTPOLE, "--algo", "a2c", "--steps", "15000", "--checkpoint-every", "1000", "--run", "run")
    process = start(*arguments)
    process.kill()
    process.communicate()
    assert 1000 <= steps_kept() < 15000
    assert call(*arguments, "--resume", "--episodes", "2") == 0
    assert steps_kept() == 15000
    assert read_agent_card(tmp_path / "agents" / "gymnasium" / "CartPole-v1" / "a2c").provenance["steps"] == 15000


def test_an_interrupt_ends_in_one_line_with_a_checkpoint_and_no_children():
    process = start(*CARTPOLE, "--steps", "200000", "--checkpoint-every", "500", "--run", "run")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    lines = [line for line in err.splitlines() if line and not line.endswith(" steps")]
    assert lines == ["interrupted; what was learned is kept, the same command with --resume goes on"]
    assert steps_kept() >= 500
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # its session is empty
    assert not [path for path in Path("run").iterdir() if path.name.startswith(".")]  # nothing half-written


def test_an_interrupt_before_anything_was_kept_is_an_ordinary_one(capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("rlattack.training.session.train_victim", interrupt)
    assert call(*CARTPOLE, "--run", "run") == 130
    assert "--resume" not in capsys.readouterr().err


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


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "dqn", "qrdqn"])
def test_the_obvious_command_trains_a_good_agent(tmp_path, algorithm):
    # the default id of one of them belongs to an agent that ships
    assert call(*CARTPOLE, "--algo", algorithm, "--agent", f"mine/{algorithm}") == 0
    card = read_agent_card(tmp_path / "agents" / "mine" / algorithm)
    assert card.score["mean"] >= 400
